"""What the steps of an engine ask of a runner and record, one step at a time: the runner is a plug-in that says what the test tells it."""

import errno
import logging
import subprocess
import sys
import time
from collections import defaultdict
from datetime import timedelta
from types import SimpleNamespace

import pytest

from alfine import Continuous
from alfine.core.errors import Fenced, Overtaken, StorageFull, StoreBusy
from alfine.core.policy import MOST_LAUNCHES
from alfine.jobs.clock import utc_now
from alfine.jobs.engine import Engine
from alfine.jobs.forced_stop import end_leftovers, force_end
from alfine.jobs.home import Home
from alfine.jobs.other_writers import OtherWriters
from alfine.jobs.ownership import Ownership
from alfine.jobs.wake import Bell, Wake
from alfine.runners.protocol import NO_COUNTS, Exit, Observation, Point, StaleEpoch
from alfine.store.placement import Placement
from alfine.store.placements import placements
from tests.building import at, request
from tests.store.silence import fall_silent

DONE = Exit(cause="exited", code=0)
LOST = Exit(cause="lost")


class Scripted:
    """A runner that is told beforehand what its polls see, and which calls raise; it writes down what it was asked."""

    tells_news = True

    def __init__(self):
        self.started, self.stopped, self.polls = [], [], []
        self.sees, self.raises = defaultdict(list), defaultdict(list)

    def start(self, launch):
        self.started.append(launch)
        self._raise("start")

    def stop(self, launch):
        self.stopped.append(launch)
        self._raise("stop")

    def poll(self, launch, offset, counts=NO_COUNTS):
        self.polls.append((number(launch), offset, dict(counts)))
        seen = self.sees[number(launch)]
        found = seen.pop(0) if seen else Observation(started_at=at(1), offset=offset)
        if isinstance(found, Exception):
            raise found
        return found

    def close(self):
        pass

    def _raise(self, call):
        if self.raises[call]:
            raise self.raises[call].pop(0)

    def polled(self):
        """The numbers of those that were polled since the last call."""
        numbers, self.polls = [number for number, *_ in self.polls], []
        return numbers


class OnNodes(Scripted):
    node = "here"


class Placing(Scripted):
    """A runner that knows where one has just ended."""

    def __init__(self):
        super().__init__()
        self.free = [("there", "slot 1")]

    def take_place(self, tuning_job, instance_type, gpus):
        return self.free.pop() if self.free else None


class Mute:
    """A runner that knows nothing of news, of nodes and of places."""

    def __init__(self):
        self.scripted = Scripted()

    def __getattr__(self, name):
        if name in ("tells_news", "node", "take_place"):
            raise AttributeError(name)
        return getattr(self.scripted, name)


def number(launch):
    return int(launch.name.split("-")[1])


def points(*counted, name="objective"):
    return tuple(Point(name=name, at=at(count), value=value, count=count) for count, value in counted)


class World:
    """A tuning job of up to four training jobs, two at a time, an engine, and its runner."""

    def __init__(self, home, kind=Scripted, instances=1, **words):
        self.home, self.runner, self.now = home, kind(), None
        self.others = Scripted()
        words = {"command": ["true"], "strategy": "Random", "max_training_jobs": 4, "max_parallel": 2, **words}
        self.functions = {"job": lambda _: 0.0} if words.get("function") else {}
        if self.functions:
            del words["command"]
        asked = request(space={"eta": Continuous(0, 1)}, **words)
        asked["Tags"] = [*asked.get("Tags", ()), {"Key": "alfine:runner", "Value": "process"}][
            : 99 if "command" in words else -1
        ]
        asked["TrainingJobDefinition"]["ResourceConfig"]["InstanceCount"] = instances
        home.service.create(asked, self.functions.get("job"))
        self.open()

    def open(self):
        """Begin anew, as after a crash or a takeover within this process."""
        runners = {"process": self.runner, "inline": self.runner, "other": self.others}
        words = {"functions": self.functions, "clock": lambda: self.now or utc_now()}
        self.engine = Engine(self.home.store, runners, Wake(), self.home.jobs_folder, **words)
        self.run = self.engine.open("job")

    def again(self):
        self.engine.close(self.run)
        self.open()

    def step(self, *names):
        """Make a step; with numbers: that looks at these training jobs alone; with None: at none."""
        news = {self.job(each).name for each in names if each} if names else None
        return self.engine.step(self.run, news)

    def job(self, number):
        return self.run.history.job(number)

    def recorded(self, number):
        return self.home.store.history("job").job(number)

    def places(self):
        with self.home.store.reading() as connection:
            return placements(connection, self.run.job.id)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with Home(tmp_path_factory.mktemp("steps")) as home:
        yield home


