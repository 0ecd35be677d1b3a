"""Whatever is done to one tuning job, or to one of its training jobs, changes nothing of others, and is the same whether there are others."""

import shutil
from datetime import timedelta

import pytest
import sqlalchemy as sa

from alfine import Continuous
from alfine.core.facts import Ended, Launched, Reported, Started
from alfine.core.inherited import Inherited
from alfine.store import inherited, metrics, queries, tags
from alfine.store.counters import counters_of
from alfine.store.ended import ended_training_jobs, unfinished_among
from alfine.store.facts import write_facts
from alfine.store.forced_stop import running_training_jobs
from alfine.store.leases import facts_under
from alfine.store.placement import Placement
from alfine.store.placements import placements
from alfine.store.schema import TABLES, tuning_jobs
from alfine.store.state_changes import Told, state_changes
from alfine.store.store import Store
from alfine.store.tracker_cursors import TrackerCursors, failing_trackers, tracker_states
from alfine.store.tracker_news import tracker_news
from alfine.store.training_times import recorded_at, training_times
from alfine.store.webhook_cursors import WebhookCursors
from tests.building import at, spec

JOB = 1
"""The id of the tuning job that everything is done to. It is the first one, so that it has the same id without others."""

WORDS = {"space": {"x": Continuous(0, 1)}, "max_training_jobs": 9}
URL = "https://example.org/hook"


def made(store, name, *, begin=0.0):
    """A tuning job with a row in every table that has rows of tuning jobs: three training jobs that ran, run, and wait."""
    parent = Inherited(
        parent="parent",
        name=f"parent-of-{name}",
        hyperparameters={"x": "0.5"},
        static={},
        status="Completed",
        created_at=at(0),
        started_at=at(1),
        ended_at=at(2),
        objective=begin,
    )
    job = store.create(spec(name=name, **WORDS), at(begin), [parent], trackers=["mlflow"])
    facts = []
    for number in (1, 2, 3):
        facts += [Launched(at=at(begin), number=number, name=f"{name}-{number}", hyperparameters={"x": number / 10})]
        facts += [Started(at=at(begin + 1), number=number)] if number < 3 else []
        facts += [
            Reported(at=at(begin + 2), number=number, metric="objective", step=1, value=begin + number),
            Reported(at=at(begin + 2), number=number, metric="other", step=1, value=begin - number),
        ]
    facts += [Ended(at=at(begin + 3), number=1, status="Completed", objective=begin + 1)]
    facts += [Reported(at=at(begin + 3), number=2, metric="own", step=1, value=begin)]
    if name != "job":  # their facts have higher numbers
        facts += [Reported(at=at(begin + 4), number=2, metric="objective", step=2, value=-1.0)]
    store.record(
        JOB if name == "job" else job.id,
        0,
        facts,
        texts=job.spec().texts,
        places={number: Placement(node=node) for number, node in ((1, "a"), (2, "b"), (3, "c"))},
    )
    for number in (1, 2, 3):
        store.tag(job.id, number, {"mine": str(begin)})


NAMES = "alone.db", "among-others.db"


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    """Files of a store with the tuning job, and of one with others besides."""
    folder = tmp_path_factory.mktemp("made")
    for name in NAMES:
        store = Store(f"sqlite:///{folder / name}")
        made(store, "job")
        if name != NAMES[0]:
            made(store, "left", begin=2.5)
            made(store, "right", begin=5.0)
        assert WebhookCursors(store.database).claim(URL, "me", at(5), at(50), lambda _: True)
        store.close()
    return folder


@pytest.fixture
def stores(made_once, tmp_path):
    stores = [Store(f"sqlite:///{shutil.copy(made_once / name, tmp_path)}") for name in NAMES]
    yield stores
    for store in stores:
        store.close()


def rows_of(store, is_chosen):
    """The rows whose tuning job and number are chosen, by table."""
    with store.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table)) if is_chosen(table, row)]
            for table in TABLES.sorted_tables
            if table is tuning_jobs or "tuning_job" in table.c
        }


def owner_of(table, row):
    return row.id if table is tuning_jobs else row.tuning_job


