import sqlite3

import pytest

from alfine import AlfineError, BestObjectiveNotImproving
from alfine.core.errors import Fenced, IllegalTransition, InUse, NotFound, Overtaken, StoreBusy
from alfine.core.facts import Ended, StopAsked, TuningJobStopAsked
from alfine.core.inherited import Inherited
from alfine.store import queries
from alfine.store.console_tokens import ConsoleToken, ConsoleTokens
from alfine.store.pages import Page, tuning_job_page
from alfine.store.placement import Placement
from alfine.store.placements import placements
from alfine.store.store import Store
from tests.building import at, history, one_job, spec
from tests.store.silence import fall_silent


@pytest.fixture
def store(database_url):
    store = Store(database_url)
    yield store
    store.close()


def created(store, **words):
    return store.create(spec(**words), at(0))


def recorded(store, job, facts):
    texts = job.spec().texts
    return store.record(job.id, store.get(job.name).facts, facts, texts=texts)


def test_a_history_comes_back_fact_by_fact(store):
    job, past = created(store), history()
    for objective in (3.0, None, 1.0):
        facts = one_job(past, objective, status="Failed" if objective is None else "Completed", reports=[5.0, 4.0])
        recorded(store, job, facts)
        for fact in facts:
            past.record(fact)
    read = store.history("job")
    assert read.facts == past.facts
    assert (read.incumbent.number, read.created_at) == (3, at(0))


def test_a_history_has_what_its_tuning_job_inherited_in_order(store):
    words = {"hyperparameters": {"eta": "0.5"}, "static": {}, "status": "Completed", "created_at": at(0)}
    inherited = [
        Inherited(parent="old", name=name, objective=1.0, started_at=at(1), ended_at=at(2), **words) for name in "ba"
    ]
    store.create(spec(warm_start="old"), at(0), inherited)
    assert [each.name for each in store.history("job").inherited] == ["b", "a"]


def test_a_reopened_store_has_everything(store, database_url):
    recorded(store, created(store), one_job(history(), 1.0))
    again = Store(database_url)
    assert again.history("job").facts == store.history("job").facts
    again.close()


def test_a_name_is_taken_whatever_its_case(store):
    created(store, name="Job")
    with pytest.raises(
        InUse, match="A hyperparameter tuning job with the name, job, already exists. Choose a different name."
    ):
        created(store, name="job")


def test_an_unknown_job_is_not_found_in_amts_words(store):
    with pytest.raises(NotFound, match="can't find a tuning job called nope. Type another name."):
        store.get("nope")


def test_a_request_comes_back_as_it_was(store):
    job = created(store, criteria=[BestObjectiveNotImproving(10)], price_per_hour=0.5)
    assert (
        job.spec().request == job.request == spec(criteria=[BestObjectiveNotImproving(10)], price_per_hour=0.5).request
    )


def test_a_training_job_cannot_end_twice(store):
    job = created(store)
    recorded(store, job, one_job(history(), 1.0))
    with pytest.raises(IllegalTransition, match="training job 1 can't become Failed"):
        recorded(store, job, [Ended(at=at(9), number=1, status="Failed")])


def test_a_refused_fact_leaves_nothing_behind(store):
    job = created(store)
    with pytest.raises(IllegalTransition):
        recorded(store, job, [*one_job(history(), 1.0), StopAsked(at=at(9), number=1, reason="late")])
    assert store.history("job").facts == []
    assert store.get("job").facts == 0


def test_whoever_was_overtaken_by_a_users_stop_writes_nothing_and_reads_again(store):
    job, facts = created(store), one_job(history(), 1.0)
    recorded(store, job, facts[:2])
    assert not store.overtaken(job.id, 2)
    store.request_stop("job", at(5))
    assert store.overtaken(job.id, 2)
    with pytest.raises(Overtaken):
        store.record(job.id, 2, facts[2:], texts=job.spec().texts)
    assert store.history("job").facts == [*facts[:2], TuningJobStopAsked(at=at(5))]
    store.record(job.id, 3, facts[2:], texts=job.spec().texts)
    assert store.history("job").facts == [*facts[:2], TuningJobStopAsked(at=at(5)), *facts[2:]]


def test_asking_to_stop_twice_is_asking_once(store):
    created(store)
    store.request_stop("job", at(5))
    store.request_stop("job", at(6))
    assert store.get("job").status == "Stopping"
    assert store.history("job").stop_requested_at == at(5)


def test_an_ended_job_cannot_be_stopped_or_end_again(store):
    created(store)
    store.finish("job", "Completed", at(9))
    assert store.get("job").ended
    with pytest.raises(IllegalTransition, match="job is Completed and can't become Stopping"):
        store.request_stop("job", at(10))
    with pytest.raises(IllegalTransition):
        store.finish("job", "Failed", at(10))