@pytest.fixture
def world(opened, monkeypatch):
    monkeypatch.setattr("alfine.jobs.tries.FIRST_PAUSE_SECONDS", 0.0)
    worlds = []

    def begun(kind=Scripted, instances=1, **words):
        worlds.append(World(opened, kind, instances, **words))
        return worlds[-1]

    yield begun
    for each in worlds:
        if not opened.service.get("job").ended:
            opened.store.force_end("job", utc_now(), "The test is over.", None)
        each.engine.close(each.run)
        opened.service.delete("job")


def test_a_step_launches_as_many_as_may_run_and_looks_at_those_with_news(world):
    w = world()
    assert w.step()
    assert [number(launch) for launch in w.runner.started] == [1, 2]
    assert w.runner.polled() == []
    w.step(None)
    assert w.runner.polled() == []
    w.step(2)
    assert w.runner.polled() == [2]
    w.step()
    assert w.runner.polled() == [1, 2]
    assert not w.run.more


def test_a_runner_that_tells_nothing_is_asked_about_each_of_its_training_jobs(world):
    w = world(Mute)
    w.step()
    assert w.places() == {1: Placement(), 2: Placement()}
    w.step(None)
    assert w.runner.polled() == [1, 2]
    assert w.run.polled()
    w.runner.__class__ = type("Telling", (Mute,), {"tells_news": True})
    assert not w.run.polled()


def test_a_log_is_read_on_while_it_grows_up_to_eight_polls_a_step(world):
    w = world(max_parallel=1)
    w.step()
    w.runner.sees[1] = [Observation(started_at=at(1), offset=place) for place in range(10, 120, 10)]
    w.step(1)
    assert [offset for _, offset, _ in w.runner.polls] == [0, 10, 20, 30, 40, 50, 60, 70]
    assert w.run.more
    w.runner.polls.clear()
    w.step(None)
    assert [offset for _, offset, _ in w.runner.polls] == [80, 90, 100, 110]
    assert not w.run.more
    w.again()
    w.step()
    assert w.runner.polls[-1][:2] == (1, 110)


def test_values_are_recorded_once_and_a_new_engine_says_how_many_there_were(world):
    w = world(max_parallel=1)
    w.step()
    w.runner.sees[1] = [Observation(started_at=at(1), points=points((1, 5.0), (2, 4.0)), offset=0)]
    w.step(1)
    assert w.recorded(1).started_at == at(1)
    w.again()
    w.runner.sees[1] = [Observation(started_at=at(1), points=points((2, 4.0), (3, 3.0)), exit=DONE, ended_at=utc_now())]
    w.step(1)
    assert w.runner.polls[-1] == (1, 0, {"objective": 2})
    ended = w.recorded(1)
    assert ([each.value for each in ended.reports], ended.status, ended.objective) == ([5, 4, 3], "Completed", 3)
    assert w.job(2).running  # the next one


def test_a_function_that_waits_for_what_is_decided_is_told_after_each_value(world):
    w = world(max_parallel=1, function="module:name")
    w.step()
    w.runner.sees[1] = [
        Observation(started_at=at(1), points=points((1, 5.0)), offset=1),
        Observation(started_at=at(1), points=points((2, 5.0)), offset=2),
    ]
    w.step(1)
    assert w.runner.polled() == [1]
    assert w.run.more
    w.step(None)
    w.step(None)
    assert w.runner.polled() == [1, 1]


