"""What every completion criterion owes, whichever it is: the suite runs over the table."""

import dataclasses
import json
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alfine.core.errors import InvalidSpec
from alfine.core.judge import Judge
from alfine.core.policy import Policy
from alfine.core.protocols import verdict_of
from alfine.core.verdict import Outlook, Verdict
from alfine.criteria import ALWAYS, criteria_for, criterion_from_text, table, text_format
from alfine.criteria.future import Future
from alfine.strategies.random import Random
from tests.building import history, request, spec

EXAMPLES = {
    "TargetObjectiveMetricValue": "TargetObjectiveMetricValue 0.25",
    "BestObjectiveNotImproving": "BestObjectiveNotImproving 5",
    "ConvergenceDetected": "ConvergenceDetected epsilon=0.02 delta=0.1",
    "MaxNumberOfTrainingJobs": "MaxNumberOfTrainingJobs 12",
    "MaxRuntimeInSeconds": "MaxRuntimeInSeconds 17",
    "MaxCost": "MaxCost 0.004",
    "MarginalValue": "MarginalValue 0.01",
    "Deadline": "Deadline 12.5 active=true",
    "AllOf": "AllOf(BestObjectiveNotImproving 3, MaxRuntimeInSeconds 6)",
    "AnyOf": "AnyOf of TargetObjectiveMetricValue -2 / BestObjectiveNotImproving 7 strict=true end",
    "AtLeast": "AtLeast(2, ConvergenceDetected delta=0.1, BestObjectiveNotImproving 3, AllOf(Deadline 2026-01-01T00:00:11+00:00))",
    "NotBefore": "NotBefore(BestObjectiveNotImproving 3, training_jobs=8, seconds=9.5)",
    "Steady": "Steady(TargetObjectiveMetricValue 0.5, times=4)",
    "Shadow": "Shadow(Steady(BestObjectiveNotImproving 3))",
}
CRITERIA = [criterion_from_text(text) for text in EXAMPLES.values()]
ALL = CRITERIA + [each for each in (kind.from_spec(spec()) for kind in ALWAYS) if each is not None]
TAG_VALUE = r"[\w\s.:/=+\-@]*"  # what AWS lets a tag have
objectives = st.lists(st.one_of(st.none(), st.floats(-1e3, 1e3, allow_nan=False)), max_size=25)


COUNTED = r"(?:more |other |of the first )*(?:training jobs?|objectives?|configurations?|failures?|attempts?|criteria|times)\b"
NEGATIVE = re.compile(rf"-\d+ {COUNTED}")
ONE_OF_MANY = re.compile(
    r"(?<![\d.,\u202f])1 (?:more |other )?(?:training jobs|objectives|configurations|failures|attempts)\b"
)
AMOUNTS = {"target", "best", "best_then", "resets_at"}  # in units of the objective, which may be negative
ABSURD = [
    "abc",
    "-3",
    "0",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1e-400",
    "2.5",
    "true",
    "''",
    "None",
    "9" * 40,
    "=",
    "(",
    "1 2 3",
]


def expect_sense(verdict):
    """What every verdict owes, and its parts."""
    words = f"{verdict.sentence} {verdict.would_change}"
    assert verdict.sentence.strip().endswith((".", "»")), verdict
    assert verdict.would_change.endswith("."), verdict
    assert "nan" not in words.split(), verdict
    assert not NEGATIVE.search(words), verdict
    assert not ONE_OF_MANY.search(words), verdict
    assert 0.0 <= verdict.progress <= 1.0, verdict
    for key, value in json.loads(json.dumps(dict(verdict.evidence), allow_nan=False)).items():
        assert not isinstance(value, int | float) or value >= 0 or key in AMOUNTS, verdict
    for part in verdict.parts:
        expect_sense(part)


def test_every_criterion_of_the_table_is_in_this_suite():
    assert set(EXAMPLES) == set(table())


@pytest.mark.parametrize("text", EXAMPLES.values(), ids=str)
def test_a_criterion_survives_the_request(text):
    criterion = criterion_from_text(text)
    words = {"criteria": [criterion, *CRITERIA], "price_per_hour": 2.0}
    assert criterion in criteria_for(spec(**words))
    tags = request(**words)["Tags"]
    assert all(len(tag["Value"]) <= 256 and re.fullmatch(TAG_VALUE, tag["Value"]) for tag in tags)
    json.dumps(tags)


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda c: type(c).__name__)
def test_what_it_says_of_itself_is_read_as_itself(criterion):
    assert criterion_from_text(text_format.say(criterion)) == criterion


@pytest.mark.parametrize("criterion", ALL, ids=lambda c: type(c).__name__)
@settings(max_examples=15)
@given(values=objectives)
def test_asked_twice_it_answers_the_same(criterion, values):
    past = history(values, price_per_hour=2.0)
    assert criterion.check(past) == criterion.check(past) == criterion.check(history(values, price_per_hour=2.0))


