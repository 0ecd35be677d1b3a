"""What the store answers to each question about some tuning jobs is what answers.txt says, in both databases.

`python -m tests.store.test_recorded_answers` writes the file anew; git then shows what a change means for whoever asks.
"""

import math
import tempfile
from dataclasses import replace
from pathlib import Path

from alfine.core import single_training_job
from alfine.core.facts import Ended, Launched, Reported, Started, StopAsked
from alfine.core.inherited import Inherited
from alfine.core.read_spec import read_spec
from alfine.core.verdict import Outlook, Verdict
from alfine.store import conditions, inherited, metrics, names, queries, tags
from alfine.store.algorithms import Algorithm
from alfine.store.conditions import ALGORITHMS, TRAINING_JOBS, TUNING_JOBS
from alfine.store.counters import counters_of
from alfine.store.ended import ended_training_jobs, unfinished_among
from alfine.store.forced_stop import running_training_jobs
from alfine.store.leases import is_gone, is_served, serves
from alfine.store.pages import LARGEST, Page, algorithm_page, training_job_page, tuning_job_page
from alfine.store.placement import Placement
from alfine.store.placements import placements
from alfine.store.records import tuning_job_of
from alfine.store.state_changes import Told, state_changes
from alfine.store.store import Store
from alfine.store.totals import ping, reserved_training_jobs, totals
from alfine.store.tracker_cursors import TrackerCursors, failing_trackers, tracker_states
from alfine.store.tracker_news import tracker_news
from alfine.store.training_job_table import OPERATORS, Comparison, TableColumn, TableSelection, TrainingJobTable
from alfine.store.training_times import recorded_at, training_times
from alfine.store.tuning_job_table import SORTS, TuningJobSelection, selected_tuning_jobs, tuning_job_count
from tests.building import at, several, spec
from tests.store.recorded import Written, written_anew
from tests.store.silence import fall_silent

FILE = Path(__file__).with_name("answers.txt")

FALLS, PARTS, EMPTY, REMOVED, LONE, MANY = 1, 2, 3, 4, 5, 6
STOP = Verdict(outlook=Outlook.STOP, criterion="MaxCost", sentence="It is spent.")
LIMIT = Verdict(outlook=Outlook.STOP, criterion="MaxTime", sentence="It is over.")

ENDS = {  # the number of a training job: how it ended, as (status, objective, reason)
    1: ("Completed", 3.0, None),
    2: ("Failed", 0.5, "it broke 100 %"),
    3: ("Completed", 1.0, None),
    4: ("Completed", 1.0, None),
    5: ("Stopped", math.inf, None),
    6: ("Completed", -math.inf, None),
    7: ("Completed", None, None),
    8: ("Failed", None, "InternalServerError: its machine is gone"),
    9: ("Stopped", LARGEST, None),
    10: ("Completed", -LARGEST, None),
}


def lives(_):
    return True


def ended(_):
    return False


def only_b(engine):
    return engine == "b"


def inherits(number, objective):
    instants = {"created_at": at(0), "started_at": at(1), "ended_at": at(2)}
    words = {"hyperparameters": {}, "static": {}, "status": "Completed"}
    return Inherited(parent="old", name=f"old-{number}", objective=objective, **instants, **words)