def test_one_that_never_started_is_started_again_and_ends_as_stopped_if_it_is_to_stop(world):
    w = world(max_training_jobs=2)
    w.runner.raises["start"] = [OSError("no process"), OSError("no process")]
    w.step()
    w.runner.sees[1], w.runner.sees[2] = [None], [None]
    w.step()
    assert [number(launch) for launch in w.runner.started] == [1, 2, 1, 2]
    assert w.job(1).running
    w.home.service.request_stop("job")
    w.again()
    w.runner.sees[1], w.runner.sees[2] = [Observation(offset=0)], [Observation(offset=0)]
    w.step()
    assert w.job(1).status == "Stopping"
    assert [number(launch) for launch in w.runner.stopped] == [1, 2]
    w.runner.sees[1], w.runner.sees[2] = [None], [None]
    assert not w.step()
    assert [each.status for each in w.home.store.history("job").jobs] == ["Stopped", "Stopped"]
    assert w.home.service.get("job").status == "Stopped"


def test_one_whose_folder_is_gone_fails_and_what_may_run_of_it_is_killed(world):
    w = world(max_parallel=1)
    w.step()
    w.step()
    w.runner.sees[1] = [None]
    w.step()
    gone = w.recorded(1)
    assert gone.failure_reason == (
        "InternalServerError: the folder of this training job was removed while it ran: "
        f"{w.home.jobs_folder / 'job' / gone.name}."
    )
    assert [(number(each), each.grace_seconds) for each in w.runner.stopped] == [(1, 0.0)]


def test_a_function_that_ran_in_another_process_is_started_again(world):
    w = world(max_parallel=1, function="module:name")
    w.step()
    w.step()
    w.runner.sees[1] = [None]
    w.step()
    assert [number(launch) for launch in w.runner.started] == [1, 1]


def test_one_that_was_lost_begins_anew_as_often_as_its_retries_allow(world):
    w = world(max_parallel=1, retries=1, max_training_job_seconds=100)
    w.step()
    w.now = utc_now() + timedelta(seconds=30)
    started = w.now - timedelta(seconds=30)
    w.runner.sees[1] = [
        Observation(started_at=started, points=points((1, 5.0)), offset=40, exit=LOST, ended_at=w.now),
    ]
    w.step(1)
    assert [each.value for each in w.recorded(1).reports] == [5.0]  # recorded before it may begin anew
    assert w.run.more
    w.runner.sees[1] = [Observation(started_at=started, offset=40, exit=LOST, ended_at=w.now), None]
    w.step(None)
    assert (w.places()[1], w.run.more) == (Placement(attempt=2), True)
    w.step(None)
    first, second = w.runner.started
    assert (first.attempt, first.max_runtime_seconds) == (1, 100)
    assert (second.attempt, second.max_runtime_seconds) == (2, pytest.approx(70, abs=0.01))
    assert [offset for _, offset, _ in w.runner.polls] == [0, 40, 0]
    w.again()
    w.now += timedelta(seconds=100)
    w.runner.sees[1] = [None]  # a second attempt that never started
    w.step(1)
    assert w.runner.started[-1].max_runtime_seconds == 0.0
    w.runner.sees[1] = [Observation(started_at=started, offset=0, exit=LOST, ended_at=w.now)]
    w.step(1)
    assert (w.recorded(1).status, w.recorded(1).failure_reason.split(":")[0]) == ("Failed", "InternalServerError")
    assert number(w.runner.started[-1]) == 2


def test_one_that_is_lost_while_it_is_to_stop_does_not_begin_anew(world):
    w = world(max_parallel=1, retries=1)
    w.step()
    w.home.store.request_stop_of_training_job(w.job(1).name, utc_now(), "enough of it")
    w.again()
    w.runner.sees[1] = [Observation(started_at=at(1), exit=LOST, ended_at=utc_now())]
    w.step(1)
    assert w.recorded(1).status == "Stopped"


@pytest.mark.parametrize("cause", ["exited", "log_limit"])
def test_only_one_that_was_lost_begins_anew(world, cause):
    w = world(max_parallel=1, retries=1)
    w.step()
    w.runner.sees[1] = [Observation(started_at=at(1), exit=Exit(cause=cause, code=1), ended_at=utc_now())]
    w.step(1)
    assert w.recorded(1).status == "Failed"


def test_why_one_cannot_start_yet_is_recorded_until_it_can(world):
    w = world(max_parallel=1)
    w.step()
    for reason in ("waits for a GPU", "waits for a GPU", None):
        w.runner.sees[1] = [Observation(offset=0, pending=reason)]
        w.step(1)
        assert w.places()[1].pending == reason
        w.again()
        assert w.run.pending.get(1) == reason


