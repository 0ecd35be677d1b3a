"""alfine advise: the rule that past jobs recommend, with their evidence."""

import json
import re

import pytest

from alfine.core.history import History
from alfine.criteria import criterion_from_text
from alfine.jobs.analysis.criterion_advice import CANDIDATES, advise
from alfine.jobs.home import Home
from alfine.jobs.policy_for import replayed
from alfine.store.records import Record
from tests.building import EPOCH, history, one_job, spec
from tests.cli.conftest import alfine_cli

MENU = ("BestObjectiveNotImproving 3", "BestObjectiveNotImproving 8", "MaxNumberOfTrainingJobs 25")
EARLY = [5.0, 4.0, 1.0] + [2.0] * 27  # the best comes third
LATE = [5.0, 4.0, *[4.0] * 5, 1.0, *[2.0] * 22]  # the best comes eighth, after a plateau of five

NEAR_0 = [value - 1 + 1e-12 for value in LATE[:20]]
OTHER = {"metric": "other"}
JOBS = [
    ("early", EARLY, {}),
    ("late", LATE, {}),
    ("short", EARLY[:5], {}),
    ("near-0", NEAR_0, {}),
    ("other", LATE[:20], OTHER),
]


def test_what_a_rule_would_have_meant_is_what_replay_says():
    record = history(LATE)
    advice = advise([record], candidates=MENU)
    for rule in advice.candidates:
        (outcome,) = rule.outcomes
        alone = replayed(record, [criterion_from_text(rule.text)])
        assert outcome.training_jobs == alone.training_jobs
        assert outcome.share_of_seconds == pytest.approx(alone.training_seconds / record.training_seconds)
        assert outcome.missed == pytest.approx(alone.missed)


def test_the_rule_that_runs_least_without_missing_is_recommended():
    assert advise([history(EARLY)] * 3, candidates=MENU).recommended.text == "BestObjectiveNotImproving 3"
    advice = advise([history(EARLY), history(LATE)], candidates=MENU)
    assert advice.recommended.text == "BestObjectiveNotImproving 8"
    hasty = next(rule for rule in advice.candidates if rule.text.endswith(" 3"))
    assert (hasty.misses, hasty.worst.missed) == (1, 3.0)
    assert advise([history(EARLY), history(LATE)], candidates=MENU, risk=0.5).recommended is hasty or hasty.misses == 1


def test_few_jobs_prove_little():
    rule = advise([history(EARLY)] * 3, candidates=MENU).recommended
    assert rule.rate_at_most == pytest.approx(1 - 0.05 ** (1 / 3))


def test_short_jobs_are_left_out_and_without_any_other_there_is_nothing_to_learn():
    advice = advise([history(EARLY[:10])], candidates=MENU)
    assert advice.left_out == ("job",)
    assert (advice.candidates, advice.recommended) == ((), None)


@pytest.fixture
def home(tmp_path):
    with Home(tmp_path) as opened:
        for name, values, words in JOBS:
            past = History(spec(name=name, **words), EPOCH)
            facts = []
            for value in values:
                for fact in one_job(past, value):
                    past.record(fact)
                    facts.append(fact)
            facts = [_renamed(fact, name) for fact in facts]
            opened.service.take_over(
                Record(spec=past.spec, created_at=EPOCH, ended_at=past.now, status="Completed", facts=tuple(facts))
            )
    return tmp_path


def _renamed(fact, name):
    from dataclasses import replace

    return replace(fact, name=f"{name}-{fact.name}") if hasattr(fact, "name") else fact


def test_the_command_shows_the_evidence(home):
    shown = alfine_cli(home, "advise", "early", "late", "short")
    assert shown.exit_code == 0, shown.output
    assert "on average over 2 recorded jobs" in shown.stdout
    assert "Recommended: --criterion" in shown.stdout
    assert "because they have too few results: short." in shown.stdout
    assert "would have saved nothing: " in shown.stdout


def test_the_command_gives_json_and_fails_without_anything_to_learn_from(home):
    found = json.loads(alfine_cli(home, "advise", "early", "--json").stdout)
    assert found["Recommended"] == found["Rules"][0]["Criterion"]
    assert len(found["Rules"][0]["Jobs"]) == 1
    assert alfine_cli(home, "advise", "short").exit_code == 1


def at_80_columns(home, monkeypatch, *names):
    """The row of the most hasty criterion, and all that the command shows on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    shown = re.sub("\x1b.*?m", "", alfine_cli(home, "advise", *names).stdout)
    assert max(map(len, shown.splitlines())) <= 80
    return " ".join(next(line for line in shown.splitlines() if "Improving 5 " in line).split()[2:]), shown


def test_a_loss_is_in_units_of_the_objective_where_the_best_is_near_0_and_names_stay_whole(home, monkeypatch):
    row, shown = at_80_columns(home, monkeypatch, "near-0", "other")
    assert row == "35 % – 3 2 of 2"
    assert "A loss without % is in units of the objective" in shown
    assert "–: losses of different objectives have no mean." in shown
    assert set(re.findall(r"[A-Z]\w+(?= |\()", " ".join(CANDIDATES))) <= set(re.findall(r"\w+", shown))


def test_the_mean_of_losses_of_one_objective_is_in_its_units():
    hasty = advise([history(NEAR_0), history(EARLY)], candidates=MENU).candidates[0]
    assert (hasty.mean_loss, [outcome.is_share for outcome in hasty.outcomes]) == (1.5, [False, True])
    assert (hasty.worst.loss, hasty.worst.missed) == (3.0, pytest.approx(3e12, rel=1e-3))
