import numpy as np
import pytest

from alfine.core.errors import IllegalTransition
from alfine.core.facts import Ended, Launched, Reported, StopAsked
from tests.building import at, history, one_job


def test_the_incumbent_is_the_best_and_the_earliest_of_equals():
    past = history([3.0, 1.0, 2.0, 1.0])
    assert (past.incumbent.number, past.incumbent.objective) == (2, 1.0)


def test_maximising_turns_the_sign():
    past = history([3.0, 1.0, 5.0], goal="Maximize")
    assert past.incumbent.number == 3
    assert past.observations()[1].tolist() == [-3.0, -1.0, -5.0]


def test_a_failed_training_job_is_no_observation():
    past = history([3.0, None, 2.0])
    assert past.ended == 3
    assert past.observations()[1].tolist() == [3.0, 2.0]
    assert past.failed().shape == (1, 3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_an_objective_that_is_not_finite_is_none(value):
    past = history([1.0])
    for fact in one_job(past, value):
        past.record(fact)
    assert past.job(2).objective is None
    assert past.job(2).objective_status == "Failed"


def test_a_stopped_training_job_keeps_its_last_objective():
    past = history([2.0])
    for fact in one_job(past, 1.0, status="Stopped", reports=[1.5, 1.0]):
        past.record(fact)
    assert past.incumbent.number == 2
    assert past.job(2).objective_status == "Succeeded"


def test_the_points_of_running_training_jobs_are_pending():
    past = history([1.0])
    point = {"eta": 0.1, "depth": 3, "booster": "dart"}
    past.record(Launched(at=past.now, number=2, name="job-002", hyperparameters=point))
    assert np.allclose(past.pending(), [past.spec.space.to_unit(point)])


def test_a_launch_into_another_world_leaves_this_one_alone():
    past = history([1.0])
    further = past.with_launch({"eta": 0.1, "depth": 3, "booster": "dart"})
    assert (past.launches, further.launches) == (1, 2)
    assert (len(past.pending()), len(further.pending())) == (0, 1)
    assert [job.name for job in further.jobs] == ["job-001", "#2"]


def test_a_copy_takes_no_result_that_would_change_the_history_itself():
    past = history([2.0])
    past.record(Launched(at=past.now, number=2, name="job-002", hyperparameters=past.jobs[0].hyperparameters))
    further = past.with_running([past.jobs[0].hyperparameters])
    further.record(Reported(at=past.now, number=3, metric="objective", step=1, value=0.5))
    refused = (
        Reported(at=past.now, number=2, metric="objective", step=1, value=0.5),
        Ended(at=past.now, number=2, status="Completed", objective=0.5),
        Ended(at=past.now, number=3, status="Completed", objective=0.5),
    )
    for fact in refused:
        with pytest.raises(IllegalTransition, match="copy"):
            further.record(fact)
    assert (past.launches, len(past.finished), past.job(2).reports, past.observations()[1].tolist()) == (
        2,
        1,
        [],
        [2.0],
    )


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped"])
def test_an_ended_training_job_cannot_end_again(status):
    past = history([1.0])
    with pytest.raises(IllegalTransition, match="is Completed and can't become"):
        past.record(Ended(at=past.now, number=1, status=status))


def test_an_ended_training_job_cannot_be_asked_to_stop():
    past = history([1.0])
    with pytest.raises(IllegalTransition, match="can't become Stopping"):
        past.record(StopAsked(at=past.now, number=1, reason="because"))


def test_training_jobs_are_numbered_in_order():
    with pytest.raises(IllegalTransition, match="3 can't be launched after 1"):
        past = history([1.0])
        past.record(Launched(at=past.now, number=3, name="x", hyperparameters={}))


def test_the_best_curve_never_gets_worse():
    curve = history([None, 3.0, 4.0, 1.0, 2.0]).best_curve()
    assert [(job.number, best) for job, best in curve] == [(2, 3.0), (3, 3.0), (4, 1.0), (5, 1.0)]


def test_observations_survive_any_growth():
    values = [float(i) for i in range(200)]
    past = history(values)
    points, objectives = past.observations()
    assert objectives.tolist() == values
    assert np.array_equal(points[150], past.spec.space.to_unit(past.jobs[150].hyperparameters))


def test_training_seconds_add_up_over_the_ended_training_jobs():
    assert history([1.0, None, 2.0]).training_seconds == 3.0


def test_a_curve_is_the_values_of_one_metric_in_order():
    past = history()
    for fact in one_job(past, 1.0, reports=[3.0, 2.0, 1.0])[:-1]:
        past.record(fact)
    past.record(Reported(at=at(1), number=1, metric="other", step=1, value=9.0))
    assert past.job(1).curve("objective") == [3.0, 2.0, 1.0]


def test_the_generator_depends_on_seed_launches_and_stream_alone():
    first, second = history([1.0, 2.0]), history([5.0, None])
    assert first.rng(1).random(3).tolist() == second.rng(1).random(3).tolist()
    assert first.rng(1).random() != first.rng(2).random()
    assert first.rng().random() != history([1.0]).rng().random()
    assert len({history([1.0, 2.0], seed=seed).rng().random() for seed in range(4)}) == 4


def test_a_result_of_zero_is_compared_as_any_other():
    past = history([0.5, 0.0, 0.2, -0.1], repeats="best=3 times=1")
    assert [job.number for job in past.contenders()] == [4, 2, 3]