def test_a_look_that_fails_is_made_again_from_where_the_log_was_read_and_five_end_it(world, caplog):
    w = world(max_parallel=1)
    w.step()
    w.runner.sees[1] = [
        Observation(started_at=at(1), points=points((1, 5.0)), offset=10),
        OSError("away"),
        Observation(started_at=at(1), points=points((1, 5.0)), offset=10),
    ]
    w.step(1)
    assert (w.recorded(1).reports, w.run.reader(w.job(1)).offset) == ([], 0)
    w.step(None)  # its next try is due, without any news
    assert [each.value for each in w.recorded(1).reports] == [5.0]
    assert [offset for _, offset, _ in w.runner.polls] == [0, 10, 0, 10]
    w.runner.sees[1] = [OSError("away")] * 4
    for _ in range(4):
        w.step()
    assert w.job(1).running
    w.runner.sees[1] = [OSError("away")]
    with caplog.at_level(logging.ERROR):
        w.step()
    assert "is given up: InternalServerError: alfine could not go on" in caplog.text
    assert w.recorded(1).failure_reason.startswith(
        "InternalServerError: alfine could not go on with this training job: OSError: away."
    )
    assert [each.grace_seconds for each in w.runner.stopped] == [0.0]


def test_a_shortage_is_waited_for_nothing_is_launched_meanwhile_and_a_stop_ends_it(world):
    w = world(max_parallel=2)
    w.runner.raises["start"] = [OSError(24, "too many files")]
    w.step()
    assert len(w.runner.started) == 1 + 1
    for _ in range(6):
        w.runner.sees[1] = [MemoryError()]
        w.runner.sees[2] = [Observation(started_at=at(1), exit=DONE, ended_at=utc_now())]
        w.step()
    assert w.job(1).running
    assert w.run.history.launches == 2  # one has ended, and the machine is short
    w.home.service.request_stop("job")
    w.again()
    w.runner.sees[1] = [MemoryError()] * 9
    for _ in range(5):
        w.step()
    assert "MemoryError" in w.recorded(1).failure_reason


def test_failed_looks_are_counted_on_by_the_next_process(world):
    w = world(max_parallel=1)
    w.step()
    for _ in range(4):
        w.runner.sees[1] = [OSError("away")]
        w.step()
    w.again()
    w.runner.sees[1] = [OSError("still away")]
    w.step()
    assert "OSError: still away" in w.recorded(1).failure_reason


@pytest.mark.parametrize("whole", [True, False])
def test_a_stop_ends_the_waiting_for_what_may_come_back(world, whole):
    w = world(max_parallel=2)
    w.step()
    if whole:
        w.runner.raises["stop"] = [OSError("no launcher")]
        w.home.service.request_stop("job")
    else:
        w.home.store.request_stop_of_training_job(w.job(1).name, utc_now(), "enough of it")
    w.again()
    w.runner.sees[1] = [MemoryError()] * 9
    for _ in range(6):
        w.step()
    assert "MemoryError" in w.recorded(1).failure_reason
    assert w.recorded(2).status == ("Stopping" if whole else "InProgress")


def test_what_a_training_job_leaves_is_being_stored_so_that_failed_tries_before_are_not_forgotten(world):
    w = world(max_parallel=1)
    w.step()
    for _ in range(4):
        w.runner.sees[1] = [Observation(started_at=at(1), storing=True), OSError("no bucket")]
        w.step()
        w.step()
    assert w.job(1).running
    w.runner.sees[1] = [OSError("no bucket")]
    w.step()
    assert w.recorded(1).status == "Failed"


def test_one_that_cannot_be_told_to_stop_is_told_again_until_it_is(world):
    w = world(max_parallel=1, max_training_jobs=1)
    w.step()
    w.runner.raises["stop"] = [OSError("no launcher"), OSError("no launcher")]
    w.home.service.request_stop("job")
    w.again()
    for told in (1, 2, 3, 3):
        w.step(None)  # its next try is due, without any news
        assert len(w.runner.stopped) == told
    w.again()  # a new engine doesn't know whether it was told
    assert len(w.runner.stopped) == 4
    w.step()
    assert len(w.runner.stopped) == 4


