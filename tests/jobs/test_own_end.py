"""A replay of a job's own criteria gives its own end, whenever the engine looked: the real engine and store, in simulated time."""

import contextlib
import itertools
import random
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from alfine.core.errors import InvalidSpec, NotTerminal, Overtaken
from alfine.core.facts import TimePassed
from alfine.core.verdict import Outlook
from alfine.criteria import criterion_from_text
from alfine.jobs.engine import Engine
from alfine.jobs.home import Home
from alfine.jobs.wake import Wake
from alfine.runners.protocol import Exit, Observation, Point
from tests.building import EPOCH, SPACE, at, request

CRITERIA = (
    "BestObjectiveNotImproving 4",
    "TargetObjectiveMetricValue 0.3",
    "MaxRuntimeInSeconds 11.3",
    "MaxCost 23.5",
    "MaxNumberOfTrainingJobs 8",
    "Deadline 17.7",
    "Deadline 9.9 active=true",
    "AllOf(BestObjectiveNotImproving 3, Deadline 12.1)",
    "AnyOf(MaxCost 31, MaxRuntimeInSeconds 13.7, BestObjectiveNotImproving 6)",
    "NotBefore(BestObjectiveNotImproving 3, seconds=10.1)",
    "Steady(NotBefore(TargetObjectiveMetricValue 0.8, training_jobs=5, seconds=7.7), times=2)",
    "Shadow(MaxCost 9)",
)


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return at(self.seconds)


@dataclass
class Cluster:
    """A runner of training jobs that last a drawn time and report drawn values; news of them come `lag` seconds late."""

    clock: Clock
    rng: random.Random
    lag: float = 0.0
    jobs: dict[str, tuple[float, float, list[float], bool]] = field(default_factory=dict)
    stopped: dict[str, float] = field(default_factory=dict)

    def start(self, launch):
        begin = self.clock.seconds + 0.3 * self.rng.random()
        seconds, values = self.rng.uniform(0.5, 6), [self.rng.gauss(1, 0.4) for _ in range(3)]
        self.jobs.setdefault(launch.name, (begin, begin + seconds, values, self.rng.random() < 0.1))

    def poll(self, launch, offset, counts):
        if launch.name not in self.jobs:
            return None
        begin, end, values, fails = self.jobs[launch.name]
        seen, stopped = self.clock.seconds - self.lag, self.stopped.get(launch.name, end)
        over = seen >= min(end, stopped)
        instants = [begin + (end - begin) * share for share in (0.3, 0.6, 0.99)]
        points = [
            Point(name=launch.metric, at=at(t), value=value, count=count)
            for count, (t, value) in enumerate(zip(instants, values, strict=True), 1)
            if t <= min(seen, stopped)
        ]
        cause = ("stopped", None) if stopped < end else ("exited", int(fails))
        return Observation(
            started_at=at(begin) if seen >= begin else None,
            ended_at=at(min(end, stopped)) if over else None,
            points=tuple(points[offset:]),
            offset=len(points),
            exit=Exit(cause=cause[0], code=cause[1]) if over else None,
        )

    def stop(self, launch):
        self.stopped.setdefault(launch.name, self.clock.seconds + 0.2)

    def close(self):
        pass