def made(store):
    """Fill a store with tuning jobs: one with training jobs that ended in every way, run and wait; one of two definitions; and others."""
    words = {"max_training_jobs": 90, "max_parallel": 3, "price_per_hour": 0.6, "instances": 2}
    parents = [inherits(1, 2.0), inherits(2, 1.0), inherits(3, 1.0), inherits(4, 3.0), inherits(5, 3.0)]
    falls = store.create(spec(name="falls", **words), at(0), parents, trackers=["mlflow", "wandb"])
    facts = []
    waiting = {"eta": 0.5, "depth": 1, "booster": "dart"}
    for number, (status, objective, reason) in ENDS.items():
        values = {"eta": number / 10, "depth": 11 - number, "booster": "dart" if number % 3 else "gb%tree"}
        facts += [Launched(at=at(number), number=number, name=f"falls-{number:02}", hyperparameters=values)]
        facts += [Started(at=at(number + 0.5), number=number)] if number != 7 else []
        for step in range(1, number % 4 + 1):
            facts += [Reported(at=at(number + step), number=number, metric="loss", step=step, value=number - step / 4)]
            facts += [Reported(at=at(number + step), number=number, metric="Accuracy", step=step, value=step / 8)]
        if status == "Stopped":
            facts += [StopAsked(at=at(number + (1.5 if number == 5 else 0.5)), number=number, reason="Too slow")]
        uploaded = at(99) if number == 3 else None
        end = {"status": status, "objective": objective, "failure_reason": reason, "uploaded_at": uploaded}
        facts += [Ended(at=at(2.25 * number + 10), number=number, **end)]
    for number in (11, 12, 13):
        facts += [Launched(at=at(40), number=number, name=f"falls-{number:02}", hyperparameters=waiting)]
    facts += [
        Started(at=at(41), number=11),
        Started(at=at(42), number=12),
        StopAsked(at=at(43), number=12, reason="asked"),
    ]
    places = {11: Placement(runner="ray", node="n", slot="s"), 12: Placement(node="n")}
    store.record(falls.id, 0, facts, texts=falls.spec().texts, places=places)
    store.count_failed_tries("falls-13", 2)
    store.annotate(falls.id, "the First one", {"team": "Vision", "alfine:seed": "7"})
    store.tag(falls.id, 3, {"good": "yes"})
    both = several({"goal": "Maximize"}, {"goal": "Maximize", "instances": 4}, name="Parts", price_per_hour=1.0)
    of_two(store, store.create(read_spec(both), at(20)))
    store.create(spec(name="empty"), at(10))
    removed = store.create(spec(name="removed"), at(30)).id
    launched = Launched(at=at(31), number=1, name="removed-1", hyperparameters={"eta": 0.5})
    store.record(removed, 0, [launched, Started(at=at(31), number=1), Ended(at=at(32), number=1, status="Completed")])
    store.finish("removed", "Completed", at(33))
    store.detach("removed")
    asked = {"TrainingJobName": "Lone", "AlgorithmSpecification": {"TrainingImage": "image"}}
    store.create(read_spec(single_training_job.tuning_job_of(asked, at(34))), at(34))
    of_many_metrics(store)
    for number, name in enumerate(("Alpha", "beta", "gamma")):
        store.create_algorithm(Algorithm(name=name, request={}, tags={}, created_at=at(3 - number)))


def of_two(store, job):
    facts = []
    for number, definition, objective in ((1, "a", 0.25), (2, "b", 0.75), (3, "b", 0.75), (4, "a", 0.5), (5, "c", 9.0)):
        facts += [
            Launched(
                at=at(20 + number),
                number=number,
                name=f"parts-{number}",
                hyperparameters={"eta": 0.5},
                definition=definition,
            )
        ]
        facts += [Started(at=at(21 + number), number=number)] if number != 4 else []
        facts += [Ended(at=at(50), number=number, status="Completed", objective=objective)] if number != 3 else []
    store.record(job.id, 0, facts, judged=(len(facts), STOP, [STOP, LIMIT]))
    store.request_stop("Parts", at(60))
    store.finish("Parts", "Completed", at(70))
    store.annotate(job.id, None, {"team": "Vision_2", "other": "vision"})


def of_many_metrics(store):
    job = store.create(spec(name="many", goal="Maximize", max_training_jobs=2), at(35))
    launched = [
        Launched(at=at(36), number=number, name=f"many-{number}", hyperparameters={"eta": 0.5}) for number in (1, 2, 3)
    ]
    reports = [Reported(at=at(37 + n), number=3, metric="loss", step=n, value=n) for n in range(1, 4)]
    store.record(job.id, 0, [*launched, Started(at=at(36), number=3), *reports])
    before = job.request
    store.change("many", before, spec(name="many", goal="Maximize", max_training_jobs=3), at(45))
    store.request_stop("many", at(46))
    store.finish("many", "Stopped", at(46.5))
    store.change("many", store.get("many").request, spec(name="many", goal="Maximize", max_training_jobs=5), at(47))