def test_one_engine_at_a_time_until_it_gives_back_ends_or_is_silent(store):
    created(store)
    lives, ended = (lambda engine: True), (lambda engine: False)
    assert store.claim("job", "a", "here", lives) == 1
    assert store.claim("job", "a", "here", lives) == 1
    assert (store.claim("job", "b", "here", lives), store.claimable(lives)) == (None, [])
    assert [(job.name, job.is_new) for job in store.claimable(ended)] == [("job", False)]
    assert store.claim("job", "b", "here", ended) == 2
    fall_silent(store, "b")
    assert [job.name for job in store.claimable(lives)] == ["job"]
    assert store.claim("job", "c", "here", lives) == 3
    store.release("job", 2)  # too late: it isn't b's any more
    assert store.claim("job", "d", "here", lives) is None
    store.release("job", 3)
    assert store.claim("job", "d", "here", lives) == 4
    store.leave("d")
    assert [engine.id for engine in store.engines()] == ["a", "c"]
    assert [job.name for job in store.claimable(lives)] == ["job"]


def test_where_a_training_job_runs_is_kept_and_written_by_the_engine_that_has_the_tuning_job(store):
    job = created(store)
    recorded(store, job, one_job(history(), 1.0)[:1])
    epoch, place = (
        store.claim("job", "a", "here", lambda _: True),
        Placement(attempt=2, runner="ray", node="n", slot="0"),
    )
    store.place("job", "job-001", place, epoch)
    with pytest.raises(Fenced):
        store.place("job", "job-001", Placement(), epoch - 1)
    with store.reading() as connection:
        assert placements(connection, job.id) == {1: place}


def test_how_long_an_engine_may_be_silent_is_longer_where_its_process_is_seen(store):
    """docs/architecture.md names these spans."""
    seconds = [span.total_seconds() for span in (store.heartbeat, store.silence)]
    assert (seconds, store.is_shared) == (([2, 8], True) if store.database.is_postgres else ([10, 30], False))


def test_in_a_copy_of_a_database_no_engine_runs(store):
    store.beat("one", "node", "http://127.0.0.1:1")
    assert [engine.id for engine in store.engines()] == ["one"]
    store.release_all()
    assert list(store.engines()) == []


def test_an_engine_that_was_taken_over_writes_nothing(store):
    job = created(store)
    launched = one_job(history(), None)[0]
    old = store.claim("job", "a", "here", lambda engine: True)
    store.record(job.id, 0, [launched], epoch=old)
    new = store.claim("job", "b", "here", lambda engine: False)
    ends = (
        lambda: store.record(job.id, 1, [StopAsked(at=at(1), number=1, reason="")], epoch=old),
        lambda: store.finish("job", "Failed", at(1), epoch=old),
        lambda: store.overtaken(job.id, 1, old),
    )
    for end in ends:
        with pytest.raises(Fenced, match="Another alfine has taken over"):
            end()
    store.count_failed_tries(launched.name, 3, old)
    with store.reading() as connection:
        assert queries.progress(connection, job.id).failed_tries == {}
    store.count_failed_tries(launched.name, 3, new)
    with store.reading() as connection:
        assert queries.progress(connection, job.id).failed_tries == {launched.name: 3}
    store.finish("job", "Failed", at(1), known=1, epoch=new)
    assert (store.get("job").status, store.get("job").owner) == ("Failed", None)


def test_a_user_stops_one_training_job_once_and_only_while_it_runs(store):
    job, facts = created(store), one_job(history(), 1.0)
    recorded(store, job, facts[:2])
    store.request_stop_of_training_job("job-001", at(5), "asked")
    store.request_stop_of_training_job("job-001", at(6), "asked again")
    asked = StopAsked(at=at(5), number=1, reason="asked")
    assert store.history("job").facts == [*facts[:2], asked]
    recorded(store, job, facts[2:])
    with pytest.raises(IllegalTransition, match="training job 1 can't become Stopping"):
        store.request_stop_of_training_job("job-001", at(9), "late")
    with pytest.raises(NotFound):
        store.request_stop_of_training_job("job-002", at(9), "nobody")


def test_training_jobs_get_the_tags_of_their_tuning_job_when_they_are_launched(store):
    job = created(store, price_per_hour=2.0)
    recorded(store, job, one_job(history(), 1.0))
    store.tag(job.id, 0, {"team": "a"})
    settings = {"alfine:order": "eta depth booster", "alfine:price-per-hour": "2.0"}
    assert store.tags(job.id, 1) == settings
    assert store.tag(job.id, 0, dict.fromkeys(settings)) == {"team": "a"}
    assert store.tags(job.id, 1) == settings


