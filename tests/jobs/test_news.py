"""The engine looks at the training jobs that have news, and at no other; and it hears of what others record."""

import threading
from collections import Counter
from queue import SimpleQueue

import pytest

from alfine.jobs.clock import utc_now
from alfine.jobs.engine import Engine
from alfine.jobs.home import Home
from alfine.jobs.wake import Wake
from alfine.runners.protocol import Exit, Observation, Point
from alfine.store.store import Store
from tests.building import SPACE, request

PATIENCE_SECONDS = 30.0


class Polled:
    """A runner whose training jobs end when the test says so; it counts the polls, by training job."""

    def __init__(self, news):
        self.news, self.polls, self.exits, self.started = news, Counter(), {}, SimpleQueue()

    def start(self, launch):
        self.exits.setdefault(launch.name, None)
        self.started.put(launch)

    def poll(self, launch, offset, counts):
        self.polls[launch.name] += 1
        if launch.name not in self.exits:
            return None
        points = (Point(name=launch.metric, at=utc_now(), value=1.0, count=1),)[offset:]
        ended = self.exits[launch.name]
        return Observation(started_at=utc_now(), points=points if ended else (), offset=int(bool(ended)), exit=ended)

    def stop(self, launch):
        self.end(launch, Exit(cause="stopped"))

    def close(self):
        pass

    def end(self, launch, how=None):
        self.exits[launch.name] = how or Exit(cause="exited", code=0)
        self.news(*launch.key)


class Telling(Polled):
    tells_news = True


class Silent(Polled):
    def __init__(self, news):
        super().__init__(lambda *_: None)


@pytest.fixture
def running(tmp_path):
    """Run a tuning job of 6 training jobs, 3 at once, by an engine in a thread: the runner, and what waits for the end."""
    home = Home(tmp_path)

    def begin(kind):
        wake = Wake()
        runner = kind(wake.set)
        home.service.create(
            request(
                space={"eta": SPACE["eta"]}, strategy="Random", max_training_jobs=6, max_parallel=3, function="m:f"
            ),
            lambda _: 0.0,
        )
        functions = {"job": lambda _: 0.0}
        engine = Engine(home.store, {"inline": runner}, wake, home.jobs_folder, functions=functions)
        thread = threading.Thread(target=engine.run, args=("job",))
        thread.start()

        def wait():
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
            return home.service.get("job").status

        return runner, wait

    yield begin
    home.close()


def test_only_training_jobs_with_news_are_polled(running):
    runner, wait = running(Telling)
    first, second, *_ = launches = [runner.started.get(timeout=PATIENCE_SECONDS) for _ in range(3)]
    for _ in range(3):  # each end launches the next
        runner.end(launches.pop())
        launches.append(runner.started.get(timeout=PATIENCE_SECONDS))
    assert (runner.polls[first.name], runner.polls[second.name]) == (0, 0)
    for launch in launches:
        runner.end(launch)
    assert wait() == "Completed"
    assert max(runner.polls.values()) <= 3


def test_training_jobs_of_a_runner_that_tells_nothing_are_polled(running):
    runner, wait = running(Silent)
    for _ in range(6):
        runner.end(runner.started.get(timeout=PATIENCE_SECONDS))
    assert wait() == "Completed"


def test_a_stop_that_another_process_asks_for_is_heard_without_any_news(running, tmp_path):
    runner, wait = running(Telling)
    for _ in range(3):
        runner.started.get(timeout=PATIENCE_SECONDS)
    other = Store.at(tmp_path)
    other.request_stop("job", utc_now())
    other.close()
    assert wait() == "Stopped"