def of_jobs(store, ask):
    for name in ("falls", "FALLS", "nope", "removed", "falls-"):
        ask(queries.state, name)
        ask(queries.tuning_job_id, name)
    for job in (FALLS, 99):
        ask(queries.tuning_job, job)
    ask(row_id, "falls", to_write=False)
    ask(row_id, "nope")
    ask(queries.request_of, FALLS)
    ask(queries.requests_of, [FALLS, PARTS, FALLS, 99])
    ask(queries.last_change)
    ask(maximum_of_original, "many")
    ask(maximum_of_original, "falls")
    ask(queries.changed_at, MANY)
    ask(queries.training_job_folders)
    for name in ("falls-03", "FALLS-03", "lone", "nope"):
        ask(queries.training_job, name)
        ask(queries.training_job_in_any_case, name)
    ask(queries.training_job_and_request, "falls-12")
    ask(numbers_of, FALLS)
    ask(queries.progress, FALLS)
    for minimise in (True, False):
        for ranked in (None, "a", "b"):
            ask(best, PARTS, minimise=minimise, ranked=ranked)
        ask(best, FALLS, minimise=minimise)
        ask(best, EMPTY, minimise=minimise)
        ask(inherited.best_inherited, FALLS, minimise=minimise)
        ask(inherited.best_inherited, EMPTY, minimise=minimise)
    ask(best, FALLS, minimise=True, number=2)
    ask(best, FALLS, minimise=True, number=99)
    ask(queries.failure_reasons, FALLS, 1)
    ask(queries.failure_reasons, FALLS, 9)
    ask(queries.objectives_after, FALLS, 0)
    ask(queries.objectives_after, PARTS, 3, "b")
    for job in (FALLS, PARTS, EMPTY):
        ask(queries.last_end, job)
        ask(recorded_at, job)
        for now in (0, 42, 43.5, 100):
            ask(times, job, at(now))
    ask(counters_of, [FALLS, PARTS, EMPTY, 99])
    ask(counters_of, [])
    ask(launched, FALLS)
    for name in ("falls", "Parts"):
        ask(verdicts, name)
    for number in (1, 2, 5, 7):
        ask(result_of, number)
    ask(ended_training_jobs)
    ask(unfinished_among, ["falls-01", "falls-11", "nope"])
    ask(placements, FALLS)
    ask(running, FALLS)
    ask(reserved_training_jobs)
    ask(ping)


def times(connection, job, now):
    return sorted(training_times(connection, job, now), key=str)


def row_id(connection, name, *, to_write=False):
    return queries.tuning_job_row(connection, name, to_write=to_write).id


def maximum_of_original(connection, name):
    return queries.original_request(connection, queries.tuning_job_row(connection, name))


def numbers_of(connection, job):
    return [row.number for row in queries.training_jobs_of(connection, job)]


def best(connection, job, **words):
    found = queries.best(connection, job, **words)
    return found and found.number


def launched(connection, job):
    return counters_of(connection, [job])[job].launched


def verdicts(connection, name):
    job = tuning_job_of(queries.tuning_job_row(connection, name))
    return job.verdict, job.verdicts, job.ended, job.spec()


def result_of(connection, number):
    row = queries.training_job(connection, f"falls-{number:02}")
    return row.valid_objective, row.hyperparameters


def running(connection, job):
    return [tuple(row) for row in running_training_jobs(connection, job)]


def of_metrics(_store, ask):
    for number in (3, 4, 12):
        ask(metrics.last_metrics, FALLS, number)
    ask(metrics.last_metrics_of, [(FALLS, 3), (FALLS, 4), (MANY, 3)])
    for most in (1, 3, 99):
        ask(metrics.reports, FALLS, 3, most)
    for since, until in ((4, 6), (3.5, 6.5), (5, 5)):
        ask(metrics.metric_values, FALLS, 3, "loss", (at(since), at(until)))
    ask(metrics.metric_names, 3)
    ask(metrics.metric_names, 99, after="falls-05")
    ask(metrics.metric_names, 99, after="falls-05", metric="loss")
    ask(metrics.metric_names, 99, training_job="falls-03")
    ask(metrics.metric_names, 99, since=at(12))
    ask(metrics.metric_names, 99, since=at(12.5))


