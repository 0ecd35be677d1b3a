"""The forecast: what the rest of the budget would bring, and when which criterion will end the job."""

import json

import numpy as np
import pytest

from alfine import (
    AllOf,
    BestObjectiveNotImproving,
    ConvergenceDetected,
    Deadline,
    MaxCost,
    MaxNumberOfTrainingJobs,
    MaxRuntimeInSeconds,
    NotBefore,
    Shadow,
    Steady,
    TargetObjectiveMetricValue,
)
from alfine.criteria.forecast import forecast_of
from alfine.criteria.future import Future
from alfine.jobs.policy_for import policy_for
from tests.building import history, one_job

FALLING = [1.0 + 1.0 / n for n in range(1, 21)]
WORDS = {"max_training_jobs": 60, "price_per_hour": 3600.0}


def forecast(*criteria, values=FALLING, **words):
    return forecast_of(history(values, **{**WORDS, **words}), criteria)


def test_limits_are_forecast_exactly():
    assert forecast(MaxNumberOfTrainingJobs(60)).training_jobs == (40, 40, 40)
    assert forecast(MaxRuntimeInSeconds(50)).training_jobs == (30, 30, 30)
    assert forecast(Deadline(30)).training_jobs == (10, 10, 10)
    assert forecast(MaxCost(25)).training_jobs == (5, 5, 5)


def test_time_and_money_follow_from_the_training_jobs():
    found = forecast(MaxNumberOfTrainingJobs(60), max_parallel=2)
    assert found.seconds == (20, 20, 20)
    assert found.money == (40, 40, 40)


def test_the_first_criterion_to_end_the_job_is_named_with_its_chance():
    found = forecast(MaxNumberOfTrainingJobs(60), MaxRuntimeInSeconds(50))
    assert found.chances == {"MaxRuntimeInSeconds": 1.0}
    mixed = forecast(MaxNumberOfTrainingJobs(60), BestObjectiveNotImproving(8))
    assert sum(mixed.chances.values()) == pytest.approx(1.0)


def test_patience_that_has_nearly_run_out_ends_soon_and_improvements_delay_it():
    flat = [2.0] * 5 + [1.0] + [1.5] * 14
    soon = forecast(BestObjectiveNotImproving(15), values=flat)
    assert soon.training_jobs[0] == 1
    assert forecast(BestObjectiveNotImproving(30), values=flat).training_jobs[0] == 16
    low, middle, high = forecast(BestObjectiveNotImproving(6)).training_jobs
    assert 1 <= low <= middle <= high <= 40


def test_what_the_rest_gains_is_a_range_around_its_mean():
    low, mean, high = forecast(MaxNumberOfTrainingJobs(60)).gain
    assert 0 <= low <= mean <= high
    longer = forecast(MaxNumberOfTrainingJobs(60), max_training_jobs=200).gain
    assert longer[1] > mean


def test_a_target_far_away_is_unlikelier_than_a_near_one():
    near = forecast(TargetObjectiveMetricValue(1.04), MaxNumberOfTrainingJobs(60)).chances
    far = forecast(TargetObjectiveMetricValue(-5.0), MaxNumberOfTrainingJobs(60)).chances
    assert near.get("TargetObjectiveMetricValue", 0) > far.get("TargetObjectiveMetricValue", 0)


def test_the_nearer_a_target_is_the_likelier_it_is_also_within_a_hair_of_the_best():
    future = Future(history(FALLING, **WORDS))
    steps = [1e-15, 1e-9, 1e-6, 1e-4, 1e-3, 1e-2, 0.1, 1.0]
    met = [np.isfinite(future.ends(TargetObjectiveMetricValue(min(FALLING) - step))).mean() for step in steps]
    assert met[0] == pytest.approx(met[3], abs=0.1)
    assert met[0] > 0.5 > met[-1]
    assert np.isfinite(future.ends(TargetObjectiveMetricValue(min(FALLING)))).all()


