"""AllOf, AnyOf, AtLeast, NotBefore, Steady, Shadow: criteria made of others, and how they are written."""

from functools import partial

import pytest

from alfine import (
    AllOf,
    AnyOf,
    AtLeast,
    BestObjectiveNotImproving,
    ConvergenceDetected,
    Deadline,
    InvalidSpec,
    MaxNumberOfTrainingJobs,
    MaxRuntimeInSeconds,
    NotBefore,
    Shadow,
    Steady,
    TargetObjectiveMetricValue,
)
from alfine.core.policy import Policy
from alfine.core.protocols import name_of
from alfine.core.read_spec import read_spec
from alfine.core.replay import replay
from alfine.core.verdict import Outlook
from alfine.criteria import criteria_for, criterion_from_text, text_format
from alfine.jobs.policy_for import policy_for, replayed
from alfine.strategies.random import Random
from tests.building import at, history, one_job, spec

PATIENCE, TARGET = BestObjectiveNotImproving(3), TargetObjectiveMetricValue(0.5)
FLAT = [5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 0.4, 0.4, 0.4, 0.4, 0.4]  # the patience of 3 runs out with the fifth


def ends_after(criterion, values=FLAT, **words):
    return replayed(history(values, **words), [criterion]).training_jobs


def test_all_of_waits_for_the_last_and_any_of_for_the_first():
    assert ends_after(PATIENCE) == 5
    assert ends_after(TARGET) == 7
    assert ends_after(AnyOf(PATIENCE, TARGET)) == 5
    assert ends_after(AllOf(PATIENCE, TARGET)) == 10  # the seventh starts the patience anew
    assert ends_after(AtLeast(2, PATIENCE, TARGET, MaxRuntimeInSeconds(7))) == 7


def test_they_nest_and_say_what_each_part_says():
    rule = AllOf(AnyOf(PATIENCE, TARGET), NotBefore(MaxRuntimeInSeconds(2), training_jobs=9))
    verdict = replayed(history(FLAT), [rule]).verdict
    assert verdict.criterion == "AllOf"
    assert verdict.outlook is Outlook.STOP
    assert verdict.evidence["met"] == verdict.evidence["needed"] == 2
    assert "AnyOf: 1 of 2 met, 1 needed" in verdict.sentence
    assert "9 of 9 seconds" in verdict.sentence or "MaxRuntimeInSeconds" in verdict.sentence


def test_a_combination_ends_as_its_strongest_part_does():
    past = history([1.0] * 4)
    assert AllOf(MaxNumberOfTrainingJobs(4), MaxNumberOfTrainingJobs(3)).check(past).outlook is Outlook.DRAIN
    assert AllOf(MaxNumberOfTrainingJobs(4), PATIENCE).check(past).outlook is Outlook.STOP


def test_progress_is_that_of_the_part_that_is_still_needed():
    past = history([1.0, 1.0])
    far, near = MaxNumberOfTrainingJobs(20), MaxNumberOfTrainingJobs(4)
    assert AllOf(far, near).check(past).progress == 0.1
    assert AnyOf(far, near).check(past).progress == 0.5


@pytest.mark.parametrize(
    ("floor", "after"), [({"training_jobs": 8}, 9), ({"seconds": 9.5}, 10), ({}, 5)], ids=["jobs", "seconds", "none"]
)
def test_not_before_is_a_floor_in_training_jobs_or_seconds(floor, after):
    flat = [5.0] + [4.0] * 7 + [4.0] * 7
    found = replayed(history(flat), [NotBefore(PATIENCE, **floor)])
    assert (found.training_jobs, found.verdict.criterion) == (
        {"jobs": 8, "seconds": 10}.get(next(iter(floor), "")[-4:], after) if floor else after,
        "BestObjectiveNotImproving",
    )


def test_steady_needs_several_training_jobs_in_a_row():
    values = [3.0, 1.0, 3.0, 1.0, 1.0, 1.0]
    target = TargetObjectiveMetricValue(1.0)
    assert ends_after(target, values) == 2
    assert ends_after(Steady(target, times=3), values) == 4  # the best stays best
    assert ends_after(Steady(PATIENCE, times=2), [5.0, 4.0, 4.0, 4.0, 4.0, 2.0, 2.0, 2.0, 2.0, 2.0]) == 10


