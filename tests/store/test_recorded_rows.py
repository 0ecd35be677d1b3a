"""What each method of the store that writes returns and raises, and which rows it changes, is what rows.txt says, in both databases.

`python -m tests.store.test_recorded_rows` writes the file anew; git then shows what a change means for what is stored.
"""

import tempfile
from datetime import timedelta
from pathlib import Path

from alfine import Continuous
from alfine.core.facts import Ended, Launched, Reported, Started, StopAsked, TimePassed, TuningJobStopAsked
from alfine.core.inherited import Inherited
from alfine.core.read_spec import read_spec
from alfine.core.single_training_job import tuning_job_of
from alfine.core.verdict import Outlook, Verdict
from alfine.store.access_keys import AccessKey
from alfine.store.algorithms import Algorithm
from alfine.store.console_tokens import ConsoleToken, ConsoleTokens
from alfine.store.placement import Placement
from alfine.store.records import Record
from alfine.store.state_changes import Told
from alfine.store.store import Store
from alfine.store.stored_keys import StoredKeys
from alfine.store.tracker_cursors import TrackerCursors
from alfine.store.webhook_cursors import WebhookCursors
from tests.building import at, spec
from tests.store.recorded import Written, written_anew
from tests.store.silence import fall_silent

FILE = Path(__file__).with_name("rows.txt")

ONLY_POSTGRESQL = ("  servers left:there is new: node 'there', seen_at now",)
"""Who leaves SQLite, leaves nothing that another machine would have to wait for."""

WORDS = {"space": {"x": Continuous(0, 1)}, "max_training_jobs": 9}
STOP = Verdict(outlook=Outlook.STOP, criterion="StopRequested", sentence="A user asked.")
GOES_ON = Verdict(outlook=Outlook.CONTINUE, criterion="MaxTime", sentence="There is time.")
MICROSECOND = timedelta(microseconds=1)


def lives(_):
    return True


def ended(_):
    return False


def only_a(engine):
    return engine == "a"


def is_silent(store, node):
    silence = store.silence_of(node)
    return silence and silence > store.silence


def refuses(_):
    raise ValueError("not this one")


def job(name, **words):
    return spec(name=name, **{**WORDS, **words})


def with_tags(name, *, number=9, **tags):
    request = dict(job(name, max_training_jobs=number).request)
    return read_spec({**request, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]})


def alone(name, **words):
    asked = {"TrainingJobName": name, "AlgorithmSpecification": {"TrainingImage": "image"}, **words}
    return read_spec(tuning_job_of(asked, at(0)))


def parent(number):
    return Inherited(
        parent="parent",
        name=f"parent-{number}",
        hyperparameters={"x": "0.5"},
        static={"y": "1"},
        status="Completed",
        created_at=at(0),
        started_at=at(1),
        ended_at=at(2),
        objective=float(number),
    )


def launched(number, name="job", **words):
    return Launched(at=at(number), number=number, name=f"{name}-{number}", hyperparameters={"x": number / 10}, **words)


def spelled(definition, values):
    return {name: f"{definition}:{value}" for name, value in values.items()}


def of_creation(store, do):
    job_a = job("job", price_per_hour=2.0)
    do(store.create, job_a, at(0), [parent(1), parent(2)], trackers=["wandb", "mlflow", "wandb"])
    do(store.create, job("JOB"), at(1))
    do(store.create, job("undone"), at(1), check=refuses)
    do(store.create, alone("lone"), at(2))
    do(store.create, alone("LONE"), at(3))
    do(store.create, alone("job-001-0123abcd"), at(3))
    do(store.create, alone("job-01-0123abcd"), at(3))
    do(deleted, store, alone("job-01-0123abcd").name)
    do(store.finish, "job", "Completed", at(3))
    do(store.create, alone("job-001-0123abcd"), at(3))
    do(store.change, "job", job_a.request, job_a, at(4))
    facts = (Launched(at=at(5), number=1, name="there-1", hyperparameters={"x": 0.5}), Started(at=at(6), number=1))
    loaded = {"spec": job("there"), "created_at": at(5), "ended_at": at(9), "status": "Failed", "failure_reason": "no"}
    do(store.load, Record(facts=facts, **loaded))
    do(store.load, Record(facts=facts, **loaded | {"spec": job("again")}))
    do(store.get, "nope")
    do(store.original, "job")


