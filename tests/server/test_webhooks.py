"""State changes are posted to a real receiver: signed, in order, at least once, whatever fails on either side."""

import base64
import hashlib
import hmac
import json
import signal
import socket
import sqlite3
import threading
import time
from collections import defaultdict
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.facts import Ended, Launched, Reported, Started
from alfine.jobs.clock import utc_now
from alfine.server.webhooks import follower as followers
from alfine.server.webhooks import receiver as receivers
from alfine.server.webhooks.follower import Events, Follower
from alfine.server.webhooks.receiver import Answer, Receiver
from alfine.store.config import Config
from alfine.store.operating_settings import TRAINING_JOB_EVENT, TUNING_JOB_EVENT, Webhook
from alfine.store.state_changes import Told, state_changes
from alfine.store.store import Store
from alfine.store.webhook_cursors import WebhookCursors
from tests.aws.conftest import Served
from tests.building import at, spec
from tests.cli.conftest import until
from tests.store.damage import execute

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
SCRIPT = "import time; print('loss=1', flush=True); time.sleep(0.3)"


class Hook(ThreadingHTTPServer):
    """A receiver. `answers`: what becomes of the next requests: a status, or «hang»; 200 for all others."""

    daemon_threads = True

    def __init__(self, port=0):
        self.answers, self.taken, self.hanging, self.go = [], [], threading.Event(), threading.Event()
        self.sockets = []
        super().__init__(("127.0.0.1", port), Post)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook?to=me"

    def get_request(self):
        accepted = super().get_request()
        self.sockets.append(accepted[0])
        return accepted

    def end(self):
        self.go.set()
        for each in self.sockets:
            with suppress(OSError):  # it is closed already
                each.shutdown(socket.SHUT_RDWR)
        self.shutdown()
        self.server_close()


class Post(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer == "hang":
            self.server.hanging.set()
            self.server.go.wait(60)
            self.close_connection = True
            return
        if answer == 200:
            self.server.taken.append((dict(self.headers.items()), body))
        self.send_response(answer)
        if answer == 302:
            self.send_header("Location", self.server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.end()


def verified(headers, body):
    """The event of a request, once its signature is checked as Standard Webhooks says."""
    said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.digest(KEY, said, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 300
    event = json.loads(body)
    assert event["id"] == headers["webhook-id"]
    return event


def statuses(taken):
    """The statuses by ARN in the order in which they came, each id once."""
    seen, found = set(), defaultdict(list)
    for event in (verified(*one) for one in taken):
        if event["id"] not in seen:
            seen.add(event["id"])
            detail = event["detail"]
            name = "HyperParameterTuningJobStatus" if event["detail-type"] == TUNING_JOB_EVENT else "TrainingJobStatus"
            found[event["resources"][0]].append(detail[name])
    return dict(found)


def test_every_change_arrives_in_order_though_the_receiver_fails_hangs_and_the_server_is_killed(tmp_path, hook):
    home, script = tmp_path / "home", tmp_path / "train.py"
    home.mkdir()
    script.write_text(SCRIPT)
    (home / "alfine.toml").write_text(f'[[webhooks]]\nurl = "{hook.url}"\nsecret = "{SECRET}"\n')
    server = Served(home)
    hook.answers = [503, 200, "hang"]
    client = server.client()
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 1}
    request = job_request(name="told", space={"x": Continuous(0, 1)}, script=script, **words)
    tags = [*request.pop("Tags", []), {"Key": "team", "Value": "blue"}]
    client.create_hyper_parameter_tuning_job(**request, Tags=tags)
    client.close()
    assert hook.hanging.wait(60)
    server.process.send_signal(signal.SIGKILL)
    server.process.communicate()
    server = Served(home)
    until(lambda: statuses(hook.taken).get(ARN) == ["InProgress", "Completed"], "told of the end")
    server.end()
    told = statuses(hook.taken)
    assert sorted(map(len, told.values())) == [2] * 2
    assert set(map(tuple, told.values())) == {("InProgress", "Completed")}
    first, last = (verified(*hook.taken[place]) for place in (0, -1))
    assert (first["detail-type"], last["detail-type"]) == (TUNING_JOB_EVENT, TUNING_JOB_EVENT)
    assert {key: last[key] for key in ("version", "source", "account", "region", "resources")} == {
        "version": "0",
        "source": "aws.sagemaker",
        "account": "000000000000",
        "region": "us-east-1",
        "resources": [ARN],
    }
    detail = last["detail"]
    assert detail["TrainingJobStatusCounters"]["Completed"] == 1
    assert detail["CreationTime"] == first["detail"]["CreationTime"] > 10**12
    assert detail["Tags"]["team"] == "blue"
    assert "HyperParameterTuningEndTime" not in first["detail"]
    begun = next(
        event for event in (verified(*one) for one in hook.taken) if event["detail-type"] == TRAINING_JOB_EVENT
    )
    assert begun["detail"]["SecondaryStatus"] == "Starting"
    assert begun["detail"]["TuningJobArn"] == ARN


ARN = "arn:aws:sagemaker:us-east-1:000000000000:hyper-parameter-tuning-job/told"


# -- one attempt ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (204, Answer.TAKEN),
        (302, Answer.REFUSED),
        (400, Answer.REFUSED),
        (429, Answer.AWAY),
        (500, Answer.AWAY),
        ("hang", Answer.AWAY),
    ],
)
def test_an_answer_says_what_becomes_of_the_event_and_redirects_lead_nowhere(hook, monkeypatch, answer, meaning):
    monkeypatch.setattr(receivers, "PATIENCE_SECONDS", 0.2)
    hook.answers = [answer]
    receiver = Receiver(Webhook(url=hook.url, secret=SECRET))
    assert receiver.post("1", b"{}")[0] is meaning
    assert hook.taken == []
    assert receiver.post("1", b"{}")[0] is Answer.TAKEN
    receiver.close()