def test_a_detached_job_frees_its_name_and_leaves_its_training_jobs(store):
    recorded(store, created(store), one_job(history(), 1.0))
    store.detach("job")
    assert store.list() == ()
    created(store)
    with store.reading() as connection:
        assert queries.training_job(connection, "job-001").objective == 1.0


def test_a_deleted_job_is_gone_with_its_training_jobs_and_its_name_is_free(store):
    recorded(store, created(store), one_job(history(), 1.0, reports=[2.0]))
    store.delete("job")
    assert store.list() == ()
    created(store)
    assert store.history("job").facts == []


def test_the_id_of_a_deleted_job_is_given_to_no_other(store):
    """Pages, trackers and webhooks know tuning jobs by their ids."""
    first = created(store)
    store.delete(first.name)
    assert created(store).id > first.id


def test_an_engine_learns_that_its_job_was_deleted(store):
    job = created(store)
    store.delete("job")
    with pytest.raises(NotFound, match="was deleted while it ran"):
        store.record(job.id, 0, one_job(history(), 1.0))


def test_log_offsets_are_kept_with_the_facts_read_up_to_them(store):
    job = created(store)
    recorded(store, job, one_job(history(), 1.0)[:2])
    store.record(job.id, 2, [], offsets={1: 512})
    with store.reading() as connection:
        assert queries.progress(connection, job.id).log_offsets == {1: 512}


def test_the_database_is_durable_and_readable_while_written(tmp_path):
    store = Store.at(tmp_path)
    created(store)
    with sqlite3.connect(tmp_path / "alfine.db") as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert other.execute("SELECT status FROM tuning_jobs").fetchone() == ("InProgress",)
    other.close()
    store.close()


def test_two_stores_on_one_database_do_not_block_each_other(store, database_url):
    other = Store(database_url)
    created(store)
    other.create(spec(name="other"), at(1))
    assert [job.name for job in store.list()] == ["job", "other"]
    other.close()
    with pytest.raises(AlfineError):
        store.get("third")


def test_who_finds_every_connection_in_use_is_told_that_the_database_is_busy(tmp_path, monkeypatch):
    """While another process keeps the database locked, all of them wait."""
    monkeypatch.setattr("alfine.store.database.TURN_SECONDS", 0.01)
    store, held = Store.at(tmp_path), []
    try:
        with pytest.raises(StoreBusy, match="locked"):
            for _ in range(100):
                held.append(store.database.engine.connect())
                store.list()
    finally:
        for connection in held:
            connection.close()
        store.close()


def test_names_are_sorted_by_their_code_points_whatever_the_language_of_the_database(store):
    for number, name in enumerate(("b", "B", "a-c", "a0", "ab", "A")):
        created(store, name=f"{name}-{number}")
    with store.reading() as connection:
        page = tuning_job_page(connection, Page("name", descending=False, size=10), ())
    names = [job.name for job in page]
    assert names == sorted(names)


def test_a_text_with_a_nul_character_is_kept_without_it(store):
    job = created(store)
    recorded(
        store, job, [*one_job(history(), 1.0)[:2], Ended(at=at(9), number=1, status="Failed", failure_reason="a\0b")]
    )
    assert store.history("job").job(1).failure_reason == "a\ufffdb"
    with store.reading() as connection, pytest.raises(NotFound):
        queries.training_job(connection, "job\0")


def test_instants_are_stored_as_microseconds_since_1970(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'alfine.db'}")
    created(store)
    with store.reading() as connection:
        assert (
            connection.exec_driver_sql("SELECT created_at FROM tuning_jobs").scalar() == at(0).timestamp() * 1_000_000
        )
    store.close()


def test_a_token_of_the_console_lasts_until_its_end(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'alfine.db'}")
    tokens, known = ConsoleTokens(store.database), ConsoleToken("key", "form", at(5))
    tokens.add("session", "secret", known, at(0), 9)
    tokens.add("session", "another", known, at(5), 9)
    assert tokens.find("session", "secret", at(5)) == known
    assert tokens.find("session", "secret", at(5.001)) is None
    assert tokens.take("session", "secret", at(5)) == known
    assert tokens.take("session", "another", at(5.001)) is None
    store.close()


def test_a_store_opens_while_another_process_writes(tmp_path):
    Store.at(tmp_path).close()
    other = sqlite3.connect(tmp_path / "alfine.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = Store.at(tmp_path)
    assert store.list() == ()
    store.close()
    other.close()


def test_a_job_that_has_ended_is_not_ended_by_force(store):
    created(store)
    store.finish("job", "Completed", at(5))
    with pytest.raises(IllegalTransition):
        store.force_end("job", at(6), "it hangs", None)