def of_facts(store, do):
    fresh = store.create(job("facts"), at(0)).id
    known = 0

    def record(*facts, missing=0, **words):
        nonlocal known
        do(store.record, fresh, known - missing, facts, **words)
        known = store.get("facts").facts

    places = {2: Placement(attempt=3, runner="ray", node="n", slot="s", pending="p")}
    record(launched(1, "f"), launched(2, "f", definition="d"), launched(3, "f"), texts=spelled, places=places)
    record(launched(4, "f"), launched(5, "f"), launched(6, "f"))
    record(
        Started(at=at(7), number=1), Reported(at=at(8), number=1, metric="m", step=1, value=0.5), offsets={1: 7, 2: 5}
    )
    record(Started(at=at(9), number=1))
    record(StopAsked(at=at(9), number=1, reason="slow"))
    record(StopAsked(at=at(9), number=1, reason="slow"))
    record(Started(at=at(9), number=1))
    record(Ended(at=at(10), number=1, status="Stopped", objective=0.5, uploaded_at=at(11)))
    for fact in (Started, StopAsked, Ended):
        record(fact(at=at(12), number=1, **{StopAsked: {"reason": "slow"}, Ended: {"status": "Failed"}}.get(fact, {})))
    record(StopAsked(at=at(12), number=2, reason="slow"), Started(at=at(12), number=2))
    record(Ended(at=at(13), number=2, status="InProgress"))
    record(Ended(at=at(13), number=2, status="Completed"))
    record(Ended(at=at(14), number=3, status="Failed", failure_reason="it broke"))
    record(Started(at=at(14), number=4), Started(at=at(14), number=4))
    record(Started(at=at(14), number=4), Ended(at=at(15), number=4, status="Completed"), offsets={4: 9})
    record(StopAsked(at=at(15), number=5, reason=""), Ended(at=at(16), number=5, status="Stopped"))
    record(TimePassed(at=at(17)))
    record(TuningJobStopAsked(at=at(17)))
    record(launched(6, "g"))
    record(Started(at=at(17), number=9))
    record(TimePassed(at=at(18)), missing=1)
    record(TimePassed(at=at(18)), missing=-1)
    record(judged=(known, STOP, [GOES_ON, STOP]))
    record(judged=(known - 1, GOES_ON, []))
    epoch = do(store.claim, "facts", "a", "here", lives)
    record(TimePassed(at=at(19)), epoch=epoch)
    record(TimePassed(at=at(20)), epoch=epoch + 1)
    record(TimePassed(at=at(20)), epoch=epoch, missing=1)
    do(store.record, 99, 0, [])
    for each in (None, epoch, epoch + 1):
        do(store.overtaken, fresh, known, each)
    do(store.overtaken, fresh, known - 1)
    do(store.overtaken, fresh, known + 1)
    do(store.overtaken, 99, known)


def of_engines(store, do):
    for name, instant in (("one", 5), ("two", 4)):
        store.create(job(name), at(instant))
    do(store.claim, "nope", "a", "here", lives)
    do(store.claim, "one", "a", "here", lives)
    do(store.claim, "one", "a", "here", ended)
    do(store.claim, "one", "b", "there", lives)
    do(store.claimable, lives, "here")
    do(store.claimable, only_a, "here")
    do(store.claimable, ended, "here")
    do(store.claim, "one", "b", "there", ended)
    do(store.beat, "b", "there", "http://b")
    do(store.beat, "b", "there")
    do(store.beat, "b", "there", "http://c")
    do(store.beat, "c", "third", "http://c")
    do(store.engines)
    do(store.loads)
    do(store.release, "one", 1)
    do(store.release, "one", 2)
    do(store.claim, "one", "a", "here", lives)
    fall_silent(store, "a")
    fall_silent(store, "c")
    do(store.engines)
    do(store.loads)
    do(store.claimable, lives)
    for node in ("here", "there", "nowhere"):
        do(is_silent, store, node)
    do(store.claim, "two", "b", "there", lives)
    do(store.claim, "one", "b", "there", lives)
    do(store.leave, "nobody")
    do(store.leave, "b")
    do(store.unfinished)
    do(sorted_facts, store)
    fall_silent(store, "a", timedelta(hours=23))
    fall_silent(store, "c", timedelta(days=1))
    do(store.leave, "nobody")