def test_steady_answers_the_same_whether_asked_after_every_training_job_or_once():
    rule = Steady(ConvergenceDetected(delta=0.5), times=2)
    record = history([1.0] * 14, max_training_jobs=60)
    live = replay(record, Policy(strategy=Random(), criteria=(rule,)))
    once = rule.check(record.upto(live.facts))
    assert live.verdict.outlook is Outlook.STOP
    assert once == live.verdict


def test_a_shadow_never_ends_the_job_and_tells_when_it_would_have():
    shadow = Shadow(PATIENCE)
    record = history(FLAT)
    live = replay(record, Policy(strategy=Random(), criteria=(shadow,)))
    assert live.training_jobs == len(FLAT)
    verdict = shadow.check(live.history)
    assert verdict.outlook is Outlook.CONTINUE
    assert verdict.evidence["would_have_ended_after_training_jobs"] == 5
    assert verdict.evidence["missed"] == pytest.approx(3.6)
    assert verdict == shadow.check(history(FLAT))  # a restart, which looks back, finds the same
    assert verdict.as_dict()["watching"] is True


@pytest.mark.parametrize("criterion", [Shadow(PATIENCE), Steady(PATIENCE), Deadline(20, active=True)], ids=name_of)
def test_with_launches_that_are_only_imagined_it_says_the_same_then_and_later(criterion):
    past, alone = history(FLAT[:6]), history(FLAT[:6])
    criterion.check(past)
    imagined = past.with_running([past.spec.space.sample(past.rng(number)) for number in range(3)])
    assert criterion.check(imagined).sentence == criterion.check(past).sentence == criterion.check(alone).sentence
    for fact in one_job(past, 7.0, seconds=3.0):
        past.record(fact)
        alone.record(fact)
        assert criterion.check(past) == criterion.check(alone)


def test_a_shadow_isnt_shown_as_the_criterion_that_is_nearest():
    policy = policy_for(spec(criteria=[Shadow(PATIENCE), MaxNumberOfTrainingJobs(50)]))
    assert policy.verdict(history(FLAT)).criterion == "MaxNumberOfTrainingJobs"


@pytest.mark.parametrize(
    "text",
    [
        "AllOf(BestObjectiveNotImproving 10, ConvergenceDetected delta=0.1)",
        "AllOf( BestObjectiveNotImproving(10), ConvergenceDetected(delta=0.1) )",
        "AllOf of BestObjectiveNotImproving 10 / ConvergenceDetected delta=0.1 end",
    ],
)
def test_a_combination_is_written_in_several_ways(text):
    assert criterion_from_text(text) == AllOf(BestObjectiveNotImproving(10), ConvergenceDetected(delta=0.1))


def test_the_older_ways_of_writing_settings_still_hold():
    assert criterion_from_text("ConvergenceDetected:epsilon=0.005,delta=0.1") == ConvergenceDetected(0.005, 0.1)
    assert criterion_from_text("BestObjectiveNotImproving(10, strict=true)") == BestObjectiveNotImproving(
        10, strict=True
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("AllOf(BestObjectiveNotImproving 10", "a bracket isn't closed"),
        ("AllOf(BestObjectiveNotImproving 10))", "after its end"),
        ("AllOf(BestObjectiveNotimproving 10)", "'BestObjectiveNotimproving'"),
        ("AllOf()", "needs 1 or more"),
        ("AtLeast(3, Shadow(BestObjectiveNotImproving 10), ConvergenceDetected)", "needs 3 or more"),
        ("AtLeast(0, ConvergenceDetected)", "whole number from 1 on"),
        ("Steady(ConvergenceDetected, MaxRuntimeInSeconds 5)", "Steady: takes one criterion, not 2 criteria"),
        ("Steady(ConvergenceDetected, times=0)", "whole number from 1 on"),
        ("NotBefore(ConvergenceDetected, training_jobs=-1)", "number from 0 on"),
        ("Convergence", "Did you mean ConvergenceDetected?"),
        (
            "ConvergenceDetected dleta=0.1",
            "criterion ConvergenceDetected: 'dleta' isn't one of its settings. Did you mean delta?",
        ),
        ("MaxCost 3 4", "criterion MaxCost: '4' is one setting too many. Its settings: limit."),
        ("MaxCost", "criterion MaxCost: needs limit. Its settings: limit."),
        ("MaxCost -3", "criterion MaxCost: limit -3 must be a number above 0. Its settings: limit."),
        ("Steady(times=2)", "criterion Steady: needs criterion."),
    ],
)
def test_what_cant_be_read_says_why(text, why):
    with pytest.raises(InvalidSpec) as error:
        criterion_from_text(text)
    assert why in str(error.value)