@pytest.mark.parametrize("call", ["start", "stop"])
def test_a_host_that_has_heard_of_a_later_claim_fences_the_engine(world, call):
    w = world(max_parallel=1)
    w.runner.raises[call] = [StaleEpoch("a later claim")]
    if call == "stop":
        w.step()
        w.home.service.request_stop("job")
        w.again()
    with pytest.raises(Fenced, match="a later claim"):
        w.step()
    assert w.job(1).running


def test_places_are_recorded_with_the_launch_where_they_are_known(world):
    w = world(OnNodes)
    w.step()
    assert w.places() == {1: Placement(node="here"), 2: Placement(node="here")}
    assert [launch.node for launch in w.runner.started] == ["here", "here"]


def test_one_that_was_launched_when_it_was_created_is_placed_when_it_starts(world):
    w = world(OnNodes, max_parallel=1)
    w.step()
    w.home.store.place("job", w.job(1).name, Placement())
    w.again()
    w.runner.sees[1] = [None]
    w.step(1)
    assert w.places() == {1: Placement(node="here")}
    assert w.runner.started[-1].node == "here"
    w.home.store.place("job", w.job(1).name, Placement(node="there"))
    w.again()
    w.runner.sees[1] = [None]
    w.step(1)
    assert w.places() == {1: Placement(node="there")}  # it stays where it was


def test_one_is_placed_where_another_has_just_ended(world):
    w = world(Placing)
    w.step()
    assert w.places()[1] == Placement(runner="process", node="there", slot="slot 1")
    assert w.places()[2] == Placement()
    assert [(each.node, each.slot) for each in w.runner.started] == [("there", "slot 1"), (None, None)]


def test_a_training_job_of_several_instances_takes_no_place(world):
    w = world(Placing, instances=2, max_parallel=1)
    w.step()
    assert w.places()[1] == Placement()


def test_the_runner_that_was_recorded_keeps_its_training_job(world):
    w = world(max_parallel=1)
    w.step()
    w.home.store.place("job", w.job(1).name, Placement(runner="other", node="there", slot="s"))
    w.again()
    w.step()
    assert (w.runner.polled(), w.others.polled()) == ([], [1])


def test_a_user_who_waits_for_the_stop_says_how_long_it_may_take(world):
    w = world(max_parallel=1)
    w.step()
    assert w.run.launch(w.job(1)).grace_seconds == 120.0
    w.engine.close(w.run)
    w.run = w.engine.open("job", grace_seconds=0.5)
    launch = w.run.launch(w.job(1))
    assert (launch.grace_seconds, launch.epoch) == (0.5, w.run.epoch)
    assert launch.arn.endswith(f"training-job/{w.job(1).name}")


def test_a_new_engine_reads_a_log_from_its_beginning_where_nothing_was_read(world):
    w = world(max_parallel=1)
    w.step()
    w.again()
    w.step()
    assert w.runner.polls == [(1, 0, {})]


def test_many_are_launched_a_few_at_a_time_and_the_rest_at_once_after_that(world):
    w = world(max_training_jobs=MOST_LAUNCHES + 2, max_parallel=MOST_LAUNCHES + 2)
    begun = time.monotonic()
    w.step()
    assert (len(w.runner.started), w.run.more) == (MOST_LAUNCHES, True)
    w.step(None)
    assert (len(w.runner.started), w.run.more) == (MOST_LAUNCHES + 2, False)
    w.step(None)
    suggestions = w.engine.measures.suggestions.read()
    assert sum(suggestions.counts) == 2
    assert 0 < suggestions.total <= time.monotonic() - begun
    assert sum(w.engine.measures.steps.read().counts) == 3


def test_a_step_without_news_writes_nothing(world):
    w = world(max_parallel=1)
    w.step()
    with w.home.store.commits() as count:
        w.step()  # it has begun
        before = count()
        w.step()
        w.step(None)
        assert count() == before
        w.runner.sees[1] = [Observation(started_at=at(1), offset=10)]
        w.step()
        assert count() != before