def test_a_receiver_that_was_restarted_is_reached_again(hook):
    receiver = Receiver(Webhook(url=hook.url, secret=SECRET))
    assert receiver.post("1", b"{}")[0] is Answer.TAKEN
    hook.end()
    assert receiver.post("2", b"{}")[0] is Answer.AWAY
    again = Hook(hook.server_port)
    assert receiver.post("2", b"{}")[0] is Answer.TAKEN
    receiver.close()
    again.end()


def is_registered(home, url):
    with closing(sqlite3.connect(home / "alfine.db")) as connection:
        return connection.execute("SELECT url FROM webhooks").fetchall() == [(url,)]


def test_a_fault_of_the_database_is_logged_and_events_follow_once_it_is_over(tmp_path, hook, monkeypatch, caplog):
    monkeypatch.setattr(followers, "LOOK_SECONDS", 0.02)
    store = Store.at(tmp_path)
    execute(tmp_path, "ALTER TABLE tuning_jobs RENAME TO lost")
    events = Events(lambda _, job, change: {"id": f"{job} {change.status}"}, lambda _: TUNING_JOB_EVENT)
    follower = Follower(Webhook(url=hook.url, secret=SECRET), store, events, utc_now)
    follower.start()
    until(lambda: "can't follow state changes for the webhook at 127.0.0.1" in caplog.text, "logged")
    execute(tmp_path, "ALTER TABLE lost RENAME TO tuning_jobs")
    until(lambda: is_registered(tmp_path, hook.url), "registered")
    store.create(spec(), utc_now())
    until(lambda: hook.taken, "told")
    follower.leave(10)
    assert [verified(*one)["id"] for one in hook.taken] == ["1 InProgress"]
    store.close()


def test_a_job_that_cannot_be_described_keeps_no_other_waiting(tmp_path, hook, monkeypatch, caplog):
    monkeypatch.setattr(followers, "LOOK_SECONDS", 0.02)

    def event_of(_, job, change):
        if job == 1:
            raise InvalidSpec([Fault("", "no such criterion here.")])
        return {"id": f"{job} {change.status}"}

    store = Store.at(tmp_path)
    events = Events(event_of, lambda _: TUNING_JOB_EVENT)
    follower = Follower(Webhook(url=hook.url, secret=SECRET), store, events, utc_now)
    follower.start()
    until(lambda: is_registered(tmp_path, hook.url), "registered")
    for name in ("odd", "good"):
        store.create(spec(name=name), utc_now())
    until(lambda: hook.taken, "told")
    follower.leave(10)
    assert [verified(*one)["id"] for one in hook.taken] == ["2 InProgress"]
    assert "the tuning job can't be described: no such criterion here." in caplog.text
    assert follower.behind_seconds() > 0
    store.close()


# -- changes and cursors, on each database -----------------------------------------------------------------------------


@pytest.fixture
def store(database_url):
    store = Store(database_url)
    yield store
    store.close()


BEGIN = Told()


def changes_after(store, job, told=BEGIN):
    """All changes after a place, as (training job's number or 0, status), and the place that they lead to."""
    found = []
    while True:
        with store.reading() as connection:
            changes, then = state_changes(connection, job, told)
        found += [(one.training_job.number if one.training_job else 0, one.status) for one in changes]
        if then == told:
            return found, told
        told = then


def run_one(store, job, number, known, reports=0):
    """Record the life of one training job; return how many facts there are then."""
    name = {"number": number}
    facts = [
        Launched(at=at(1), name=f"t-{number}", hyperparameters={"eta": 0.5, "depth": 1, "booster": "dart"}, **name),
        Started(at=at(2), **name),
        *(Reported(at=at(2), metric="loss", step=step, value=1.0, **name) for step in range(reports)),
        Ended(at=at(3), status="Completed", objective=1.0, failure_reason=None, **name),
    ]
    store.record(job, known, facts)
    return known + len(facts)