def of_places(store, do):
    store.record(
        id_of(store, "one"), 0, [launched(1, "one"), launched(2, "one"), Ended(at=at(9), number=2, status="Failed")]
    )
    store.record(id_of(store, "one"), 3, [], offsets={1: 50})
    epoch = store.get("one").epoch
    place = Placement(attempt=1, runner="ray", node="n", slot="s", pending="p")
    do(store.place, "one", "one-1", place)
    do(store.place, "one", "one-1", Placement(attempt=2, node="n"), epoch)
    do(store.place, "one", "one-1", place, epoch + 1)
    do(store.place, "one", "one-2", place)
    do(store.place, "two", "one-1", place)
    do(store.place, "nope", "one-1", place)
    do(store.pend, "one", "one-1", "no GPU is free", epoch)
    do(store.pend, "one", "one-1", "no GPU is free", epoch - 1)
    do(store.pend, "one", "one-1", None)
    do(store.count_failed_tries, "one-1", 3)
    do(store.count_failed_tries, "one-1", 4, epoch)
    do(store.count_failed_tries, "one-1", 5, epoch + 1)
    within = timedelta(seconds=10)
    do(store.count_failed_run, "one", at(10), within)
    do(store.count_failed_run, "one", at(20), within)
    do(store.count_failed_run, "one", at(30) + MICROSECOND, within)
    do(store.count_failed_run, "one", at(31), within)
    do(store.count_failed_run, "nope", at(31), within)


def sorted_facts(store):
    return sorted(store.facts_of_unfinished().items())


def deleted(store, name):
    return sorted(store.delete(name))


def facts_of(store, name):
    return store.history(name).facts


def id_of(store, name):
    return store.get(name).id


def of_tags(store, do):
    one = id_of(store, "one")
    do(store.tag, one, 0, {"b": "1", "a": "2", "gone": None})
    do(store.tag, one, 1, {"c": "3"})
    do(store.tag, one, 0, {"b": None, "a": "4"})
    do(store.annotate, one, "a note", {"a": None, "d": "5"})
    do(store.annotate, one, None, {})
    do(store.annotate, one, "", {})
    do(store.tags, one, 0)
    do(store.tags, one, 1)
    do(store.tags, one, 2)


def of_users(store, do):
    first = with_tags("asked", kept="1", gone="2", new="3")
    asked = store.create(first, at(0))
    store.tag(asked.id, 0, {"own": "4"})
    store.record(asked.id, 0, [launched(number, "asked") for number in (1, 2, 3)])
    do(store.request_stop_of_training_job, "asked-1", at(4), "too slow")
    do(store.request_stop_of_training_job, "asked-1", at(5), "much too slow")
    do(store.request_stop_of_training_job, "asked-9", at(5), "too slow")
    store.record(asked.id, 4, [Ended(at=at(6), number=1, status="Stopped")])
    do(store.request_stop_of_training_job, "asked-1", at(7), "too slow")
    second = with_tags("asked", kept="5", more="6", number=12)
    do(store.change, "asked", second.request, second, at(8))
    do(store.change, "asked", first.request, second, at(8), refuses)
    do(store.change, "asked", first.request, second, at(8), lives)
    do(store.count_failed_run, "asked", at(9), timedelta(1))
    do(store.request_stop, "asked", at(9))
    do(store.request_stop, "asked", at(10))
    do(store.change, "asked", second.request, first, at(10))
    do(store.finish, "asked", "Completed", at(11), known=0)
    do(store.finish, "asked", "Completed", at(11), epoch=5)
    do(store.finish, "asked", "Completed", at(11), "why", known=store.get("asked").facts)
    do(store.finish, "asked", "Completed", at(12))
    do(store.request_stop, "asked", at(12))
    do(store.change, "asked", second.request, first, at(13))
    do(store.request_stop, "asked", at(14))
    do(store.finish, "asked", "Failed", at(15), "it broke")
    do(store.finish, "nope", "Failed", at(15))
    do(store.request_stop, "nope", at(15))
    do(facts_of, store, "asked")