def test_a_search_that_breaks_stops_what_runs_although_it_would_be_let_finish(world, monkeypatch):
    def break_down(*_):
        raise ValueError("no point")

    w = world(max_parallel=2, at_end="drain")
    w.step()
    monkeypatch.setattr(w.run.judge.policy.strategy.__class__, "ask", break_down)
    w.runner.sees[1] = [Observation(started_at=at(1), exit=DONE, ended_at=utc_now())]
    w.step()
    assert [number(launch) for launch in w.runner.stopped] == [2]
    w.runner.sees[2] = [Observation(started_at=at(1), exit=Exit(cause="stopped"), ended_at=utc_now())]
    assert not w.step()
    job = w.home.service.get("job")
    assert (job.status, job.failure_reason) == (
        "Failed",
        "alfine could not decide what to do next: ValueError: no point",
    )


def end_all(w):
    """Let every training job end at the next look."""
    w.runner.poll = lambda launch, offset, counts: Observation(
        started_at=at(1), points=points((1, 1.0)), offset=offset, exit=DONE, ended_at=utc_now()
    )
    w.engine.wake.set("job")


def test_a_job_that_is_completed_or_stopped_has_no_reason_of_failure(world):
    w = world()
    w.step()
    end_all(w)
    while w.step():
        pass
    job = w.home.service.get("job")
    assert (job.status, job.failure_reason, job.owner) == ("Completed", None, None)
    assert w.run.history.launches == 4


@pytest.fixture
def waits(monkeypatch):
    """How long an engine would have waited for news, each time."""
    seconds = []
    monkeypatch.setattr(Bell, "wait", lambda _, longest: seconds.append(longest))
    monkeypatch.setattr(OtherWriters, "_begin", lambda _: None)  # nobody else records anything: its looks are news
    return seconds


class Enough(Exception):
    pass


def run(w, steps):
    """Run a tuning job by the engine's own loop for some steps."""
    left = [steps]

    def count(_):
        left[0] -= 1
        if not left[0]:
            raise Enough

    w.engine.close(w.run)
    with pytest.raises(Enough):
        w.engine.run("job", count)
    assert w.home.store.get("job").owner is None


def test_without_news_it_looks_at_all_every_ten_seconds_and_at_those_that_tell_nothing_five_times_a_second(
    world, waits
):
    w = world()
    run(w, 3)
    assert len(waits) == 2
    assert all(9 < each <= 10 for each in waits)
    assert w.runner.polled() == []  # nobody had news
    w.runner.tells_news = False
    run(w, 2)
    assert waits[2:] == [0.2]


def test_every_ten_seconds_it_looks_at_all_and_waits_for_news_only_until_then(world, monkeypatch):
    now, waited, looks = [100.0], [], []
    monkeypatch.setattr("alfine.jobs.engine.time", SimpleNamespace(monotonic=lambda: now[0]))

    def pass_time(_, longest):
        waited.append(longest)
        looks.append(w.runner.polled())
        now[0] += 6.0

    w = world()
    with monkeypatch.context() as patched:
        patched.setattr(Bell, "wait", pass_time)
        patched.setattr(OtherWriters, "_begin", lambda _: None)
        run(w, 6)
    assert waited == [10.0, 4.0, 10.0, 4.0, 10.0]
    assert looks == [[], [], [1, 2], [], [1, 2]]


def test_it_waits_no_longer_than_until_the_next_try(world, waits, monkeypatch):
    monkeypatch.setattr("alfine.jobs.tries.FIRST_PAUSE_SECONDS", 3.0)
    w = world()
    w.runner.raises["start"] = [OSError("no process")]
    run(w, 2)
    assert 2 < waits[0] <= 3
    w.runner.polls.clear()
    run(w, 1)  # whoever runs it anew tries at once
    assert w.runner.polled() == [1, 2]


def test_it_waits_no_longer_than_until_its_time_is_over(world, waits):
    w = world(max_runtime_seconds=60)
    begun = w.home.service.get("job").created_at
    w.now = begun + timedelta(seconds=56)
    for _ in range(2):  # the second time all is recorded already
        run(w, 2)
        assert waits.pop() == pytest.approx(4)
    w.now = begun + timedelta(seconds=61)
    run(w, 2)
    assert all(0 <= each <= 10 for each in waits)
    assert len(w.runner.stopped) == 2


def test_it_does_not_wait_while_there_is_more_to_read(world, waits):
    w = world(max_parallel=1)
    w.step()
    w.runner.sees[1] = [Observation(started_at=at(1), offset=place) for place in range(10, 120, 10)]
    run(w, 2)
    assert waits == []