def of_conditions(_store, ask):
    training = {
        "nothing": conditions.nothing(),
        "after": conditions.after(TRAINING_JOBS, "created_at", at(9)),
        "before": conditions.before(TRAINING_JOBS, "created_at", at(2)),
        "modified after": conditions.after(TRAINING_JOBS, "modified_at", at(43)),
        "modified before": conditions.before(TRAINING_JOBS, "modified_at", at(14.5)),
        "equals": conditions.equals(TRAINING_JOBS, "status", "Failed"),
        "one of": conditions.one_of(TRAINING_JOBS, "status", ["Failed", "Stopping"]),
        "contains": conditions.contains(TRAINING_JOBS, "failure_reason", "100 %"),
        "contains no pattern": conditions.contains(TRAINING_JOBS, "name", "falls_0"),
        "name contains": conditions.name_contains(TRAINING_JOBS, "LONE"),
        "has tag": conditions.has_tag(TRAINING_JOBS, "good"),
        "has tag yes": conditions.has_tag(TRAINING_JOBS, "good", "yes"),
        "has tag no": conditions.has_tag(TRAINING_JOBS, "good", "no"),
        "of": conditions.of_tuning_job(PARTS),
        "of named": conditions.of_tuning_job_named("REMOVED"),
        "of named parts": conditions.of_tuning_job_named("parts"),
        "of named part": conditions.of_tuning_job_named("part"),
        "started": conditions.has_started() & conditions.of_tuning_job(FALLS),
        "starts with": conditions.name_starts_with("parts-"),
        "from": conditions.name_from("parts-2"),
    }
    tuning = {
        "after": conditions.after(TUNING_JOBS, "created_at", at(10)),
        "before": conditions.before(TUNING_JOBS, "created_at", at(10)),
        "has tag": conditions.has_tag(TUNING_JOBS, "team"),
        "has tag Vision": conditions.has_tag(TUNING_JOBS, "team", "Vision"),
        "has tag of a training job": conditions.has_tag(TUNING_JOBS, "good"),
    }
    everything = Page("name", descending=False, size=99)
    for name, condition in training.items():
        ask(named(training_job_page, name), everything, [condition])
    for name, condition in tuning.items():
        ask(named(tuning_job_page, name), everything, [condition])
    ask(named(algorithm_page, "name contains"), everything, [conditions.name_contains(ALGORITHMS, "A")])
    ask(tag_of_an_algorithm)


def named(page_of, name):
    """The names of a page alone, of what meets a condition."""

    def names(connection, *words):
        return [row.name for row in page_of(connection, *words)]

    names.__name__ = f"{page_of.__name__} «{name}»"
    return names


def tag_of_an_algorithm(_connection):
    return conditions.has_tag(ALGORITHMS, "team")


def of_pages(_store, ask):
    mine = [conditions.of_tuning_job(FALLS)]
    for descending in (False, True):
        for sort, place in {
            "name": "x",
            "status": "Failed",
            "objective": 1.0,
            "created_at": at(4),
            "modified_at": at(19),
        }.items():
            for after in (None, (place, "falls-04")):
                ask(named(training_job_page, "mine"), Page(sort, descending, 4, after), mine)
        for sort, place in {"name": "x", "status": "InProgress", "created_at": at(10), "modified_at": at(10)}.items():
            for after in (None, (place, "empty")):
                ask(named(tuning_job_page, "all"), Page(sort, descending, 2, after), [])
        for sort, place in {"name": "x", "created_at": at(2)}.items():
            for after in (None, (place, "beta")):
                ask(named(algorithm_page, "all"), Page(sort, descending, 2, after), [])


COLUMNS = (
    TableColumn("number", "number", numeric=True),
    TableColumn("objective", "objective", numeric=True),
    TableColumn("duration", "duration", numeric=True),
    TableColumn("status", "status"),
    TableColumn("definition", "definition"),
    TableColumn("started", "started"),
    TableColumn("reason", "reason"),
    TableColumn("eta", "hyperparameter", numeric=True, hyperparameter="eta"),
    TableColumn("booster", "hyperparameter", hyperparameter="booster"),
)