def of_forced_ends(store, do):
    def forced(name, verdict, *, is_asked):
        made = store.create(job(name), at(0)).id
        facts = [launched(number, name) for number in (1, 2, 3, 4)]
        facts += [StopAsked(at=at(5), number=2, reason="slow"), Started(at=at(5), number=3)]
        store.record(made, 0, [*facts, Ended(at=at(6), number=4, status="Completed")], judged=(3, GOES_ON, [GOES_ON]))
        if is_asked:
            store.request_stop(name, at(7))
        store.claim(name, "a", "here", lives)
        do(store.force_end, name, at(9), "it hangs", verdict)
        do(store.force_end, name, at(9), "it hangs", verdict)

    forced("forced", None, is_asked=False)
    forced("forced-asked", None, is_asked=True)
    forced("stopped", STOP, is_asked=False)
    forced("stopped-asked", STOP, is_asked=True)
    do(store.force_end, "nope", at(9), "it hangs", None)


def of_removal(store, do):
    made = store.create(job("removed"), at(0), trackers=["mlflow"]).id
    value = Reported(at=at(5), number=1, metric="m", step=1, value=0.5)
    store.record(made, 0, [*(launched(number, "removed") for number in (1, 2, 3)), value])
    store.tag(made, 0, {"own": "1"})
    do(store.detach, "removed")
    do(store.detach, "removed")
    do(store.create, job("removed"), at(1))
    for number in (1, 1, 3, 2):
        do(store.delete_training_job, made, number)
    do(store.delete_training_job, id_of(store, "removed"), 1)
    do(deleted, store, "removed")
    do(deleted, store, "removed")
    do(deleted, store, "asked")
    do(store.delete_training_job, store.get(alone("lone").name).id, 1)


def of_algorithms(store, do):
    made = Algorithm(name="Mine", request={"AlgorithmName": "Mine"}, tags={"b": "1"}, created_at=at(1))
    do(store.create_algorithm, made)
    do(store.create_algorithm, Algorithm(name="MINE", request={}, tags={}, created_at=at(2)))
    do(store.create_algorithm, Algorithm(name="other", request={}, tags={}, created_at=at(2)))
    do(store.algorithm, "mINE")
    do(store.algorithm, "nope")
    do(store.tag_algorithm, "mine", {"b": None, "z": "2", "a": "3", "gone": None})
    do(store.tag_algorithm, "nope", {})
    uses = {"TrainingInputMode": "File", "AlgorithmName": "arn:aws:sagemaker:us-east-1:000000000000:algorithm/mine"}
    do(store.create, alone("user", AlgorithmSpecification=uses), at(3))
    do(store.create, alone("lost", AlgorithmSpecification={**uses, "AlgorithmName": "nope"}), at(3))
    do(store.delete_algorithm, "MINE")
    do(store.delete_algorithm, "nope")
    do(store.finish, alone("user").name, "Completed", at(4))
    do(store.delete_algorithm, "MINE")


def of_tokens(store, do):
    tokens = ConsoleTokens(store.database)
    for number, until in ((1, 20), (2, 10), (3, 30)):
        do(tokens.add, "session", f"token-{number}", ConsoleToken("key", f"form-{number}", at(until)), at(0), 9)
    do(tokens.add, "link", "token-1", ConsoleToken("key", "form", at(5)), at(0), 1)
    for kind, token, instant in (("session", "token-1", 20), ("session", "token-1", 21), ("link", "token-2", 1)):
        do(tokens.find, kind, token, at(instant))
    do(tokens.add, "session", "token-4", ConsoleToken("key", "form-4", at(40)), at(5), 3)
    do(tokens.add, "session", "token-5", ConsoleToken("key", "form-5", at(40)), at(20) + MICROSECOND, 3)
    do(tokens.take, "link", "token-1", at(1))
    do(tokens.take, "session", "token-3", at(30))
    do(tokens.take, "session", "token-3", at(30))
    do(tokens.take, "session", "token-4", at(41))
    do(tokens.shared_form_token, "first", at(99))
    do(tokens.shared_form_token, "second", at(99))
    keys = StoredKeys(store.database)
    do(keys.__bool__)
    do(keys.add, AccessKey("key", "secret", at(2)))
    do(keys.add, AccessKey("another", "secret", at(1)))
    do(keys.add, AccessKey("key", "changed", at(3)))
    do(keys.add, AccessKey("ke", "secret", at(3)))
    do(keys.add, AccessKey("empty", "", at(3)))
    do(keys.all)
    do(keys.secret, "key")
    do(keys.secret, "nope")
    do(keys.delete, "nope")
    do(keys.delete, "key")
    do(keys.__bool__)