def refusing(w, monkeypatch, *errors):
    """Let the next records of a step raise errors in turn."""
    record, left = w.home.store.record, list(errors)

    def refused(*given, **words):
        if left:
            raise left.pop(0)
        return record(*given, **words)

    monkeypatch.setattr(w.home.store, "record", refused)


def test_a_busy_database_is_waited_for(world, waits, monkeypatch):
    w = world()
    refusing(w, monkeypatch, StoreBusy("locked"), StoreBusy("locked"))
    run(w, 1)
    assert waits == [1.0, 1.0]
    assert len(w.runner.started) == 2


FULL = [StorageFull("full"), OSError(errno.ENOSPC, "full"), OSError(errno.EDQUOT, "quota")]


def test_a_full_disk_is_waited_for_but_not_for_ever(world, waits, monkeypatch):
    w = world()
    refusing(w, monkeypatch, *FULL)
    run(w, 1)
    assert waits == [1.0] * 3
    monkeypatch.setattr("alfine.jobs.engine.FULL_DISK_TRIES", 4)
    refusing(w, monkeypatch, *FULL, *FULL)
    w.runner.sees[1] = [Observation(started_at=at(1), offset=place) for place in range(1, 10)]
    with pytest.raises(OSError, match="full"):
        w.engine.run("job")
    assert len(waits) == 3 + 4


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), PermissionError("no")])
def test_another_fault_of_the_disk_is_told_at_once(world, waits, monkeypatch, error):
    w = world()
    w.engine.close(w.run)
    refusing(w, monkeypatch, error)
    with pytest.raises(type(error)):
        w.engine.run("job")
    assert waits == []


def test_one_that_was_taken_over_is_let_go_and_what_runs_here_is_killed_if_it_has_ended(world, monkeypatch):
    w, killed = world(), []
    w.engine.close(w.run)
    monkeypatch.setattr(w.engine, "end_leftovers", killed.append)
    refusing(w, monkeypatch, Fenced("taken over"))
    with pytest.raises(Fenced):
        w.engine.run("job")
    assert killed == []
    record = w.home.store.record

    def end(*given, **words):
        w.home.store.force_end("job", utc_now(), "it hangs", None)
        raise Fenced("taken over")

    monkeypatch.setattr(w.home.store, "record", end)
    w.engine.run("job")
    monkeypatch.setattr(w.home.store, "record", record)
    assert killed == ["job"]


def test_what_somebody_else_records_meanwhile_is_decided_upon_at_once(world, waits):
    w = world()
    stops = [w.home.service.request_stop]

    def stop(_):
        if stops:
            stops.pop()("job")
        else:
            end_all(w)

    w.engine.close(w.run)
    w.engine.run("job", stop)
    assert w.home.service.get("job").status == "Stopped"
    assert sorted({number(launch) for launch in w.runner.stopped}) == [1, 2]


def test_a_forced_end_kills_what_runs_here_and_names_what_it_cannot_reach(world):
    w = world(max_parallel=4)
    w.step()
    store, runners = w.home.store, {"process": w.runner, "other": w.others}
    here, there, served, placed = (w.job(each).name for each in (1, 2, 3, 4))
    store.place("job", there, Placement(node="there"))
    store.place("job", served, Placement(node="served"))
    store.place("job", placed, Placement(attempt=2, runner="other", node="there", slot="slot 1"))
    store.beat("engine", "served", "http://127.0.0.1:1")
    w.others.raises["stop"] = [OSError("away")]
    folder = w.home.jobs_folder / "job" / here / ".alfine"
    folder.mkdir(parents=True)
    (folder / "launch.json").write_text('{"wrapper": "container", "processes": [{}, {}, {}]}')
    containers = Scripted()
    assert force_end(store, {**runners, "container": containers}, w.home.jobs_folder, "job", utc_now()) == [there]
    job = w.home.service.get("job")
    assert job.failure_reason == f"The user stopped the tuning job by force, but processes of {there} may still run."
    verdict = job.verdict
    assert (verdict.criterion, verdict.outlook.name, verdict.status) == ("StopRequested", "STOP", "Stopped")
    assert (verdict.progress, verdict.is_limit, verdict.sentence) == (1.0, True, job.failure_reason)
    assert verdict.would_change == "`alfine change` lets the job go on."
    for runner in (w.runner, w.others, containers):
        told = [(each.name, each.attempt, each.node, each.slot, each.grace_seconds) for each in runner.stopped]
        assert told == [(here, 1, None, None, 0.0), (placed, 2, "there", "slot 1", 0.0)]
    assert [(each, offset) for each, offset, _ in containers.polls] == [(1, 0)]
    store.leave("engine")


