"""What a runner sees of a training job becomes its facts: each once, in order, and an end that says why."""

from dataclasses import replace

import pytest

from alfine.core.facts import Ended, Launched, Reported, Started, StopAsked
from alfine.core.history import History
from alfine.jobs.observed_facts import ObservedFacts
from alfine.runners.protocol import Exit, Observation, Point
from tests.building import EPOCH, at, spec

DONE = Exit(cause="exited", code=0)
LOST = Exit(cause="lost")


def job(*facts, of=None):
    """A training job that was launched after 1 s, with further facts."""
    past = History(of or spec(), EPOCH)
    for fact in (Launched(at=at(1), number=1, name="job-001", hyperparameters={"eta": 0.5}), *facts):
        past.record(fact)
    return past.job(1)


def reader(*facts, of=None, offset=0):
    of = of or spec()
    return ObservedFacts(of, job(*facts, of=of), offset)


def points(*counted, name="objective"):
    return tuple(Point(name=name, at=at(count), value=value, count=count) for count, value in counted)


def reports(*counted, name="objective"):
    return [Reported(at=at(count), number=1, metric=name, step=count, value=value) for count, value in counted]


def test_a_start_and_each_value_are_told_once():
    told = reader(offset=7)
    assert (told.offset, told.counts, told.storing) == (7, {}, False)
    seen = Observation(started_at=at(2), points=points((1, 5.0), (2, 4.0)), offset=20, storing=True)
    assert list(told.read(seen, at(9))) == [Started(at=at(2), number=1), *reports((1, 5.0), (2, 4.0))]
    assert (told.offset, told.counts, told.storing) == (20, {"objective": 2}, True)
    again = replace(seen, points=points((2, 4.0), (3, 3.0)) + points((1, 1.0), name="other"), storing=False)
    assert list(told.read(again, at(9))) == [*reports((3, 3.0)), *reports((1, 1.0), name="other")]
    assert (told.counts, told.storing) == ({"objective": 3, "other": 1}, False)
    assert list(told.read(Observation(), at(9))) == []


def test_what_was_recorded_before_is_not_told_again():
    told = reader(Started(at=at(2), number=1), *reports((1, 5.0), (2, 4.0)))
    seen = Observation(started_at=at(2), points=points((2, 4.0), (3, 3.0)), exit=DONE, ended_at=at(5))
    *values, end = told.read(seen, at(9))
    assert values == reports((3, 3.0))
    assert end == Ended(at=at(5), number=1, status="Completed", objective=3.0)


def test_one_that_tells_nothing_more_has_the_last_value_that_was_recorded():
    told = reader(*reports((1, 5.0), (2, 4.0)), *reports((1, 1.0), name="other"))
    [end] = told.read(Observation(exit=DONE, ended_at=at(5)), at(9))
    assert (end.objective, end.failure_reason) == (4.0, None)


STOPPING = StopAsked(at=at(3), number=1, reason="it was told to")


@pytest.mark.parametrize(
    ("how", "facts", "status"),
    [
        (DONE, (), "Completed"),
        (DONE, (STOPPING,), "Completed"),
        (Exit(cause="exited", code=1), (), "Failed"),
        (Exit(cause="exited", code=1), (STOPPING,), "Stopped"),
        (Exit(cause="stopped"), (), "Stopped"),
        (Exit(cause="max_runtime"), (), "Stopped"),
        (Exit(cause="log_limit"), (), "Failed"),
        (LOST, (), "Failed"),
        (LOST, (STOPPING,), "Stopped"),
        (Exit(cause="not_stored", code=0), (), "Failed"),
        (Exit(cause="not_stored", code=0), (STOPPING,), "Failed"),
    ],
)
def test_the_status_at_the_end_and_the_last_value_of_all_but_failed_ones(how, facts, status):
    seen = Observation(started_at=at(2), points=points((1, 5.0), (2, 4.0)), exit=how, ended_at=at(4))
    [*_, end] = reader(*facts).read(seen, at(9))
    assert (end.status, end.objective) == (status, None if status == "Failed" else 4.0)
    assert end.failure_reason == how.reason()


def test_the_objective_is_the_last_value_of_the_objective_metric():
    seen = Observation(points=points((1, 5.0)) + points((1, 1.0), name="other"), exit=DONE, ended_at=at(4))
    [*_, end] = reader().read(seen, at(9))
    assert end.objective == 5.0


def test_why_one_that_succeeded_has_no_objective():
    def reason(of, end=DONE, **seen):
        [*_, ended] = reader(of=of).read(Observation(exit=end, ended_at=at(4), **seen), at(9))
        assert ended.objective is None
        return ended.failure_reason

    assert reason(spec()) == "No value of the objective metric 'objective'."
    assert reason(spec(), no_objective="It printed none.") == "It printed none."
    assert reason(spec(), Exit(cause="stopped"), no_objective="It printed none.") is None
    alone = replace(spec(), request={"TrainingJobName": "job"})
    assert reason(alone) is None
    of_function = spec(function="module:name")
    assert reason(of_function) == "The function has no objective. It must return one, or report one on its way."
    assert reason(of_function, replace(DONE, detail="It returned 'x'.")) == (
        "The function has no objective. It returned 'x'."
    )


def test_an_end_is_never_before_the_beginning():
    def ended_at(*facts, **seen):
        [*_, end] = reader(*facts).read(Observation(exit=DONE, **seen), at(9))
        return end.at

    started = Started(at=at(6), number=1)
    assert ended_at(ended_at=at(4)) == at(4)
    assert ended_at() == at(9)
    assert ended_at(started, ended_at=at(4)) == at(6)
    assert ended_at(started_at=at(5), ended_at=at(4)) == at(5)
    assert ended_at(started, started_at=at(8), ended_at=at(7)) == at(7)
    assert ended_at(ended_at=at(0)) == at(1)  # when it was launched


def test_it_says_when_its_model_was_stored():
    for stored, uploaded_at in ((True, at(9)), (False, None)):
        [*_, end] = reader().read(Observation(exit=DONE, ended_at=at(4), stored=stored), at(9))
        assert end.uploaded_at == uploaded_at