def rest(store, number):
    """The rows of other tuning jobs, and, where one training job is changed, those of the tuning job's other training jobs."""

    def is_other(table, row):
        if owner_of(table, row) != JOB:
            return True
        return number is not None and "number" in table.c and row.number not in (0, number)

    return rows_of(store, is_other)


def changed_request(store):
    before = store.get("job").request
    store.change("job", before, spec(name="job", **{**WORDS, "max_training_jobs": 12}), at(9))


def told(store):
    trackers = TrackerCursors(store.database, "mlflow")
    assert trackers.claim(JOB, "me", at(5), at(50), lambda _: True)
    trackers.fail(JOB, "me", "it broke", at(6))
    trackers.tell(JOB, "me", Told(4, "InProgress"), "run-4")
    trackers.release(JOB, "me")


def webhook_told(store):
    hooks = WebhookCursors(store.database)
    hooks.tell(URL, "me", at(60), JOB, Told(4, "InProgress"))


def offset_written(store):
    with store.database.writing() as connection:
        write_facts(connection, JOB, [], 0, None, offsets={2: 77})


def claimed(store):
    assert store.claim("job", "me", "node", lambda _: False) == 1
    store.release("job", 1)


ENDED = [Ended(at=at(8), number=2, status="Completed", objective=0.25)]
ACTIONS = {  # in this order; what is done, and the number of the only training job that it is done to
    "claim": (claimed, None),
    "place": (lambda store: store.place("job", "job-3", Placement(attempt=2, runner="ray", node="n", slot="s")), 3),
    "pend": (lambda store: store.pend("job", "job-3", "no GPU is free"), 3),
    "write an offset": (offset_written, 2),
    "count tries": (lambda store: store.count_failed_tries("job-2", 4), 2),
    "count tries of the engine": (lambda store: store.count_failed_tries("job-2", 5, 1), 2),
    "count tries of another engine": (lambda store: store.count_failed_tries("job-2", 6, 7), 2),
    "count runs": (lambda store: store.count_failed_run("job", at(7), timedelta(seconds=9)), None),
    "tag a training job": (lambda store: store.tag(JOB, 2, {"mine": None, "new": "1"}), 2),
    "tag": (lambda store: store.tag(JOB, 0, {"team": None, "new": "1"}), None),
    "annotate": (lambda store: store.annotate(JOB, "a note", {"new": "2"}), None),
    "tell a tracker": (told, None),
    "add a tracker": (lambda store: TrackerCursors(store.database, "wandb").add("job"), None),
    "tell a webhook": (webhook_told, None),
    "stop a training job": (lambda store: store.request_stop_of_training_job("job-2", at(7), "too slow"), 2),
    "record": (lambda store: store.record(JOB, store.get("job").facts, ENDED, offsets={2: 5}), 2),
    "stop": (lambda store: store.request_stop("job", at(8)), None),
    "force the end": (lambda store: store.force_end("job", at(8), "it hangs", None), None),
    "change": (changed_request, None),
    "finish": (lambda store: store.finish("job", "Completed", at(9)), None),
    "tell a tracker again": (lambda store: TrackerCursors(store.database, "mlflow").again("job"), None),
}


def seen(connection):
    """What is read of the tuning job."""
    row = queries.tuning_job_row(connection, "job")
    within = at(0), at(99)
    return [
        queries.state(connection, "job"),
        queries.history(connection, row).facts,
        queries.progress(connection, JOB),
        queries.training_jobs_of(connection, JOB),
        queries.request_of(connection, JOB),
        queries.changed_at(connection, JOB),
        queries.best(connection, JOB, minimise=True),
        queries.best(connection, JOB, minimise=False),
        queries.failure_reasons(connection, JOB, 9),
        queries.objectives_after(connection, JOB, 0),
        queries.last_end(connection, JOB),
        queries.original_request(connection, row),
        metrics.last_metrics(connection, JOB, 2),
        metrics.reports(connection, JOB, 2, 9),
        metrics.metric_values(connection, JOB, 2, "objective", within),
        metrics.metric_names(connection, 99, training_job="job-2"),
        placements(connection, JOB),
        [tuple(job) for job in running_training_jobs(connection, JOB)],
        facts_under(connection, JOB, None),
        training_times(connection, JOB, at(20)),
        recorded_at(connection, JOB),
        tracker_states(connection, JOB),
        tracker_news(connection, JOB, Told(), (), 0),
        state_changes(connection, JOB, Told()),
        inherited.read_inherited(connection, JOB),
        inherited.best_inherited(connection, JOB, minimise=True),
        tags.read_tags(connection, JOB, 0),
        tags.read_tags(connection, JOB, 2),
        tags.tags_of(connection, [(JOB, 0), (JOB, 2)]),
        counters_of(connection, [JOB]),
        [each for each in ended_training_jobs(connection) if each.tuning_job == JOB],
        unfinished_among(connection, ["job"]),
        [each for each in failing_trackers(connection) if each[0] == "job"],
    ]