@pytest.mark.parametrize("criterion", ALL, ids=lambda c: type(c).__name__)
@settings(max_examples=20)
@given(values=objectives)
@example(values=[None] * 8)
@example(values=[None])
@example(values=[1.0])
@example(values=[2.0, 1.0] * 8)
def test_after_every_fact_a_verdict_says_how_near_it_is_and_what_would_change_it(criterion, values):
    record = history(values, price_per_hour=2.0, max_training_jobs=13)
    for _, past in record.replayed():
        verdict = criterion.check(past)
        expect_sense(verdict)
        assert any(isinstance(value, int | float | None) for value in verdict.evidence.values()), verdict
        assert Verdict.from_dict(json.loads(json.dumps(verdict.as_dict()))).would_change == verdict.would_change


def read(text):
    """The criterion, or what is wrong with the text: never another error."""
    try:
        return criterion_from_text(text), ()
    except InvalidSpec as error:
        return None, error.faults


def absurd_texts(name, text):
    """The name alone, and the example with each setting in turn replaced by what makes no sense there, or nearly none."""
    yield name
    for setting in re.finditer(r"(?<=[ =(])-?[\w.:+-]*\d[\w.:+-]*|true", text):
        for value in ABSURD:
            yield text[: setting.start()] + value + text[setting.end() :]


@pytest.fixture(scope="module")
def pasts():
    values = ([], [1.0], [None] * 6, [1.0 / n for n in range(1, 13)])
    return [history(each, price_per_hour=2.0, max_training_jobs=13) for each in values]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_setting_that_makes_no_sense_is_refused_in_words_or_leads_to_verdicts_that_do(name, pasts):
    for text in dict.fromkeys(absurd_texts(name, EXAMPLES[name])):
        criterion, faults = read(text)
        assert all(fault.path and fault.message.endswith(".") for fault in faults), text
        for past in pasts if criterion else ():
            expect_sense(criterion.check(past))
            assert not np.isnan(Future(past).ends(criterion)).any(), text


@pytest.mark.parametrize("criterion", ALL, ids=lambda c: type(c).__name__)
@settings(max_examples=15)
@given(values=objectives, cut=st.integers(1, 9))
def test_how_facts_are_grouped_changes_nothing(criterion, values, cut):
    record = history(values, price_per_hour=2.0)
    policy = Policy(strategy=Random(), criteria=(criterion,))
    judges = [Judge(record.under(record.spec), policy) for _ in range(2)]
    judges[0].record(record.facts)
    for first in range(0, len(record.facts), cut):
        judges[1].record(record.facts[first : first + cut])
    assert judges[0].verdict == judges[1].verdict
    assert judges[0].judged_at == judges[1].judged_at


class Broken:
    def check(self, history):
        raise ZeroDivisionError("division by zero")


def test_a_criterion_that_cannot_judge_says_so_and_the_job_goes_on():
    verdict = Policy(strategy=Random(), criteria=(Broken(),)).verdict(history([1.0]))
    assert verdict.outlook is Outlook.CONTINUE
    assert verdict.sentence == "Broken could not be judged: ZeroDivisionError: division by zero"


@pytest.mark.parametrize("criterion", ALL, ids=lambda c: type(c).__name__)
@settings(max_examples=10)
@given(values=objectives)
def test_a_verdict_survives_the_store(criterion, values):
    verdict = verdict_of(criterion, history(values, price_per_hour=2.0))
    again = Verdict.from_dict(json.loads(json.dumps(verdict.as_dict())))
    assert again == dataclasses.replace(verdict, ask_again_at=None, parts=again.parts)
    assert [part.criterion for part in again.parts] == [part.criterion for part in verdict.parts]


def test_a_combinations_parts_stand_in_the_evidence_as_clients_and_older_homes_have_them():
    verdict = criterion_from_text(EXAMPLES["AllOf"]).check(history([1.0, 2.0]))
    written = verdict.as_dict()
    assert [part["criterion"] for part in written["evidence"]["criteria"]] == [part.criterion for part in verdict.parts]
    assert "parts" not in written
    read = Verdict.from_dict(written)
    assert (read.needed, [part.sentence for part in read.parts]) == (2, [part.sentence for part in verdict.parts])
    assert "criteria" not in read.evidence


def test_evidence_of_another_package_that_is_called_criteria_stays_evidence():
    for theirs in (["a", "b"], [{"a": 1}], ["the outlook"], {"outlook": "good"}):
        verdict = Verdict(outlook=Outlook.CONTINUE, criterion="Theirs", sentence=".", evidence={"criteria": theirs})
        assert Verdict.from_dict(verdict.as_dict()) == verdict


def test_a_verdict_that_an_earlier_version_recorded_is_read():
    """As the store of a home has it that was made before verdicts had parts."""
    target = {
        "outlook": "STOP",
        "criterion": "TargetObjectiveMetricValue",
        "sentence": "It has.",
        "evidence": {"best": 1},
    }
    target |= {"status": "Completed", "progress": 1.0, "would_change": "Nothing."}
    evidence = {"met": 1, "needed": 1, "missing": 0, "criteria": [target], "met_in_a_row": 3}
    verdict = Verdict.from_dict({**target, "criterion": "AnyOf", "evidence": evidence})
    assert (verdict.needed, verdict.parts) == (1, (Verdict.from_dict(target),))
    assert verdict.evidence == {"met": 1, "needed": 1, "missing": 0, "met_in_a_row": 3}
    assert verdict.as_dict()["evidence"] == {**verdict.evidence, "criteria": [target]}
