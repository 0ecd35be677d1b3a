"""Two processes that write to one PostgreSQL database at once: whoever comes second sees what the first has written.

SQLite lets one write at a time, so that there are no such races.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import sqlalchemy as sa

from alfine.core.errors import Conflict, Fenced, InUse, NotFound, Overtaken, StoreBusy
from alfine.core.facts import StopAsked, TuningJobStopAsked
from alfine.core.read_spec import read_spec
from alfine.store import queries
from alfine.store.algorithms import Algorithm
from alfine.store.console_tokens import ConsoleTokens
from alfine.store.schema import tuning_jobs
from alfine.store.store import Store
from tests.building import at, history, one_job, request, spec
from tests.store.two_stores import PATIENCE, Two


@pytest.fixture
def two(postgres_url: str) -> Iterator[Two]:
    two = Two(postgres_url)
    yield two
    two.close()


def test_a_stop_that_comes_while_facts_are_recorded_gets_the_next_number(two):
    job, facts = two.first.create(spec(), at(0)), one_job(history(), 1.0)
    one, stop = two.overlapping(
        lambda: two.first.record(job.id, 0, facts, texts=job.spec().texts),
        lambda: two.second.request_stop("job", at(9)),
    )
    one.result(), stop.result()
    assert two.first.history("job").facts == [*facts, TuningJobStopAsked(at=at(9))]
    assert two.first.get("job").facts == len(facts) + 1


def test_facts_that_come_while_a_stop_is_recorded_are_overtaken(two):
    job, facts = two.first.create(spec(), at(0)), one_job(history(), 1.0)
    _, record = two.overlapping(
        lambda: two.first.request_stop("job", at(9)),
        lambda: two.second.record(job.id, 0, facts, texts=job.spec().texts),
    )
    with pytest.raises(Overtaken):
        record.result()
    assert two.first.history("job").facts == [TuningJobStopAsked(at=at(9))]


def test_two_stops_of_a_training_job_at_once_are_one(two):
    job, facts = two.first.create(spec(), at(0)), one_job(history(), 1.0)[:2]
    two.first.record(job.id, 0, facts, texts=job.spec().texts)
    stops = two.overlapping(
        lambda: two.first.request_stop_of_training_job("job-001", at(5), "asked"),
        lambda: two.second.request_stop_of_training_job("job-001", at(6), "asked again"),
    )
    for stop in stops:
        stop.result()
    assert two.first.history("job").facts == [*facts, StopAsked(at=at(5), number=1, reason="asked")]


def test_an_algorithms_name_is_given_once_whatever_its_case(two):
    first, second = (Algorithm(name=name, request={}, tags={}, created_at=at(0)) for name in ("Mine", "mine"))
    _, second = two.overlapping(lambda: two.first.create_algorithm(first), lambda: two.second.create_algorithm(second))
    with pytest.raises(InUse):
        second.result()


def test_the_token_of_forms_without_a_session_is_the_first_one_at_every_server(two):
    first, second = (ConsoleTokens(store.database) for store in (two.first, two.second))
    tokens = two.overlapping(
        lambda: first.shared_form_token("a", at(99)), lambda: second.shared_form_token("b", at(99))
    )
    assert [token.result() for token in tokens] == ["a", "a"]


def test_a_name_is_given_once_whatever_its_case(two):
    _, second = two.overlapping(
        lambda: two.first.create(spec(name="Job"), at(0)), lambda: two.second.create(spec(name="job"), at(0))
    )
    with pytest.raises(InUse):
        second.result()
    assert [job.name for job in two.first.list()] == ["Job"]


def test_an_engine_that_records_while_its_job_is_deleted_learns_it(two):
    job, facts = two.first.create(spec(), at(0)), one_job(history(), 1.0)
    _, record = two.overlapping(
        lambda: two.first.delete("job"), lambda: two.second.record(job.id, 0, facts, texts=job.spec().texts)
    )
    with pytest.raises(NotFound):
        record.result()


def test_an_algorithm_is_not_deleted_while_a_job_that_uses_it_is_created(two):
    two.first.create_algorithm(Algorithm(name="mine", request={}, tags={}, created_at=at(0)))
    words = request()
    algorithm = words["TrainingJobDefinition"]["AlgorithmSpecification"]
    algorithm["AlgorithmName"] = "mine"
    del algorithm["TrainingImage"]
    job = read_spec(words)
    _, deletion = two.overlapping(lambda: two.first.create(job, at(0)), lambda: two.second.delete_algorithm("mine"))
    with pytest.raises(Conflict):
        deletion.result()


def test_tags_that_are_set_at_once_are_all_set(two):
    job = two.first.create(spec(), at(0))
    tagging = two.overlapping(
        lambda: two.first.tag(job.id, 0, {"team": "a", "one": "1"}),
        lambda: two.second.tag(job.id, 0, {"team": "b", "two": "2"}),
    )
    for each in tagging:
        each.result()
    assert two.first.tags(job.id, 0).items() >= {"team": "b", "one": "1", "two": "2"}.items()


def test_what_a_reader_sees_does_not_change_while_it_reads(two):
    two.first.create(spec(), at(0))
    with two.first.reading() as connection:
        before = queries.state(connection, "job")
        two.second.request_stop("job", at(5))
        two.second.create(spec(name="other"), at(5))
        assert queries.state(connection, "job") == before
        with pytest.raises(NotFound):
            queries.state(connection, "other")


def test_of_two_transactions_that_wait_for_each_other_one_is_told_to_try_again(two):
    """A deadlock, which alfine's order of locks avoids."""
    jobs = [two.first.create(spec(name=name), at(0)).id for name in ("a", "b")]
    holds = [Event(), Event()]

    def lock(store: Store, mine: int) -> None:
        with store.database.writing() as connection:
            for step, job in enumerate((jobs[mine], jobs[1 - mine])):
                connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.id == job).values(judged=step))
                holds[mine].set()
                assert holds[1 - mine].wait(PATIENCE)

    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(lock, store, mine) for mine, store in enumerate((two.first, two.second))]
    errors = [end.exception() for end in ends]
    assert sorted(type(error) for error in errors if error) == [StoreBusy]


def test_who_waits_too_long_for_a_row_is_told_that_the_database_is_busy(two, postgres_url):
    two.first.create(spec(), at(0))
    impatient = Store(sa.make_url(postgres_url).update_query_dict({"options": "-c lock_timeout=20ms"}))
    try:
        with two.first.database.writing() as connection:
            queries.tuning_job_row(connection, "job", to_write=True)
            with pytest.raises(StoreBusy, match="another process holds what this one needs"):
                impatient.request_stop("job", at(5))
    finally:
        impatient.close()


def test_of_two_engines_that_claim_a_tuning_job_at_once_one_has_it(two):
    two.first.create(spec(), at(0))
    one, other = two.overlapping(
        lambda: two.first.claim("job", "a", "node", lambda engine: True),
        lambda: two.second.claim("job", "b", "node", lambda engine: True),
    )
    assert (one.result(), other.result()) == (1, None)
    assert two.first.get("job").owner == "a"


def test_facts_that_come_while_another_engine_takes_over_are_refused(two):
    job, facts = two.first.create(spec(), at(0)), one_job(history(), 1.0)
    epoch = two.first.claim("job", "a", "node", lambda engine: True)
    _, record = two.overlapping(
        lambda: two.first.claim("job", "b", "node", lambda engine: False),
        lambda: two.second.record(job.id, 0, facts, texts=job.spec().texts, epoch=epoch),
    )
    with pytest.raises(Fenced):
        record.result()
    assert two.first.history("job").facts == []