def test_criteria_made_of_others_are_forecast_from_their_parts():
    assert forecast(AllOf(MaxRuntimeInSeconds(50), MaxNumberOfTrainingJobs(60))).training_jobs == (40, 40, 40)
    assert forecast(NotBefore(MaxRuntimeInSeconds(30), training_jobs=45)).training_jobs == (25, 25, 25)
    assert forecast(Steady(MaxRuntimeInSeconds(30), times=3)).training_jobs == (12, 12, 12)


def test_the_one_that_ends_it_is_named_as_its_verdict_is_and_of_several_of_one_kind_the_first_counts():
    floors = [NotBefore(MaxRuntimeInSeconds(30), training_jobs=n) for n in (41, 55)]
    found = forecast(*floors, Steady(BestObjectiveNotImproving(50), times=2))
    assert found.training_jobs[1] == forecast(floors[0]).training_jobs[1]
    assert {*found.chances} <= {"MaxRuntimeInSeconds", "BestObjectiveNotImproving"}
    assert forecast(Shadow(MaxRuntimeInSeconds(30))).training_jobs is None


def test_before_ten_objectives_only_limits_are_forecast():
    found = forecast(ConvergenceDetected(), MaxNumberOfTrainingJobs(60), values=FALLING[:4])
    assert found.gain is None
    assert found.chances == {"MaxNumberOfTrainingJobs": 1.0}


def test_it_is_the_same_at_every_asking_and_plain_json():
    past = history(FALLING, **WORDS)
    criteria = (ConvergenceDetected(), BestObjectiveNotImproving(9), MaxNumberOfTrainingJobs(60))
    found = forecast_of(past, criteria)
    assert found == forecast_of(history(FALLING, **WORDS), criteria)
    numbers = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert set(numbers) == {"Remaining", "Gain", "TrainingJobs", "Seconds", "Money", "Chances"}


def test_scaling_the_objective_scales_the_gain_alone():
    found = forecast(MaxNumberOfTrainingJobs(60), BestObjectiveNotImproving(9))
    scaled = forecast(MaxNumberOfTrainingJobs(60), BestObjectiveNotImproving(9), values=[1000 * v for v in FALLING])
    assert np.allclose(np.array(scaled.gain), 1000 * np.array(found.gain), rtol=1e-6)
    assert scaled.training_jobs == found.training_jobs


def test_times_that_vary_make_a_range_and_a_limit_bounds_it():
    def varied(**words):
        past = history(**words)
        for n in range(20):
            for fact in one_job(past, 1.0, seconds=1.0 + n % 3):
                past.record(fact)
        return forecast_of(past, policy_for(past.spec).criteria)

    low, middle, high = varied(max_training_jobs=60).seconds
    assert low < middle < high
    assert 65 < middle < 95  # 40 more of 2 seconds
    assert varied(max_training_jobs=60).training_jobs == (40, 40, 40)
    few, many = varied(max_training_jobs=22).seconds, varied(max_training_jobs=60).seconds
    assert few[2] / few[1] > many[2] / many[1]  # of a few the mean is less sure
    assert varied(max_training_jobs=60, max_runtime_seconds=100).seconds[2] <= 61


@pytest.mark.parametrize("limit", [10_000, 10**6, 2**31 - 1])
def test_a_forecast_takes_bounded_memory_however_large_the_limit_is(limit):
    future = Future(history(FALLING, max_training_jobs=limit))
    assert future.jobs[-1] == future.rem == limit - 20
    assert future.improves.shape[1] < 2000
    assert future.after_quiet(5, 2)[0] >= 3
    future.improves[:] = False
    assert (future.after_quiet(4321, 2) == 4319).all()
    assert forecast(ConvergenceDetected(), max_training_jobs=limit).training_jobs is not None


def test_a_forecast_looks_after_every_training_job_of_a_usual_budget():
    future = Future(history(FALLING, max_training_jobs=1020))
    assert future.jobs.tolist() == [*range(1, 1001)]