def test_changes_are_read_in_their_order_from_any_place_and_over_many_facts(store):
    job = store.create(spec(), at(0)).id
    begun, place = changes_after(store, job)
    assert begun == [(0, "InProgress")]
    known = run_one(store, job, 1, 0, reports=1500)
    assert changes_after(store, job, place)[0] == [(1, "InProgress"), (1, "Completed")]
    run_one(store, job, 2, known)
    store.request_stop("job", at(4))
    store.finish("job", "Stopped", at(5))
    both = [(1, "InProgress"), (1, "Completed"), (2, "InProgress"), (2, "Completed")]
    everything, end = changes_after(store, job)
    assert everything == [(0, "InProgress"), *both, (0, "Stopping"), (0, "Stopped")]
    assert changes_after(store, job, end) == ([], end)


def test_an_ended_job_that_is_resumed_begins_and_ends_again(store):
    job = store.create(spec(), at(0)).id
    known = run_one(store, job, 1, 0)
    store.finish("job", "Completed", at(4))
    end = changes_after(store, job)[1]
    more = spec(max_training_jobs=77)
    store.change("job", store.get("job").request, more, at(5))
    assert changes_after(store, job, end)[0] == [(0, "InProgress")]
    store.finish("job", "Completed", at(6))
    assert changes_after(store, job, end)[0] == [(0, "InProgress"), (0, "Completed")]
    assert known == 3


def test_a_new_webhook_begins_at_the_present_and_one_server_at_a_time_posts(store):
    cursors = WebhookCursors(store.database)
    old = store.create(spec(name="old"), at(0)).id
    claim = {"now": at(1), "until": at(61), "alive": lambda _: True}
    assert cursors.claim("u", "a", **claim)
    assert cursors.behind("u") == []
    new = store.create(spec(name="new"), at(2)).id
    assert [one.tuning_job for one in cursors.behind("u")] == [new]
    assert not cursors.claim("u", "b", **claim)
    assert cursors.claim("u", "b", now=at(62), until=at(122), alive=lambda _: True)
    assert not cursors.tell("u", "a", at(130), new, Told(0, "InProgress"))
    assert [one.tuning_job for one in cursors.behind("u")] == [new]
    assert cursors.tell("u", "b", at(130), new, Told(0, "InProgress"))
    assert cursors.behind("u") == []
    assert cursors.claim("u", "a", now=at(63), until=at(200), alive=lambda owner: owner != "b")
    run_one(store, old, 1, 0)
    assert [one.tuning_job for one in cursors.behind("u")] == [old]
    store.finish("new", "Completed", at(5))
    store.delete("new")
    assert cursors.tell("u", "a", at(210), new, Told(0, "Completed"))


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('[[webhooks]]\nurl = "https://a.example"', "[webhooks] 1: secret is missing."),
        ('[webhooks]\nurl = "https://a.example"', "must be a list of tables"),
        (f'[[webhooks]]\nurl = "ftp://a"\nsecret = "{SECRET}"', "[[webhooks]] url: 'ftp://a' isn't an URL."),
        (f'[[webhooks]]\nurl = "http://me:pw@a"\nsecret = "{SECRET}"', "a password or a fragment isn't taken"),
        ('[[webhooks]]\nurl = "http://a"\nsecret = "whsec_c2hvcnQ="', "24 to 64 bytes in base64. Make one: echo"),
        (f'[[webhooks]]\nurl = "http://a"\nsecret = "{SECRET}"\nevents = ["End"]', "there is no event 'End'"),
        (2 * f'[[webhooks]]\nurl = "http://a"\nsecret = "{SECRET}"\n', "'http://a' is there twice"),
    ],
)
def test_a_webhook_that_cannot_work_is_one_clear_error(tmp_path, table, why):
    (tmp_path / "alfine.toml").write_text(table)
    with pytest.raises(InvalidSpec) as error:
        Config.at(tmp_path)
    assert why in str(error.value)
    assert KEY.decode() not in str(error.value)
    assert SECRET not in str(error.value)


def test_a_secret_can_be_in_the_environment_which_only_the_server_needs(tmp_path, monkeypatch):
    (tmp_path / "alfine.toml").write_text('[[webhooks]]\nurl = "http://a"\nsecret = "env:HOOK_SECRET"')
    (webhook,) = Config.at(tmp_path).webhooks
    with pytest.raises(InvalidSpec, match="the environment variable 'HOOK_SECRET': it must be «whsec_»"):
        Receiver(webhook)
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    assert webhook.key == KEY