class World:
    """A home, an engine and a cluster on one clock; `run` looks now and then until the job has ended."""

    def __init__(self, folder, seed=0, lag=0.0):
        self.clock, self.rng = Clock(), random.Random(seed)
        self.home = Home(folder)
        self.home.service.clock = self.clock
        self.cluster = Cluster(self.clock, self.rng, lag)

    def create(self, *criteria, **words):
        words = {"strategy": "Random", "max_training_jobs": 14, "price_per_hour": 3600, "function": "m:f", **words}
        asked = request(criteria=[criterion_from_text(each) for each in criteria], space={"eta": SPACE["eta"]}, **words)
        self.home.service.create(asked, lambda _: 0.0)

    def open(self):
        functions = {"job": lambda _: 0.0}
        runners = {"inline": self.cluster}
        self.engine = Engine(
            self.home.store, runners, Wake(), self.home.jobs_folder, functions=functions, clock=self.clock
        )
        return self.engine.open("job")

    def run(self, looks, meanwhile=lambda _: False):
        """looks: seconds between two looks of the engine. meanwhile: after each; True restarts the engine."""
        run = self.open()
        for number, seconds in enumerate(looks):
            try:
                if not self.engine.step(run):
                    return
                again = meanwhile(number)
            except Overtaken:
                again = True
            if again:
                self.engine.close(run)
                run = self.open()
            self.clock.seconds += seconds
        raise AssertionError("it goes on for ever")

    def same_end(self):
        """Both ends in short: as it was, and as it's replayed."""
        job, record = self.home.service.get("job"), self.home.service.history("job")
        again = self.home.service.replay("job")
        repeated = sum(each.seconds for jobs in record.repeated.values() for each in jobs)
        best = record.best_first_result and record.best_first_result.number
        was = (job.verdict.criterion, job.verdict.outlook, record.searched, best)
        assert again.training_seconds == pytest.approx(record.training_seconds - repeated)
        return was, (
            again.verdict.criterion,
            again.verdict.outlook,
            again.training_jobs,
            again.best and again.best.number,
        )

    def close(self):
        self.home.close()


@pytest.fixture
def world(tmp_path):
    worlds = []

    def make(**words):
        worlds.append(World(tmp_path / str(len(worlds)), **words))
        return worlds[-1]

    yield make
    for each in worlds:
        each.close()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_ends_it_and_however_seldom_it_was_looked_at(world, seed):
    rng = random.Random(seed)
    found = world(seed=seed, lag=rng.choice([0.0, 0.3, 1.0]))
    words = {
        "at_end": rng.choice(["stop", "drain", "contenders"]),
        "repeats": rng.choice([None, {"best": 2, "times": 2}]),
    }
    found.create(*rng.sample(CRITERIA, 3), max_parallel=rng.randint(1, 4), **words)

    def meanwhile(number):
        if number % 9 == 7 and rng.random() < 0.3:
            with contextlib.suppress(InvalidSpec, NotTerminal):
                found.home.service.change("job", criteria=[criterion_from_text(rng.choice(CRITERIA))])
        return rng.random() < 0.05

    most = rng.choice([0.2, 1.0, 4.0])
    found.run((most * rng.random() for _ in itertools.count()), meanwhile)
    was, again = found.same_end()
    assert again == was


def test_time_that_ran_out_before_something_was_seen_ran_out_before_it(world):
    """A training job ends before the floor of 5 seconds, and is seen after it: live the floor came first."""
    found = world(lag=3.0)
    found.create("NotBefore(MaxNumberOfTrainingJobs 1, seconds=5)", max_training_jobs=9, at_end="drain")
    found.run(itertools.repeat(0.25))
    record = found.home.service.history("job")
    (passed,) = [fact for fact in record.facts if isinstance(fact, TimePassed)]
    after = record.facts[record.facts.index(passed) + 1 :]
    assert any(fact.at < passed.at for fact in after)
    was, again = found.same_end()
    assert again == was


def test_a_limit_that_comes_while_the_last_ones_finish_is_the_reason_in_replays_too(world):
    found = world()
    found.create("MaxNumberOfTrainingJobs 3", max_training_jobs=3, max_parallel=3, max_runtime_seconds=1)
    found.run(itertools.repeat(0.1))
    was, again = found.same_end()
    assert again == was
    assert was[:2] == ("MaxRuntimeInSeconds", Outlook.STOP)
    others = found.home.service.replay(
        "job", [criterion_from_text("MaxNumberOfTrainingJobs 3"), criterion_from_text("MaxRuntimeInSeconds 0.9")]
    )
    assert others.verdict.criterion == "MaxRuntimeInSeconds"
    assert others.history.now <= EPOCH + timedelta(seconds=0.9)
    assert not others.history.running


def test_money_that_runs_out_while_one_training_job_lasts_ends_the_launches_then(world):
    """By time alone: no training job ends meanwhile."""
    found = world()
    found.create("MaxCost 12.5", max_parallel=2)
    found.run(itertools.repeat(0.1))
    was, again = found.same_end()
    assert again == was
    assert was[0] == "MaxCost"
