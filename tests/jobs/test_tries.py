"""How long failed tries of a training job are waited for, when they end it, and what is recorded and logged of them."""

import errno
import logging
import math
from types import SimpleNamespace

import pytest

from alfine.core.errors import StorageFull, StoreBusy
from alfine.jobs.tries import Tries, error_text, may_come_right
from alfine.runners.storage.locations import BucketsUnreachable

LASTING = OSError("the runner doesn't answer.")
"""An error that doesn't pass by itself."""


@pytest.fixture
def now(monkeypatch):
    """The present instant, in a list: monotonic seconds."""
    seconds = [100.0]
    monkeypatch.setattr("alfine.jobs.tries.time", SimpleNamespace(monotonic=lambda: seconds[0]))
    return seconds


@pytest.fixture
def kept():
    """What was recorded: each training job's folder and its number of failed tries."""
    return []


@pytest.fixture
def tries(kept):
    return Tries(lambda *told: kept.append(told))


def test_each_pause_is_three_times_as_long_up_to_five_seconds(tries, now, tmp_path):
    job, pauses = tmp_path / "job", []
    for _ in range(7):
        tries.failed(job / "one", LASTING)
        pauses.append(tries.seconds_to_next(job))
        now[0] += 1
    assert pauses == pytest.approx([0.1, 0.3, 0.9, 2.7, 5.0, 5.0, 5.0])
    for _ in range(1000):  # a shortage may last long
        tries.failed(job / "one", StoreBusy("busy"))
    assert tries.seconds_to_next(job) == 5.0


def test_a_try_is_due_once_its_pause_is_over_and_each_is_named_once(tries, now, tmp_path):
    job, one = tmp_path / "job", tmp_path / "job" / "one"
    assert (tries.is_waiting(one), tries.due(job), tries.seconds_to_next(job)) == (False, set(), math.inf)
    for folder in (one, tmp_path / "other" / "two"):
        tries.failed(folder, LASTING)
    now[0] += 0.0625
    assert (tries.is_waiting(one), tries.due(job)) == (True, set())
    now[0] = 100.0 + 0.1
    assert (tries.is_waiting(one), tries.seconds_to_next(job), tries.due(job)) == (False, 0.0, {"one"})
    assert (tries.due(job), tries.seconds_to_next(job)) == (set(), math.inf)
    now[0] += 1
    assert tries.seconds_to_next(tmp_path / "other") == 0.0
    tries.failed(one, LASTING)  # the next one, whose pause begins
    assert (tries.is_waiting(one), tries.seconds_to_next(job)) == (True, pytest.approx(0.3))


@pytest.mark.parametrize("stopping", [False, True])
def test_five_lasting_failures_in_a_row_end_it_and_so_do_five_of_any_kind_once_it_is_stopping(
    tries, tmp_path, stopping
):
    folder = tmp_path / "job" / "one"
    assert tries.reason_to_give_up(folder, stopping=stopping) is None
    for _ in range(4):
        tries.failed(folder, LASTING)
    assert tries.reason_to_give_up(folder, stopping=stopping) is None
    tries.failed(folder, BucketsUnreachable("the buckets are away"))
    assert (tries.reason_to_give_up(folder, stopping=stopping) is not None) == stopping
    tries.failed(folder, LASTING)
    assert tries.reason_to_give_up(folder, stopping=stopping) == (
        "InternalServerError: alfine could not go on with this training job: OSError: the runner doesn't answer. "
        f"Its files are in {folder}."
    )
    tries.failed(folder, OSError("x" * 5000))
    assert len(tries.reason_to_give_up(folder, stopping=stopping)) == 1024


def test_the_number_of_lasting_failures_is_recorded_as_it_changes_and_forgotten_after_a_success(tries, kept, tmp_path):
    one, two = tmp_path / "job" / "one", tmp_path / "job" / "two"
    for error in (StoreBusy("busy"), LASTING, StorageFull("full"), LASTING):
        tries.failed(one, error)
    assert kept == [(one, 1), (one, 2)]
    tries.failed(two, StoreBusy("busy"))
    tries.succeeded(two)  # nothing was recorded of it
    tries.succeeded(tmp_path / "job" / "three")
    tries.succeeded(one)
    assert kept == [(one, 1), (one, 2), (one, 0)]
    assert not tries.is_waiting(one)
    for _ in range(4):
        tries.failed(one, LASTING)
    assert tries.reason_to_give_up(one, stopping=False) is None


def test_what_an_earlier_process_counted_goes_on_and_its_next_try_is_made_at_once(tries, tmp_path):
    job = tmp_path / "job"
    tries.failed(job / "known", LASTING)
    tries.restore(job, {"known": 4, "one": 4, "two": 5})
    assert tries.reason_to_give_up(job / "one", stopping=False) is None
    assert tries.due(job) == {"one", "two"}
    assert "training job: 5 tries failed. Its" in tries.reason_to_give_up(job / "two", stopping=False)
    for folder in (job / "one", job / "known"):
        tries.failed(folder, LASTING)
    assert tries.reason_to_give_up(job / "one", stopping=False) is not None
    assert tries.reason_to_give_up(job / "known", stopping=False) is None


def test_those_of_one_tuning_job_are_forgotten_together(tries, tmp_path):
    for name in ("job", "other"):
        for number in range(2):
            tries.failed(tmp_path / name / f"{number}", LASTING)
    tries.forget(tmp_path / "job")
    assert not any(tries.is_waiting(tmp_path / "job" / f"{number}") for number in range(2))
    assert all(tries.is_waiting(tmp_path / "other" / f"{number}") for number in range(2))


def test_a_tuning_job_is_short_while_the_last_error_of_one_of_its_training_jobs_is_a_shortage(tries, tmp_path):
    job = tmp_path / "job"
    tries.restore(job, {"one": 1})
    tries.failed(job / "two", LASTING)
    tries.failed(tmp_path / "other" / "one", MemoryError())
    assert not tries.is_short(job)
    tries.failed(job / "two", MemoryError())
    assert tries.is_short(job)
    tries.failed(job / "two", LASTING)
    assert not tries.is_short(job)


@pytest.mark.parametrize(
    ("error", "comes_right"),
    [
        (StorageFull("full"), True),
        (StoreBusy("busy"), True),
        (BucketsUnreachable("away"), True),
        (MemoryError(), True),
        (OSError(errno.ENOSPC, "full"), True),
        (OSError(errno.EMFILE, "no descriptors"), True),
        (OSError(errno.ENOENT, "missing"), False),
        (ValueError("wrong"), False),
    ],
)
def test_a_shortage_comes_right_by_itself_and_nothing_else(error, comes_right):
    assert may_come_right(error) == comes_right


def test_a_failure_is_logged_once_and_with_its_traceback_where_it_lasts(tries, tmp_path, caplog):
    folder = tmp_path / "job" / "one"
    with caplog.at_level(logging.WARNING):
        for error in (LASTING, LASTING, StoreBusy("busy"), StoreBusy("busy"), LASTING):
            tries.failed(folder, error)
    assert [(each.getMessage(), each.exc_info is not None) for each in caplog.records] == [
        ("training_job=one: try 1 failed: OSError: the runner doesn't answer", True),
        ("training_job=one: try 3 failed: StoreBusy: busy", False),
        ("training_job=one: try 5 failed: OSError: the runner doesn't answer", True),
    ]


def test_the_text_of_an_error_has_its_type_and_no_full_stop():
    assert [error_text(each) for each in (MemoryError(), ValueError("It is wrong."))] == [
        "MemoryError",
        "ValueError: It is wrong",
    ]
