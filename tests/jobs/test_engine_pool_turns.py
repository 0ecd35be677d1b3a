"""Which tuning jobs a server takes, when it takes them, and when it lets go of them; the runner is a plug-in without processes."""

import threading
import time

import pytest

from alfine import Continuous
from alfine.core.errors import Fault, InUse, InvalidSpec
from alfine.jobs.clock import utc_now
from alfine.jobs.engine import Engine
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.jobs.lease_owner import new_owner
from alfine.jobs.ownership import Ownership
from alfine.jobs.wake import Wake
from alfine.runners.protocol import Exit, Observation
from alfine.store.placement import Placement
from tests.building import request
from tests.cli.conftest import until

LOOK_SECONDS = 1 / 1024
"""Time between two looks: a power of two, so that the clock's sums are exact."""


class Held:
    """A runner whose training jobs end once the test lets them."""

    tells_news = True

    def __init__(self, news):
        self.news, self.go_on, self.started = news, threading.Event(), []

    def start(self, launch):
        self.started.append(launch)
        self.news(*launch.key)

    def poll(self, launch, offset, counts):
        ended = utc_now() if self.go_on.is_set() else None
        end = None if ended is None else Exit(cause="exited", code=0)
        return Observation(started_at=utc_now(), offset=offset, exit=end, ended_at=ended)

    def stop(self, launch):
        self.go_on.set()
        self.news(*launch.key)

    def close(self):
        pass