def of_webhooks(store, do):
    hooks, one, two, url = WebhookCursors(store.database), id_of(store, "one"), id_of(store, "two"), "https://a"
    for name, instant in (("old", 1000), ("lately", 2000)):
        store.create(job(name), at(0))
        store.finish(name, "Completed", at(instant))
    do(hooks.claim, url, "a", at(2600), at(2700), lives)
    do(hooks.claim, url, "b", at(2650), at(2800), lives)
    do(hooks.claim, url, "b", at(2700), at(2800), lives)
    do(hooks.claim, url, "b", at(2700) + MICROSECOND, at(2800), lives)
    do(hooks.claim, url, "b", at(2700), at(2801), lives)
    do(hooks.claim, url, "c", at(2700), at(2801), ended)
    do(hooks.claim, "https://b", "c", at(2601), at(2801), ended)
    do(hooks.release, url, "b")
    do(hooks.tell, url, "b", at(2900), one, Told(1, "InProgress"))
    do(hooks.tell, url, "c", at(2900), one, Told(1, "InProgress"))
    do(hooks.tell, url, "c", at(2901), one, Told(2, "Stopping"))
    do(hooks.tell, url, "c", at(2901), id_of(store, "old"), Told(0, "InProgress"))
    do(hooks.tell, url, "c", at(2901), 99, Told(2, "Stopping"))
    do(hooks.since, url)
    do(hooks.behind, url)
    do(hooks.looked, url, "b", at(1), at(2))
    do(hooks.looked, url, "c", at(1600), at(3000))
    do(hooks.behind, url)
    do(hooks.looked, url, "c", at(1600) + MICROSECOND, at(3000))
    do(hooks.behind, url)
    do(hooks.tell, url, "c", at(2901), two, Told(store.get("two").facts, "Stopped"))
    do(hooks.tell, url, "c", at(2901), one, Told(store.get("one").facts, "InProgress"))
    do(hooks.behind, url)
    do(hooks.release, url, "c")
    do(hooks.tell, url, "c", at(2901), one, Told(9, "InProgress"))


def of_trackers(store, do):
    mlflow, one = TrackerCursors(store.database, "mlflow"), id_of(store, "one")
    do(mlflow.add, "nope")
    do(mlflow.add, "one")
    do(mlflow.add, "one")
    do(TrackerCursors(store.database, "wandb").add, "one")
    do(mlflow.claim, one, "a", at(0), at(10), lives)
    do(mlflow.claim, one, "b", at(10), at(20), lives)
    do(mlflow.claim, one, "b", at(10) + MICROSECOND, at(20), lives)
    do(mlflow.claim, one, "b", at(11), at(21), lives)
    do(mlflow.claim, one, "a", at(11), at(22), ended)
    do(mlflow.claim, 99, "a", at(11), at(22), ended)
    do(mlflow.fail, one, "b", "it broke", at(12))
    do(mlflow.fail, one, "a", "it broke", at(12))
    do(mlflow.fail, one, "a", "it broke again", at(13))
    do(mlflow.behind)
    do(mlflow.tell, one, "b", Told(2, "InProgress"), "https://b")
    do(mlflow.tell, one, "a", Told(2, "InProgress"), "https://a")
    do(mlflow.behind, "one")
    do(mlflow.behind, "two")
    do(mlflow.tell, one, "a", Told(store.get("one").facts, store.get("one").status), "https://a")
    do(mlflow.behind)
    do(mlflow.release, one, "b")
    do(mlflow.release, one, "a")
    do(mlflow.again, "one")


PARTS = (
    *(of_creation, of_facts, of_engines, of_places, of_tags, of_users, of_forced_ends, of_removal),
    *(of_algorithms, of_tokens, of_webhooks, of_trackers),
)


def lines_of(store):
    written = Written(store)
    for part in PARTS:
        written.heading(part.__name__)
        part(store, written.do)
    return written.lines


def test_what_is_written_is_what_was_recorded(database_url):
    store = Store(database_url)
    try:
        lines = lines_of(store)
        if store.database.is_postgres:
            lines = [line for line in lines if line not in ONLY_POSTGRESQL]
        assert lines == FILE.read_text(encoding="utf-8").splitlines()
    finally:
        store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        written_anew(FILE, lines_of(Store(f"sqlite:///{folder}/alfine.db")))
