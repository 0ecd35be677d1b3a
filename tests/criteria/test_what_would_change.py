"""What a verdict says would change it does change it, and nothing less does."""

import math

import pytest

from alfine import (
    AllOf,
    BestObjectiveNotImproving,
    ConvergenceDetected,
    Deadline,
    MarginalValue,
    MaxCost,
    MaxNumberOfTrainingJobs,
    NotBefore,
    Shadow,
    Steady,
    TargetObjectiveMetricValue,
)
from alfine.core.verdict import Outlook
from alfine.criteria.no_training_job_succeeded import NoTrainingJobSucceeded
from tests.building import history, one_job

HOURLY = 3600.0
FALLING = [1.0 / n for n in range(1, 31)]


def resets_at(criterion, values, **words):
    return criterion.check(history(values, **words)).evidence["resets_at"]


@pytest.mark.parametrize("goal", ["Minimize", "Maximize"])
@pytest.mark.parametrize("reference", [0.5, -0.5, 0.0])
def test_the_objective_that_a_patient_rule_names_is_the_least_that_begins_its_count_anew(goal, reference):
    rule, step = BestObjectiveNotImproving(5), 1e-9 if goal == "Minimize" else -1e-9
    worse = [reference, reference, reference]
    named = resets_at(rule, worse, goal=goal)
    enough, short = (
        rule.check(history([*worse, value], goal=goal)).evidence["not_improving"]
        for value in (named - step, named + step)
    )
    assert (enough, short) == (0, 3)


def test_a_patient_rule_says_it_in_words_and_numbers():
    verdict = BestObjectiveNotImproving(5).check(history([1.0, 2.0, 2.0]))
    assert verdict.evidence["left"] == 3
    assert verdict.would_change == (
        "An objective of at most 0.99 within the next 3 restarts the count; without one the job ends then."
    )
    strict = BestObjectiveNotImproving(5, strict=True).check(history([1.0] * 5, goal="Maximize"))
    assert strict.would_change.startswith("An objective above 1 as the next one restarts the count")


def test_the_objective_that_convergence_names_brings_about_the_chance_that_it_says():
    values = [0.2 + 0.8 * 0.8**n for n in range(40)] + [0.2] * 30
    words = {"max_training_jobs": 200}
    before = ConvergenceDetected(delta=0.001).check(history(values, **words)).evidence
    improved = [*values, before["resets_at"] - 0.1 * before["epsilon"]]  # with the chance of noise a bit more is needed
    after = ConvergenceDetected(delta=0.001).check(history(improved, **words)).evidence
    said, came = before["probability_after_improvement"], after["probability_of_improvement"]
    assert before["probability_of_improvement"] < said
    assert abs(math.log(said / (1 - said)) - math.log(came / (1 - came))) < 1.0


def test_the_worth_at_which_going_on_breaks_even_is_where_the_answer_turns():
    words = {"price_per_hour": HOURLY, "max_training_jobs": 60}
    turns = MarginalValue(1e6).check(history(FALLING, **words)).evidence["breaks_even_at"]
    below, above = (MarginalValue(turns * share).check(history(FALLING, **words)) for share in (0.99, 1.01))
    assert (below.outlook, above.outlook) == (Outlook.STOP, Outlook.CONTINUE)
    assert below.evidence["breaks_even_at"] == pytest.approx(turns)


def test_money_and_time_say_how_many_more_training_jobs_they_allow():
    past = history([1.0] * 3, price_per_hour=HOURLY)
    assert MaxCost(7.5).check(past).evidence["training_jobs_left"] == 4
    assert Deadline(9.5).check(past).evidence["training_jobs_left"] == 6
    slow = history()
    for fact in one_job(slow, 1.0, seconds=4.0):
        slow.record(fact)
    assert Deadline(13.5).check(slow).evidence["training_jobs_left"] == 2
    assert "about 4 more" in MaxCost(7.5).check(past).would_change
    assert MaxCost(7.5).check(history([1.0] * 7, price_per_hour=HOURLY)).outlook is Outlook.DRAIN


def test_limits_and_targets_name_what_is_missing():
    past = history([1.0, 0.5, None])
    assert MaxNumberOfTrainingJobs(12).check(past).evidence["left"] == 9
    assert TargetObjectiveMetricValue(0.25).check(past).would_change == (
        "One objective of at most 0.25 ends the job; nothing else does."
    )
    lifted = NoTrainingJobSucceeded().check(past)
    assert lifted.evidence["succeeded"] == 2
    assert lifted.would_change.startswith("Nothing: the rule only applies until the first objective")


def test_what_is_made_of_others_names_the_part_that_is_missing():
    past = history([1.0] * 4)
    both = AllOf(BestObjectiveNotImproving(3), TargetObjectiveMetricValue(0.5)).check(past)
    assert both.evidence["missing"] == 1
    assert both.would_change.startswith(
        "1 more must be met, the nearest first. TargetObjectiveMetricValue: One objective"
    )
    steady = Steady(BestObjectiveNotImproving(3), times=3).check(past)
    assert steady.would_change.startswith(
        "It must be met after 2 more training jobs, too; one after which it isn't restarts"
    )
    floor = NotBefore(BestObjectiveNotImproving(3), training_jobs=9).check(past)
    assert (floor.outlook, floor.evidence["training_jobs_to_floor"]) == (Outlook.CONTINUE, 5)
    shadow = Shadow(TargetObjectiveMetricValue(0.5)).check(past)
    assert shadow.would_change.startswith("It only observes and never ends the job.")
