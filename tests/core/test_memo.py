"""Values that are derived from a history and kept with it."""

from alfine.core.facts import Changed
from alfine.core.memo import MemoKey
from tests.building import history, one_job

COUNT: MemoKey[int] = MemoKey(__name__, "count")


def test_a_value_is_computed_once():
    past, calls = history([1.0]), []
    for _ in range(2):
        assert past.remembered(COUNT, lambda: calls.append(1) or 7) == 7
    assert calls == [1]


def test_only_the_latest_version_is_kept():
    past, calls = history([1.0]), []
    for version in (1, 1, 2, 1):
        past.remembered(COUNT, lambda version=version: calls.append(version), version)
    assert calls == [1, 2, 1]


def test_two_modules_may_choose_the_same_name():
    past, other = history([1.0]), MemoKey("another.plug_in", "count")
    assert (past.remember(COUNT, 1), past.remember(other, "one")) == (1, "one")
    assert (past.recall(COUNT, 0), past.recall(other, "none")) == (1, "one")


def test_parameters_are_part_of_the_key():
    past = history([1.0])
    past.remember(COUNT.of("a"), 1)
    assert (past.recall(COUNT.of("a"), 0), past.recall(COUNT.of("b"), 0), past.recall(COUNT, 0)) == (1, 0, 0)


def test_a_fold_sees_each_ended_training_job_once_in_order():
    past, seen = history([3.0, 1.0]), []

    def step(count, job):
        seen.append(job.number)
        return count + 1

    assert past.fold(COUNT, 0, step) == 2
    for fact in one_job(past, 2.0):
        past.record(fact)
    assert past.fold(COUNT, 0, step) == past.fold(COUNT, 0, step) == 3
    assert seen == [1, 2, 3]


def test_a_change_of_the_job_forgets_what_was_derived():
    past = history([1.0])
    past.remember(COUNT, 1)
    past.record(Changed(at=past.now, spec=past.spec))
    assert past.recall(COUNT, 0) == 0
