"""The bell of a tuning job rings when somebody else records something about it, for as long as an engine runs it."""

import logging
import threading
from contextlib import closing

import pytest

from alfine.jobs.other_writers import OtherWriters
from alfine.jobs.wake import Wake
from alfine.store.store import Store
from tests.building import at, spec
from tests.cli.conftest import until
from tests.server.test_database_away import end_all_connections
from tests.store.damage import execute


@pytest.fixture
def store(tmp_path):
    store = Store.at(tmp_path)
    yield store
    store.close()


@pytest.fixture
def other(tmp_path):
    """The store of another process."""
    other = Store.at(tmp_path)
    yield other
    other.close()


@pytest.fixture
def wake():
    return Wake()


@pytest.fixture
def others(store, wake, monkeypatch):
    monkeypatch.setattr("alfine.jobs.other_writers.LOOK_SECONDS", 0.001)
    monkeypatch.setattr("alfine.jobs.other_writers.ANNOUNCED_LOOK_SECONDS", 600.0)
    others = OtherWriters(store, wake)
    yield others
    others.close()


def rings(bell):
    """Whether a bell has rung since it was asked last, for any training job."""
    return bell.take() is None


@pytest.fixture
def threads():
    """A function that returns the threads of this test that look."""
    before = threading.enumerate()
    return lambda: [each for each in threading.enumerate() if each.name == "alfine-others" and each not in before]


def test_what_another_process_records_rings_the_bell_of_that_tuning_job_alone(other, others, wake, threads):
    first, second = (other.create(spec(name=name), at(0)) for name in ("first", "second"))
    with wake.listening("first") as bell, wake.listening("second") as quiet:
        with others.watching("first", first.id, 0), others.watching("second", second.id, 0):
            assert len(threads()) == 1
            other.request_stop("first", at(1))
            until(lambda: rings(bell), "heard")
            assert not rings(quiet)
            others.knows(first.id, 1)
            bell.take()  # it may have rung again before its engine knew
            other.change("second", second.request, spec(name="second"), at(2))
            until(lambda: rings(quiet), "heard")
            others.knows(second.id, other.facts_of_unfinished()[second.id])
            quiet.take()
            other.request_stop("second", at(3))
            until(lambda: rings(quiet), "heard")
            assert not rings(bell)
            assert all(thread.daemon for thread in threads())  # no process waits for it at its end
        until(lambda: not threads(), "nothing is watched any more")
        others.knows(first.id, 5)  # nobody runs it any more
        with others.watching("second", second.id, 9):
            assert len(threads()) == 1
        assert not rings(bell)


def test_what_was_recorded_before_its_engine_had_read_it_is_heard_at_once(other, others, wake):
    job = other.create(spec(), at(0))
    other.request_stop("job", at(1))
    with wake.listening("job") as bell, others.watching("job", job.id, 0):
        until(lambda: rings(bell), "heard")


def test_a_look_can_be_asked_for(other, others, wake, monkeypatch, threads):
    monkeypatch.setattr("alfine.jobs.other_writers.LOOK_SECONDS", 600.0)
    job = other.create(spec(), at(0))
    with wake.listening("job") as bell, others.watching("job", job.id, 0):
        until(threads, "it watches")
        other.request_stop("job", at(1))
        until(lambda: others.look() or rings(bell), "heard")


def test_a_database_that_cannot_be_read_is_looked_at_again(tmp_path, other, others, wake, caplog):
    caplog.set_level(logging.DEBUG)
    job = other.create(spec(), at(0))
    rename = "ALTER TABLE {} RENAME TO {}"
    with wake.listening("job") as bell, others.watching("job", job.id, 0):
        execute(tmp_path, rename.format("tuning_jobs", "lost"))
        until(lambda: "can't look at what others recorded: " in caplog.text, "it has tried to")
        execute(tmp_path, rename.format("lost", "tuning_jobs"))
        other.request_stop("job", at(1))
        until(lambda: rings(bell), "heard")


def test_without_a_thread_it_is_the_next_tuning_job_that_begins_to_look(other, others, wake, monkeypatch, threads):
    start, refused = threading.Thread.start, []

    def refuse_once(thread):
        if thread.name == "alfine-others" and not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_once)
    jobs = [other.create(spec(name=name), at(0)) for name in ("first", "second")]
    with wake.listening("first") as bell, others.watching("first", jobs[0].id, 0):
        assert not threads()
        with others.watching("second", jobs[1].id, 0):
            other.request_stop("first", at(1))
            until(lambda: rings(bell), "heard")
    others.close()
    assert not threads()


def test_what_is_announced_needs_no_look(postgres_url, monkeypatch, wake):
    monkeypatch.setattr("alfine.jobs.other_writers.ANNOUNCED_LOOK_SECONDS", 600.0)
    store, other = Store(postgres_url), Store(postgres_url)
    others = OtherWriters(store, wake)
    job = other.create(spec(), at(0))
    with wake.listening("job") as bell, others.watching("job", job.id, 0):
        other.request_stop("job", at(1))
        until(lambda: rings(bell), "heard")
    others.close()
    with wake.listening("job") as bell, others.watching("job", job.id, 0):  # what was announced before is looked for
        until(lambda: rings(bell), "heard")
    others.close()
    store.close()
    other.close()


def test_what_may_have_been_announced_while_the_connection_was_lost_is_looked_for(postgres_url, monkeypatch, wake):
    monkeypatch.setattr("alfine.jobs.other_writers.ANNOUNCED_LOOK_SECONDS", 600.0)
    monkeypatch.setattr("alfine.store.announcements.RETRY_SECONDS", 0.01)
    with closing(Store(postgres_url)) as store, closing(Store(postgres_url)) as other:
        others, job = OtherWriters(store, wake), other.create(spec(), at(0))
        with wake.listening("job") as bell, others.watching("job", job.id, 0):
            other.request_stop("job", at(1))
            until(lambda: rings(bell), "heard")
            others.knows(job.id, 1)
            bell.take()
            with other.database.writing() as connection:  # whose announcement is lost
                connection.exec_driver_sql("UPDATE tuning_jobs SET facts = facts + 1")
            end_all_connections(postgres_url)
            until(lambda: rings(bell), "looked for")
        others.close()