def test_many_criteria_are_spread_over_tags_and_come_back_in_order():
    rules = [NotBefore(BestObjectiveNotImproving(n), training_jobs=n) for n in range(3, 30)]
    found = [each for each in criteria_for(spec(criteria=rules)) if isinstance(each, NotBefore)]
    assert found == rules


def test_a_criterion_may_be_longer_than_a_tag():
    rule = AllOf(
        *(NotBefore(BestObjectiveNotImproving(n, strict=True), training_jobs=n, seconds=0.5) for n in range(3, 12))
    )
    asked = spec(criteria=[rule, Shadow(PATIENCE)])
    assert max(len(tag["Value"]) for tag in asked.request["Tags"]) <= 256
    assert [each for each in criteria_for(asked) if isinstance(each, AllOf | Shadow)] == [rule, Shadow(PATIENCE)]


def test_tags_that_each_hold_whole_criteria_are_read_too():
    asked = dict(spec().request)
    texts = ("Shadow of ConvergenceDetected end", "Shadow of BestObjectiveNotImproving 3 end / Deadline 60")
    asked["Tags"] = [{"Key": f"alfine:criteria{'-2' * n}", "Value": text} for n, text in enumerate(texts)]
    found = criteria_for(read_spec(asked))
    assert found[-3:] == (Shadow(ConvergenceDetected()), Shadow(PATIENCE), Deadline(60))


def test_replay_under_other_criteria_leaves_none_of_the_jobs_own():
    record = history([1.0] * 12, criteria=[NotBefore(PATIENCE, training_jobs=4)])
    assert replayed(record).training_jobs == 4
    assert replayed(record, [TargetObjectiveMetricValue(-1.0)]).verdict.outlook is Outlook.CONTINUE


def test_a_broken_tag_is_refused_by_its_name():
    request = dict(spec().request)
    request["Tags"] = [{"Key": "alfine:criteria", "Value": "AllOf of Nothing end"}]
    with pytest.raises(InvalidSpec, match="Tags.alfine:criteria"):
        policy_for(read_spec(request))


def test_parts_of_names_every_part():
    rule = AllOf(Steady(PATIENCE), AnyOf(TARGET, Shadow(PATIENCE)))
    assert [type(each).__name__ for each in text_format.parts_of(rule)] == [
        *("AllOf", "Steady", "BestObjectiveNotImproving", "AnyOf"),
        *("TargetObjectiveMetricValue", "Shadow", "BestObjectiveNotImproving"),
    ]


@pytest.mark.parametrize(
    "given",
    [
        lambda: AllOf("ConvergenceDetected"),
        lambda: Steady(3),
        lambda: NotBefore(ConvergenceDetected, training_jobs=3),
        lambda: Shadow(None),
        lambda: replayed(history(FLAT), [3]),
        lambda: spec(criteria=[ConvergenceDetected]),
    ],
    ids=["AllOf", "Steady", "NotBefore", "Shadow", "replay", "tune"],
)
def test_what_is_no_criterion_is_told_at_once(given):
    with pytest.raises(InvalidSpec, match=r"isn't a completion criterion, such as ConvergenceDetected\(\)"):
        given()


@pytest.mark.parametrize("given", [AllOf, AnyOf, partial(AtLeast, 1)])
def test_a_list_of_criteria_is_shown_its_place(given):
    with pytest.raises(InvalidSpec, match=r"takes its criteria one by one, \w+\(…, …\), or a list by name"):
        given([PATIENCE, ConvergenceDetected()])


def test_python_takes_one_or_several_and_texts_as_the_command_line_does():
    record = history(FLAT)
    ways = (PATIENCE, "BestObjectiveNotImproving 3", [PATIENCE])
    assert {replayed(record, way).verdict.sentence for way in ways} == {replayed(record, [PATIENCE]).verdict.sentence}
    assert {replayed(record, way).training_jobs for way in ways} == {5}
    rules = ("BestObjectiveNotImproving 3", AllOf(ConvergenceDetected(), TARGET))
    assert {PATIENCE, rules[1]} < {*criteria_for(spec(criteria=rules))}
    with pytest.raises(InvalidSpec, match="Did you mean BestObjectiveNotImproving"):
        spec(criteria="BestObjectiveNotImprovin 3")


def test_not_before_asks_again_when_its_time_has_come():
    verdict = NotBefore(PATIENCE, seconds=100).check(history([5.0] + [4.0] * 7))
    assert verdict.outlook is Outlook.CONTINUE
    assert verdict.ask_again_at == at(100)
