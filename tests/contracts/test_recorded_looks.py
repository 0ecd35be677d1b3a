"""What criteria say after each fact of the jobs in recorded_pasts.py is what looks.json says: whoever changes it, means to.

`python -m tests.contracts.test_recorded_looks` writes the file anew; git then shows what the change means for users.
"""

import json
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from alfine.core.protocols import verdict_of
from alfine.core.verdict import Outlook
from alfine.criteria import ALWAYS, criterion_from_text
from alfine.criteria.forecast import forecast_of, gain_of
from alfine.criteria.future import Future, chance, score_within
from alfine.criteria.improvement import jobs_until, score_ahead, steps_ahead
from alfine.jobs.policy_for import policy_for
from tests.building import EPOCH
from tests.contracts.recorded_pasts import EVIDENCES, LOOKED_AT
from tests.contracts.test_recorded_verdicts import alike, heard

FILE = Path(__file__).with_name("looks.json")
MOST_LOOKED_AT = 20
"""Training jobs; of a longer one only the last verdict is looked at, since each look fits a model."""

PASTS = {past.__name__: past for past in LOOKED_AT}


def short(verdict):
    """A verdict in a few letters: STOP or DRAIN, its progress, and the second at which it wants to be asked again."""
    outlook = "" if verdict.outlook is Outlook.CONTINUE else f"{verdict.outlook} "
    again = "" if verdict.ask_again_at is None else f"@{(verdict.ask_again_at - EPOCH).total_seconds():g}"
    return f"{outlook}{verdict.progress:.4g}{again}"


def looks(past, criteria):
    """What each criterion says after each fact: how often in a row it says the same."""
    said = {text: [] for text in criteria}
    for _, until_now in past.replayed():
        for text, criterion in criteria.items():
            said[text].append(short(verdict_of(criterion, until_now)))
    return {text: [f"{len([*group])}× {word}" for word, group in groupby(words)] for text, words in said.items()}


def last(past, criterion, future):
    """The last verdict in full, and the ends on possible futures."""
    verdict, ends = verdict_of(criterion, past), future.ends(criterion)
    soon = ends[np.isfinite(ends)]
    quantiles = [float(end) for end in np.quantile(soon, [0.05, 0.5, 0.95])] if len(soon) else []
    flags = {"status": verdict.status} if verdict.status != "Completed" else {}
    numbers = {key: value for key, value in verdict.evidence.items() if value is not None}
    words = [short(verdict), verdict.sentence, verdict.would_change]
    return {"last": words, **numbers, **flags, "ends": [len(soon), int(np.isnan(ends).sum()), *quantiles]}


def said(name):
    past = PASTS[name]()
    future, always = Future(past), {kind.__name__: kind.from_spec(past.spec) for kind in ALWAYS}
    asked = {text: criterion_from_text(text) for text in LOOKED_AT[PASTS[name]]}
    criteria = {text: criterion for text, criterion in [*always.items(), *asked.items()] if criterion is not None}
    seen = looks(past, criteria) if past.ended < MOST_LOOKED_AT else {}
    rows = {text: {"looks": seen.get(text), **last(past, each, future)} for text, each in criteria.items()}
    if future.evidence is not None:
        sizes = [size * future.evidence.spread for size in (0.001, 0.1, 2.0)]
        rows["within"] = [[*future.within(size)[:40:5], *future.within(size)[68::50]] for size in sizes if size]
    policy = policy_for(past.spec)
    rows["forecast"] = forecast_of(past, policy.criteria).as_dict()
    rows["forecast with all"] = forecast_of(past, [*policy.criteria, *asked.values()]).as_dict()
    if future.evidence is None:
        rows["futures"] = heard(past)
    return rows


def chances(name):
    """The numbers that follow from some evidence, for improvements of several sizes."""
    evidence, rows = EVIDENCES[name], {}
    for share in (1e-5, 1e-3, 0.1, 1.0, 1e60):
        size = share * evidence.spread
        improved, of_signals = evidence.improved_by(size), evidence.signals(size)
        rows[f"{share:g} of the spread"] = {
            "p": [evidence.probability(size), chance(evidence, size), improved.probability(size), improved.rem],
            "since, quiet jobs until": [
                evidence.since(size),
                *(jobs_until(evidence, size, d) for d in (0.5, 0.1, 0.01)),
            ],
            "ahead": [*score_ahead(evidence, size, np.arange(1.0 + len(steps_ahead(evidence.rem))))[:4]],
            "within": score_within(evidence, size, horizon=7, quiet=np.array([0.0, 3.0]), ahead=2).tolist(),
            **{signal: of_signals[signal] for signal in ("gap10", "crowd", "promise")},
        }
    return {**rows, "gain": gain_of(evidence), "residual": evidence.expected_residual_improvement()}


def recorded(name):
    numbers = chances(name) if name in EVIDENCES else said(name)
    return json.loads(json.dumps(numbers), parse_float=lambda text: float(f"{float(text):.8g}"))


@pytest.mark.parametrize("name", [*PASTS, *EVIDENCES])
def test_what_criteria_say_after_each_fact_is_what_is_recorded(name):
    before = json.loads(FILE.read_text())[name]
    alike(recorded(name), before, f"{name}: is the change meant? The module says how to record it.")


def written(name):
    """One line for each criterion, so that a diff shows whole verdicts."""
    rows = [f"  {json.dumps(key)}: {json.dumps(row, ensure_ascii=False)}" for key, row in recorded(name).items()]
    inside = ",\n".join(rows)
    return f" {json.dumps(name)}: {{\n{inside}\n }}"


if __name__ == "__main__":
    parts = ",\n".join(map(written, (*PASTS, *EVIDENCES)))
    FILE.write_text(f"{{\n{parts}\n}}\n")
