"""What a job will likely take, by past jobs like it."""

from alfine import BestObjectiveNotImproving, Continuous
from alfine.core.history import History
from alfine.jobs.analysis.similar_jobs import estimate_from_similar_jobs, is_similar
from tests.building import EPOCH, one_job, spec

TWO_SECONDS = {"price_per_hour": 3600.0, "max_training_jobs": 40}


def past(name, values, seconds=2.0, **words):
    found = History(spec(name=name, **words), EPOCH)
    for value in values:
        for fact in one_job(found, value, seconds=seconds):
            found.record(fact)
    return found


def told(asked, *records, **words):
    known = {each.spec.name: each for each in records}
    return estimate_from_similar_jobs(asked, [each.spec for each in records], known.__getitem__, **words)


def test_a_past_job_says_when_the_new_ones_criteria_would_have_ended_it():
    asked = spec(criteria=[BestObjectiveNotImproving(5)], **TWO_SECONDS)
    found = told(asked, past("a", [1.0, *[2.0] * 39]), past("b", [3.0, 2.0, 1.0, *[2.0] * 37]))
    assert found.training_jobs == (6.0, 7.0, 8.0)
    assert found.compute_seconds == (12.0, 14.0, 16.0)
    assert found.money == (12.0, 14.0, 16.0)
    assert dict(found.ended_by) == {"BestObjectiveNotImproving": 2}
    assert (set(found.jobs), found.same) == ({"a", "b"}, True)


def test_parallel_training_jobs_share_the_time_and_not_the_cost():
    asked = spec(criteria=[BestObjectiveNotImproving(5)], max_parallel=2, **TWO_SECONDS)
    found = told(asked, past("a", [1.0, *[2.0] * 39]))
    assert (found.seconds[1], found.compute_seconds[1]) == (6.0, 12.0)


def test_a_record_that_ends_too_soon_is_gone_on_with_by_the_forecast():
    asked = spec(criteria=[BestObjectiveNotImproving(30)], **TWO_SECONDS)
    low, middle, high = told(asked, past("a", [0.9**n for n in range(12)])).training_jobs
    assert 12 < low <= middle <= high <= 40
    assert told(spec(max_training_jobs=9), past("a", [1.0] * 5)).training_jobs == (9.0, 9.0, 9.0)


def test_jobs_with_the_same_data_and_settings_are_preferred():
    asked = spec(static={"rounds": 9}, criteria=[BestObjectiveNotImproving(5)], max_training_jobs=40)
    same, other = (
        past("same", [1.0, *[2.0] * 39], static={"rounds": 9}),
        past("other", [1.0] * 40, static={"rounds": 1}),
    )
    assert told(asked, same, other).jobs == ("same",)
    only = told(asked, other)
    assert (only.jobs, only.same) == (("other",), False)


def test_another_objective_program_or_space_tells_nothing():
    asked = spec(script="train.py")
    assert is_similar(asked, spec(name="past", script="train.py"))
    assert not is_similar(asked, spec(name="past", script="other.py"))
    assert not is_similar(asked, spec(name="past", script="train.py", metric="auc"))
    assert not is_similar(asked, spec(name="past", script="train.py", space={"x": Continuous(0, 1)}))
    assert told(asked, past("past", [1.0], metric="auc")) is None


def test_without_replaying_only_jobs_with_the_same_criteria_are_asked():
    asked = spec(criteria=[BestObjectiveNotImproving(5)], max_training_jobs=40)
    other, same = (
        past("other", [1.0] * 40),
        past("same", [1.0] * 6, criteria=[BestObjectiveNotImproving(5)], max_training_jobs=40),
    )
    assert told(asked, other, replaying=False) is None
    assert told(asked, same, other, replaying=False).training_jobs == (6.0, 6.0, 6.0)


def test_a_limit_in_time_bounds_what_is_likely():
    asked = spec(max_runtime_seconds=10, max_parallel=2, max_training_jobs=30)
    assert told(asked, past("a", [1.0] * 4)).compute_seconds[2] <= 20.0