class Clock:
    """Monotonic seconds that pass when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("alfine.jobs.engine_pool.time", clock)
    return clock


@pytest.fixture
def home(tmp_path):
    with Home(tmp_path) as home:
        yield home


class Server:
    """A pool without a port: its looks follow one another at once."""

    def __init__(self, home, node=None):
        wake = Wake()
        self.home, self.runner = home, Held(wake.set)
        if node is not None:
            self.runner.node = node
        self.engine = Engine(home.store, {"process": self.runner}, wake, home.jobs_folder)
        if node is not None:
            self.engine.ownership.node = node
        self.pool = EnginePool(self.engine)

    def mine(self):
        """The names of the tuning jobs that it runs."""
        return sorted(
            job.name for job in self.home.store.list() if job.owner == self.engine.ownership.engine and not job.ended
        )


@pytest.fixture
def server(home, clock, monkeypatch):
    monkeypatch.setattr("alfine.jobs.engine_pool.LOOK_SECONDS", LOOK_SECONDS)
    server = Server(home)
    yield server
    server.runner.go_on.set()
    server.pool.leave(10)


def create(home, *names, known=False):
    """Create tuning jobs; `known` ones were run before by an engine that gave them back."""
    for name in names:
        asked = request(
            name=name, space={"x": Continuous(0, 1)}, command=["true"], strategy="Random", max_training_jobs=1
        )
        asked["Tags"] = [*asked.get("Tags", ()), {"Key": "alfine:runner", "Value": "process"}]
        home.service.create(asked)
        if known:
            home.store.release(name, home.store.claim(name, new_owner(), "node", lambda _: True))


def test_at_its_start_it_takes_all_and_later_it_leaves_a_new_one_to_its_creator_at_first(home, server, clock):
    create(home, "old", "older")
    server.pool.run_all()
    until(lambda: server.mine() == ["old", "older"], "those of before are taken")
    create(home, "new")
    create(home, "given-back", known=True)
    until(lambda: "given-back" in server.mine(), "one that its creator doesn't run is taken at once")
    create(home, "marker", known=True)  # a whole look lies between
    until(lambda: "marker" in server.mine(), "the next one is taken")
    assert "new" not in server.mine()
    clock.now += LOOK_SECONDS
    until(lambda: "new" in server.mine(), "its creator has had its time")


def looks(server, monkeypatch):
    """Return a list that grows with each look that finds tuning jobs which nobody runs."""
    found, share = [], server.engine.ownership.share

    def noted(free):
        found.append([job.name for job in free])
        return share(free)

    monkeypatch.setattr(server.engine.ownership, "share", noted)
    return found


def test_it_takes_its_share_and_what_others_have_left(home, server, clock, monkeypatch):
    other = Ownership(home.store, "another node")
    for number, ownership in enumerate((server.engine.ownership, other)):
        ownership.url = f"http://127.0.0.1:{number}"
        ownership.beat()
    create(home, *(f"job-{number}" for number in range(5)), known=True)
    looked = looks(server, monkeypatch)
    server.pool.run_all()
    until(lambda: ["job-3", "job-4"] in looked, "it has taken half of them, rounded up")
    other.claim("job-3")
    until(lambda: looked[-1] == ["job-4"], "it has looked again")
    seen = len(looked)
    until(lambda: len(looked) > seen + 1, "and again")
    assert server.mine() == ["job-0", "job-1", "job-2"]
    clock.now += LOOK_SECONDS
    until(lambda: len(server.mine()) == 4, "nobody else has taken it")
    assert home.store.get("job-3").owner == other.engine


def test_a_tuning_job_that_it_runs_is_not_run_twice(home, server):
    create(home, "job")
    for _ in range(3):
        server.pool.run("job")
    until(lambda: server.runner.started, "it runs")
    server.pool.run("job")
    server.runner.go_on.set()
    server.engine.wake.set("job")
    until(lambda: home.service.get("job").ended, "it has ended")
    assert len(server.runner.started) == 1
    assert home.service.get("job").epoch == 1


def test_a_new_one_is_offered_to_a_server_with_less_to_do(home, server):
    other = Ownership(home.store, "another node")
    for number, ownership in enumerate((server.engine.ownership, other)):
        ownership.url = f"http://127.0.0.1:{number}"
        ownership.beat()
    create(home, "busy", "new")
    server.engine.ownership.claim("busy")
    server.pool.run("new")
    assert server.mine() == ["busy"]
    assert [(job.name, job.is_new) for job in other.claimable()] == [("new", False)]
    other.claim("new")


def test_one_that_another_process_runs_is_left_to_it(home, server, caplog):
    create(home, "job")
    other = Ownership(home.store, "another node")
    other.claim("job")
    with caplog.at_level("INFO"):
        server.pool.run("job")
        until(lambda: "is being run by another alfine" in caplog.text, "told")
    assert server.mine() == []


def test_when_it_leaves_it_gives_back_all_and_takes_no_more(home, server):
    create(home, "first", "second")
    server.pool.run_all()
    until(lambda: len(server.runner.started) == 2, "both run")
    mine = {each.name: each.daemon for each in threading.enumerate() if each.name.startswith("alfine-")}
    assert {"alfine-open", "alfine-watch", "alfine-heartbeat", "alfine-first", "alfine-second"} <= {*mine}
    assert all(mine.values())  # none of them keeps a process from ending
    assert server.pool.trouble == ""
    server.pool.leave(10)
    assert server.pool.trouble == "The server is leaving."
    assert [job.owner for job in home.store.list()] == [None, None]
    assert home.store.engines() == []
    server.pool.run("first")
    assert server.mine() == []


def test_it_leaves_in_time_although_a_step_hangs(home, server, monkeypatch):
    may_go_on = threading.Event()
    monkeypatch.setattr(server.runner, "start", lambda _: may_go_on.wait())
    create(home, "job")
    server.pool.run_all()
    until(server.mine, "it is about to start it")
    server.pool.leave(0.1)
    may_go_on.set()


def test_it_is_in_trouble_after_a_long_silence(home, clock):
    server = Server(home)
    clock.now += 30
    assert server.pool.trouble == ""
    clock.now += 1
    assert server.pool.trouble == "The engine has not looked for tuning jobs for 31 s."


def test_it_is_in_trouble_in_a_long_step(server, clock, monkeypatch):
    monkeypatch.setattr("alfine.jobs.measures.time", clock)
    server.pool.run_all()
    with server.pool.measures.step():
        clock.now += 300
        until(lambda: server.pool.trouble == "", "it has looked")
        clock.now += 1
        assert server.pool.trouble == "A step of the engine has taken 5 min 01 s so far."
    assert server.pool.trouble == ""


def test_those_for_which_there_is_no_thread_are_run_later_and_hold_up_no_others(home, server, monkeypatch, caplog):
    start, refused = threading.Thread.start, set()

    def refuse_once(thread):
        if thread.name.startswith("alfine-job") and thread.name not in refused:
            refused.add(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_once)
    monkeypatch.setattr("alfine.jobs.engine_pool.PATIENCE_SECONDS", 600.0)
    create(home, "job-1", "job-2", "job-3", known=True)
    server.pool.run_all()
    until(lambda: server.mine() == ["job-1", "job-2", "job-3"], "they run all the same")
    assert "can't run tuning_job=job-1 yet: can't start new thread" in caplog.text


def failing(server, monkeypatch, error):
    monkeypatch.setattr(server.engine, "open", lambda *_: (_ for _ in ()).throw(error))


def test_pauses_between_tries_grow_up_to_a_longest_one(home, server, monkeypatch, caplog):
    monkeypatch.setattr("alfine.jobs.engine_pool.time", time)
    monkeypatch.setattr("alfine.jobs.engine_pool.FIRST_DELAY", 0.001)
    monkeypatch.setattr("alfine.jobs.engine_pool.LONGEST_DELAY", 0.005)
    create(home, "job")
    failing(server, monkeypatch, TypeError("wrong"))
    server.pool.run("job")
    until(lambda: home.service.get("job").ended, "it has failed")
    pauses = [each.getMessage().partition("trying again in ")[2] for each in caplog.records]
    assert [each for each in pauses if each] == ["0.001 s", "0.002 s", "0.004 s", *["0.005 s"] * 5]
    assert home.service.get("job").status == "Failed"


def missing(server, monkeypatch, delay):
    """Let what the tuning job runs be missing until it is to be stopped; the returned list grows with each try."""
    tries, opened = [], server.engine.open

    def open_it(name, grace_seconds=None):
        tries.append(name)
        if server.home.service.get(name).status == "Stopping":
            return opened(name, grace_seconds)
        raise InvalidSpec([Fault("Script", "is gone.")])

    monkeypatch.setattr(server.engine, "open", open_it)
    monkeypatch.setattr("alfine.jobs.engine_pool.time", time)
    monkeypatch.setattr("alfine.jobs.engine_pool.FIRST_DELAY", delay)
    monkeypatch.setattr("alfine.jobs.engine_pool.MISSING_DELAY", delay)
    return tries


def test_what_is_missing_is_told_once_however_often_it_is_looked_for(home, server, monkeypatch, caplog):
    tries = missing(server, monkeypatch, 0.001)
    create(home, "job")
    server.pool.run("job")
    until(lambda: len(tries) >= 6, "tried again")
    assert caplog.text.count("can't run tuning_job=job here, trying again") == 1


def test_a_stop_does_not_wait_for_the_next_try(home, server, monkeypatch):
    tries = missing(server, monkeypatch, 600.0)
    create(home, "job")
    server.pool.run("job")
    until(lambda: len(tries) == 1, "tried")
    home.service.request_stop("job")
    until(lambda: home.service.get("job").ended, "stopped")
    assert len(tries) == 2


@pytest.mark.parametrize("error", [InUse("by another"), InvalidSpec([Fault("Script", "is gone.")])])
def test_those_that_cannot_be_run_here_hold_up_no_others(home, server, monkeypatch, error):
    opened, refused = server.engine.open, []

    def open_it(name, grace_seconds=None):
        if name.startswith("bad"):
            refused.append(name)
            raise error
        return opened(name, grace_seconds)

    monkeypatch.setattr(server.engine, "open", open_it)
    for name in ("PATIENCE_SECONDS", "FIRST_DELAY", "MISSING_DELAY"):
        monkeypatch.setattr(f"alfine.jobs.engine_pool.{name}", 600.0)
    create(home, "bad-1", "bad-2", "bad-3", "free", known=True)
    server.pool.run_all()
    until(lambda: server.mine() == ["free"], "its turn has come")
    assert {*refused} == {"bad-1", "bad-2", "bad-3"}
    looked = looks(server, monkeypatch)
    until(lambda: len(looked) > 3, "it has found the bad ones again and again")
    create(home, "later", known=True)
    until(lambda: server.mine() == ["free", "later"], "its turn has come, too")


def test_one_whose_training_jobs_run_elsewhere_is_handed_to_the_server_there(
    tmp_path, postgres_url, clock, monkeypatch
):
    with Home(tmp_path, store=postgres_url) as home:
        monkeypatch.setattr("alfine.jobs.engine_pool.LOOK_SECONDS", 600.0)  # what is announced needs no look
        server = Server(home, "here")
        server.engine.ownership.url = "http://127.0.0.1:1"
        heard, looked = [], looks(server, monkeypatch)
        monkeypatch.setattr(server.engine, "end_leftovers", heard.append)
        other = Ownership(home.store, "there")
        create(home, "job", known=True)
        server.pool.run_all()
        until(lambda: server.runner.started, "it runs here")
        other.url = "http://127.0.0.1:2"
        other.beat()
        home.store.place("job", server.runner.started[0].name, Placement(node="there"))

        def look(name):
            """Let it look once more, by something new that it finds."""
            create(home, name, known=True)
            until(lambda: any(name in each for each in looked), "it has looked again")

        until(lambda: look(f"marker-{len(looked)}") or home.store.get("job").owner is None, "it is given back")
        assert "job" in [each.name for each in other.claimable()]
        home.store.leave(other.engine)
        clock.now += 9.5
        look("early")
        assert home.store.get("job").owner is None
        clock.now += 0.5
        look("late")
        until(lambda: "job" in server.mine(), "nobody else has taken it")
        until(lambda: {"job", "early", "late"} <= {*heard}, "it looks for what others have ended of what users ask for")
        assert None not in heard
        server.runner.go_on.set()
        server.pool.leave(10)