def test_a_forced_end_kills_what_was_launched_meanwhile(world):
    w = world(max_parallel=1)
    w.step()
    stop = w.runner.stop

    def stop_late(launch):
        w.runner.stop = stop
        stop(launch)
        w.runner.sees[1] = [Observation(started_at=at(1), exit=Exit(cause="stopped"), ended_at=utc_now())]
        w.step(1)  # its engine has launched the next one before it hears of the end

    w.runner.stop = stop_late
    assert force_end(w.home.store, {"process": w.runner}, w.home.jobs_folder, "job", utc_now()) == []
    assert [(number(each), each.grace_seconds) for each in w.runner.stopped] == [(1, 0.0), (2, 0.0)]


def test_a_forced_end_of_what_cannot_be_run_is_a_failure(world):
    w = world(max_parallel=1)
    w.step()
    folder, runners = w.home.jobs_folder, {"process": w.runner}
    assert force_end(w.home.store, runners, folder, "job", utc_now(), failure="It broke") == []
    job = w.home.service.get("job")
    assert (job.status, job.failure_reason) == ("Failed", "It broke.")


HOLD = "import sys; from alfine.runners import launcher; launcher.take_lock(sys.argv[1]); print('held', flush=True); input()"


def test_what_runs_here_of_a_job_that_another_machine_has_ended_is_killed(world, monkeypatch):
    monkeypatch.setattr("alfine.jobs.forced_stop.LAUNCHER_SECONDS", 0.01)
    w = world()
    w.step()
    folder, runners = w.home.jobs_folder, {"process": w.runner, "other": w.others}
    end_leftovers(w.home.store, runners, folder, "job")  # there is no folder
    for job in (w.job(1), w.job(2)):
        (folder / "job" / job.name / ".alfine").mkdir(parents=True)
    words = [sys.executable, "-c", HOLD, str(folder / "job" / w.job(2).name)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        end_leftovers(w.home.store, runners, folder, "job")
        assert w.runner.stopped == []  # it hasn't ended
        w.home.store.force_end("job", utc_now(), "it hangs", None)
        w.engine.end_leftovers("job")
        assert [(number(each), each.grace_seconds) for each in w.others.stopped] == [(2, 0.0)]
        holder.kill()


@pytest.fixture
def frozen(world, monkeypatch):
    """A tuning job with one training job, and what lets its engine sleep until another one has taken it over."""
    now = [1000.0]
    monkeypatch.setattr("alfine.jobs.ownership.time", SimpleNamespace(monotonic=lambda: now[0]))
    w = world(max_parallel=1)

    def sleep():
        fall_silent(w.home.store)
        Ownership(w.home.store, "another node").claim("job")
        now[0] += 60

    return w, sleep


def test_an_engine_that_has_slept_looks_at_nothing_before_it_has_asked(frozen):
    w, sleep = frozen
    w.step()
    sleep()
    w.runner.sees[1] = [None]  # it would be started
    with pytest.raises(Fenced):
        w.step()
    assert len(w.runner.started) == 1
    assert w.runner.polled() == []


def test_an_engine_that_sleeps_between_a_decision_and_its_start_starts_nothing(frozen, monkeypatch):
    w, sleep = frozen
    record = w.home.store.record

    def slow(*given, **words):
        record(*given, **words)
        sleep()

    monkeypatch.setattr(w.home.store, "record", slow)
    with pytest.raises(Fenced):
        w.step()
    assert w.runner.started == []


def test_a_step_without_news_hears_of_what_a_user_asks_for(world):
    w = world(max_parallel=1)
    w.step()
    w.step(None)
    w.home.service.request_stop("job")
    with pytest.raises(Overtaken):
        w.step(None)
    w.again()
    w.step(None)
    assert [number(launch) for launch in w.runner.stopped] == [1]