def act(stores, name, do, number=None):
    """Do the same in both stores, and expect that nothing else has changed, and that the same is left."""
    left = []
    for store in stores:
        others = rest(store, number)
        do(store)
        assert rest(store, number) == others, name
        left.append(rows_of(store, lambda table, row: owner_of(table, row) == JOB))
    assert left[0] == left[1], name


def expect_the_same_to_be_read(stores):
    read = []
    for store in stores:
        with store.reading() as connection:
            read.append([repr(each) for each in seen(connection)])
    assert read[0] == read[1]


def test_each_training_job_has_its_own_place_and_its_time_counts_once(stores):
    for store in stores:
        with store.reading() as connection:
            assert {number: place.node for number, place in placements(connection, JOB).items()} == {2: "b", 3: "c"}
            assert training_times(connection, JOB, at(4)) == [(None, 2.0, 3.0)]
            own = [metrics.metric_names(connection, 99, training_job=f"job-{number}") for number in (1, 2)]
            assert [[metric for _, metric in names] for names in own] == [
                ["objective", "other"],
                ["objective", "other", "own"],
            ]
            assert metrics.metric_names(connection, 99, metric="own")[0] == ("job-2", "own")


def test_what_is_done_to_one_job_leaves_all_others_as_they_were(stores):
    for name, (do, number) in ACTIONS.items():
        act(stores, name, do, number)
        if name in ("tell a webhook", "record", "finish"):
            expect_the_same_to_be_read(stores)
    act(stores, "delete", lambda store: store.delete("job"))


def test_what_is_left_of_a_deleted_job_goes_with_its_last_training_job(stores):
    act(stores, "detach", lambda store: store.detach("job"))
    for number in (1, 2, 3):
        act(stores, f"delete {number}", lambda store, number=number: store.delete_training_job(JOB, number))
    for store in stores:
        assert not any(rows_of(store, lambda table, row: owner_of(table, row) == JOB)[tuning_jobs.name])


def test_changes_are_told_once_however_many_facts_are_read_at_once(stores):
    store, changes = stores[0], {}
    for name in ("stop a training job", "stop", "record", "finish"):
        ACTIONS[name][0](store)
    with store.reading() as connection:
        _, end = state_changes(connection, JOB, Told())
        for window in (1, 2, 3, 100):
            told, changes[window] = Told(), []
            while told != end:
                more, told = state_changes(connection, JOB, told, window)
                changes[window] += more
    assert changes[1] == changes[2] == changes[3] == changes[100]
    assert [change.status for change in changes[100]][-3:] == ["Stopping", "Completed", "Stopped"]


def test_a_tuning_job_is_left_to_a_server_where_its_training_jobs_run(stores):
    store = stores[1]
    for name in ("job-2", "job-3"):
        store.place("job", name, Placement(attempt=1, node="here"))
    assert [job.name for job in store.claimable(lambda _: True, "here")] == ["job", "left", "right"]
    store.beat("other", "b", "http://127.0.0.1:1")
    assert [job.name for job in store.claimable(lambda _: True, "here")] == ["job"]
    assert [job.name for job in store.claimable(lambda _: True, "b")] == ["job", "left", "right"]
    for name in ("job", "left"):
        store.claim(name, "me", "here", lambda _: True)
    assert (store.elsewhere("me", "here"), store.loads()) == (["left"], {"other": 0})