def of_tables(_store, ask):
    number = COLUMNS[0]
    for column in COLUMNS:
        for descending in (False, True):
            ask(table_numbers, TableSelection(sort=column, descending=descending))
    for column, value in zip(COLUMNS, (3, 1.0, 15.75, "failed", "", None, "TOO SLOW", 0.5, "dart"), strict=True):
        for operator in OPERATORS if value is not None else ():
            ask(table_numbers, TableSelection(sort=number, comparisons=[Comparison(column, operator, value)]))
    for texts in (["DART"], ["gb%"], ["b_t"], ["100 %"], ["too"], ["falls-1", "0.5"], ["stopping"], ["booster"], ['"']):
        ask(table_numbers, TableSelection(sort=number, texts=texts))
    two = TableSelection(sort=number, statuses=["Failed", "Stopping"])
    ask(table_numbers, two)
    ask(table_page, two, 2, 0)
    ask(table_page, two, 2, 1)
    ask(table_page, two, 9, 3)
    for name in ("falls-02", "falls-08", "falls-12", "falls-01"):
        ask(table_place, two, name)
    ask(table_place, TableSelection(sort=number, texts=["falls-05"]), "falls-05")


def table_numbers(connection, selection):
    table = TrainingJobTable(connection, FALLS, at(60))
    numbers = table.numbers(selection)
    assert table.count(selection) == len(numbers)
    return numbers


def table_page(connection, selection, size, begin):
    return [row.number for row in TrainingJobTable(connection, FALLS, at(60)).page(selection, size, begin)]


def table_place(connection, selection, name):
    return TrainingJobTable(connection, FALLS, at(60)).place(selection, name)


def of_tuning_job_tables(_store, ask):
    for descending in (False, True):
        for sort in SORTS:
            ask(selected, TuningJobSelection(sort=sort, descending=descending))
    for words in (
        {"texts": ["first"]},
        {"texts": ["VISION"]},
        {"texts": ["vision_"]},
        {"texts": ["seed"]},
        {"texts": ["team", "fall"]},
        {"texts": ["good"]},
        {"names": ["PART"]},
        {"names": ["m", "y"]},
        {"tags": [("team", None)]},
        {"tags": [("team", "Vision"), ("alfine:seed", "7")]},
        {"statuses": ["Stopped", "Failed"]},
    ):
        ask(selected, TuningJobSelection(**words))
    for text in ("v_sion", "f_lls", "f_rst"):
        ask(selected, TuningJobSelection(texts=[text]))
    ask(selected, TuningJobSelection(sort="cost"), now=0)
    ask(selected, TuningJobSelection(), size=2)
    ask(selected, TuningJobSelection(), size=2, begin=1)


def selected(connection, selection, size=99, begin=0, now=80):
    found = [job.name for job in selected_tuning_jobs(connection, selection, size, begin, at(now))]
    return found, tuning_job_count(connection, selection)


def of_news(store, ask):
    for told, window in (
        (Told(), 99),
        (Told(), 10),
        (Told(10, "InProgress"), 10),
        (Told(11), 1),
        (Told(90, "InProgress"), 99),
    ):
        ask(changes, FALLS, told, window)
    facts = store.get("Parts").facts
    for told in (
        Told(),
        Told(facts - 1, "InProgress"),
        Told(facts, "InProgress"),
        Told(facts, "Stopping"),
        Told(facts, "Stopped"),
    ):
        ask(changes, PARTS, told, 99)
    for told in (
        Told(facts, "Completed"),
        Told(facts - 1, "Completed"),
        Told(facts - 1, "Stopped"),
        Told(facts - 2, "Failed"),
    ):
        ask(changes, PARTS, told, 99)
    for job in (EMPTY, REMOVED, LONE, 99):
        ask(changes, job, Told(), 99)
    for told, opened, after in (
        (Told(), (), 0),
        (Told(8, "InProgress"), (1, 2), 3),
        (Told(30, "InProgress"), (3, 5), 30),
    ):
        ask(news, FALLS, told, opened, after)
    for fact in (3, 5, 6, 7):
        ask(news, MANY, Told(fact, "InProgress"), (3,), 5)
    for told in (Told(), Told(facts, "Completed"), Told(facts, "Stopped"), Told(facts - 1, "Stopping")):
        ask(news, PARTS, told, (1,), 5)
    ask(tracker_news, 99, Told(), (), 0)
    ask(tags.tags_of, [(FALLS, 0), (FALLS, 3), (EMPTY, 0), (99, 1)])
    ask(tags.read_tags, FALLS, 3)


def changes(connection, job, told, window):
    found, then = state_changes(connection, job, told, window)
    of_job = ("name", "status", "started_at", "stop_asked_at", "ended_at", "objective", "modified_at")
    shown = [
        (each.fact, each.status, each.at, *(getattr(each.training_job, name) for name in of_job if each.training_job))
        for each in found
    ]
    return shown, then


def news(connection, job, told, opened, after):
    found = tracker_news(connection, job, told, opened, after)
    training = [
        (each.row.number, [(point.metric, point.step, point.value) for point in each.points], each.is_whole)
        for each in found.training_jobs
    ]
    return found.job.name, training, [end.name for end in found.ends], found.told, found.is_all


def of_engines(store, ask):
    ask(totals_in_short, store)
    for engine, node, url in (("a", "n", "http://a"), ("b", "n", None), ("c", "elsewhere", "http://c")):
        store.beat(engine, node, url)
    store.claim("falls", "b", "n", lives)
    store.claim("empty", "c", "elsewhere", lives)
    ask(totals_in_short, store)
    for engine in ("a", "b", "nobody"):
        ask(serves, engine)
        ask(is_gone, engine, lives)
        ask(is_gone, engine, ended)
    ask(is_served, lives)
    ask(is_served, ended)
    ask(is_served, only_b)
    ask(claimable, store, "n")
    ask(claimable, store, "elsewhere")
    ask(elsewhere, store, "b", "n")
    ask(elsewhere, store, "b", "third")
    ask(elsewhere, store, "c", "third")
    fall_silent(store, "a")
    ask(elsewhere, store, "b", "third")
    ask(is_gone, "a", lives)
    ask(is_served, lives)
    fall_silent(store, "c")
    ask(is_served, lives)
    ask(totals_in_short, store)
    mlflow, wandb = TrackerCursors(store.database, "mlflow"), TrackerCursors(store.database, "wandb")
    for number, cursors in enumerate((mlflow, wandb)):
        cursors.claim(FALLS, "b", at(0), at(9), lives)
        cursors.fail(FALLS, "b", "it broke", at(5 - number))
    wandb.tell(FALLS, "b", Told(5, "InProgress"), "https://x")
    ask(tracker_states, FALLS)
    ask(failing_trackers)
    wandb.fail(FALLS, "b", "again", at(2))
    ask(failing_trackers)


def claimable(_connection, store, node):
    return store.claimable(ended, node)


def elsewhere(_connection, store, engine, node):
    return store.elsewhere(engine, node)


def totals_in_short(connection, store):
    found = totals(connection, store.silence)
    return replace(found, oldest_heartbeat_seconds=found.oldest_heartbeat_seconds > store.silence.total_seconds())


def of_names(_store, ask):
    for name in ("FALLS", "fall", "removed"):
        ask(names.check_tuning_job_name, name)
    for name in (
        "LONE",
        "falls-1",
        "falls-014-0123abcd",
        "parts-014-0123abcd",
        "falls-14-0123abcd",
        "falls-014-0123abc",
    ):
        ask(names.check_training_job_name, name)


PARTS_OF_IT = (
    of_jobs,
    of_metrics,
    of_conditions,
    of_pages,
    of_tables,
    of_tuning_job_tables,
    of_news,
    of_names,
    of_engines,
)


def lines_of(store):
    made(store)
    written = Written(store)
    for part in PARTS_OF_IT:
        written.heading(part.__name__)
        part(store, written.ask)
    return written.lines


def test_answers_are_what_was_recorded(database_url):
    store = Store(database_url)
    try:
        assert lines_of(store) == FILE.read_text(encoding="utf-8").splitlines()
    finally:
        store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        written_anew(FILE, lines_of(Store(f"sqlite:///{folder}/alfine.db")))
