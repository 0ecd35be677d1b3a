"""Training jobs on a real Ray cluster of two nodes on this machine, each part of which is killed while they run."""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from alfine.core.errors import NotFound
from alfine.jobs.home import Home
from alfine.programs.data.buckets.home_buckets import HomeBuckets
from alfine.runners.launch import Launch
from alfine.runners.local_launch import uri_of
from alfine.runners.node_cache import CacheLimits
from alfine.runners.on_ray.check import NodeNeeds, check_cluster
from alfine.runners.on_ray.messages import ClusterSettings
from alfine.runners.on_ray.runner import RayRunner
from alfine.runners.on_ray.shapes import Shape
from alfine.runners.protocol import NO_COUNTS, Observation, Source
from alfine.store.config import S3
from tests.ray_cluster import NODE, RayCluster, kill, processes
from tests.runners.test_contract import (  # noqa: F401 - what every runner promises, here of this one
    is_inline,
    job,
    test_a_failing_training_job_gives_a_reason,
    test_a_stopped_training_job_keeps_what_it_told,
    test_a_training_job_stopped_before_its_start_never_runs,
    test_a_training_job_that_runs_too_long_is_stopped_and_says_so,
    test_a_training_job_that_was_never_started_is_unknown,
    test_a_training_job_that_works_ends_without_a_reason,
    test_its_values_are_points_and_its_log_is_read_in_pieces,
    test_nothing_to_run_is_an_end_with_a_reason,
    test_start_twice_is_one_training_job,
    test_stop_twice_is_one_stop,
    test_the_end_can_be_asked_for_again,
    test_the_instants_of_a_training_job_are_in_order_and_aware,
)

PATIENCE_SECONDS = 60.0

SHAPES = {
    "local": Shape(),
    "whole": Shape(cpus=2),
    "huge": Shape(cpus=64),
    "half": Shape(cpus=1, gpus=0.5),
}

COUNTING = """
import os, sys, time
with open(os.environ["SM_OUTPUT_DATA_DIR"] + "/mark", "a") as file:
    file.write("x")
for number in range(int(os.environ.get("LINES", "10"))):
    print(f"loss={number}", flush=True)
    time.sleep(0.1)
"""

BRIDGE = "alfine.runners.on_ray.bridge"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[RayCluster]:
    cluster = RayCluster(tmp_path_factory.mktemp("ray"))
    yield cluster
    cluster.close()


class RayBench:
    """A runner on the cluster, with the engine's part: places are recorded, offsets and counts kept."""

    is_inline = False

    def __init__(self, cluster: RayCluster, home: Path) -> None:
        self.cluster, self.home = cluster, home
        self.bell = threading.Event()
        self.places: dict[tuple[str, int], tuple[str, str]] = {}
        self.ended: list[tuple[str, str]] = []  # training jobs whose ends are recorded
        self.asked_for: set[tuple[str, str]] = set()  # those whose ends a node has asked for
        self.tuning_job = "tuning"
        self.runners: list[RayRunner] = []
        self.executor = None
        self.renew()

    def renew(self, leash_seconds: float = 60.0, **settings) -> RayRunner:
        """Another runner, as after a restart of alfine."""
        folder = str(self.home / f"${NODE}")
        kept = {"ended_limits": CacheLimits(most_bytes=0), "records": "these"}
        buckets = partial(HomeBuckets, self.home / "s3", S3())
        self.runner = RayRunner(
            ClusterSettings(address=self.cluster.address, folder=folder, buckets=buckets, **kept, **settings),
            SHAPES,
            lambda *_: self.bell.set(),
            self.record,
            recorded=self.recorded,
            leash_seconds=leash_seconds,
            output=self.home / "ray.log",
        )
        self.runner.executor = None
        self.runners.append(self.runner)
        return self.runner

    def record(self, launch: Launch, node: str, slot: str) -> None:
        assert (launch.name, launch.attempt) not in self.places, "an attempt is placed once"
        self.places[launch.name, launch.attempt] = node, slot

    def recorded(self, names: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        self.asked_for |= {*names}
        return [name for name in names if name in self.ended]

    def launch(self, code: str | None = None, **settings) -> Launch:
        name = f"job-{next(NUMBERS)}"
        source: dict[str, object] = {}
        if code is not None:
            folder = self.home / "source" / name
            folder.mkdir(parents=True)
            (folder / "train.py").write_text(code)
            source = {"source": Source(uri=uri_of(folder)), "script": "train.py"}
        words = {"grace_seconds": 1.0, "metric": "loss", "metrics": (("loss", "loss=([0-9.]+)"),), **source, **settings}
        return Launch(tuning_job=self.tuning_job, name=name, python=sys.executable, **words)

    def counting(self, lines: int = 10, **settings) -> Launch:
        return self.launch(COUNTING, environment={"LINES": str(lines)}, **settings)

    def placed(self, launch: Launch) -> Launch:
        """The launch as an engine that was started anew gives it."""
        node, slot = self.places.get((launch.name, launch.attempt), (None, None))
        return replace(launch, node=node, slot=slot)

    def folder(self, launch: Launch) -> Path:
        found = [*self.home.glob(f"*/{launch.tuning_job}/{launch.name}")]
        return found[0] if found else self.home / "one" / launch.tuning_job / launch.name

    def until(
        self, launch: Launch, done: Callable[[Observation], object], seen: list[Observation] | None = None
    ) -> list[Observation]:
        """Poll until an observation is what is waited for; `seen`: those of before, which are gone on from."""
        seen = [] if seen is None else seen
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            offset = seen[-1].offset if seen else 0
            counts = {point.name: point.count for each in seen for point in each.points}
            now = self.runner.poll(self.placed(launch), offset, counts)
            if now is None:
                self.runner.start(self.placed(launch))
                continue
            if now.points or now.exit or now.offset != offset or not seen:
                seen.append(now)
            if done(now):
                return seen
            if now.offset == offset:
                self.bell.wait(0.05)
                self.bell.clear()
        pytest.fail(f"{launch.name} didn't come to it: {now}")

    def until_points(self, launch: Launch, number: int, seen: list[Observation] | None = None) -> list[Observation]:
        """Go on until there are so many new points."""
        seen = [] if seen is None else seen
        known = sum(len(each.points) for each in seen)
        return self.until(launch, lambda _: sum(len(each.points) for each in seen) >= known + number, seen)

    def start(self, launch: Launch) -> bool:
        """Start it, at the place of one that has just ended if there is one: that is recorded first. Return whether there was."""
        place = self.runner.take_place(launch.tuning_job, launch.instance_type, launch.gpus)
        if place is not None:
            self.record(launch, *place)
        self.runner.start(self.placed(launch))
        return place is not None

    def see_out(self, launch: Launch):
        self.runner.start(self.placed(launch))
        return self.wait(launch)

    def wait(self, launch: Launch, seen: list[Observation] | None = None):
        seen = self.until(launch, lambda now: now.exit is not None, seen)
        return seen[-1], [point for each in seen for point in each.points]

    def again(self, launch: Launch, offset: int, counts: Mapping[str, int] = NO_COUNTS) -> Observation:
        """What it says of a training job that has ended; it may have to ask the node."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (now := self.runner.poll(self.placed(launch), offset, counts)).exit is None:
            assert time.monotonic() < deadline
            self.bell.wait(0.05)
            self.bell.clear()
        return now

    def log(self, launch: Launch) -> str:
        return self.runner.log(self.placed(launch), 0, 1 << 20).data.decode()

    def ran_once(self, launch: Launch) -> bool:
        marks = [
            path.read_text() for path in self.home.glob(f"*/{self.tuning_job}/{launch.name}/opt/ml/output/data/mark")
        ]
        return marks == ["x"]

    def close(self) -> None:
        for runner in self.runners:
            runner.close()


NUMBERS = count(1)


@pytest.fixture(scope="module")
def shared(cluster, tmp_path_factory) -> Iterator[RayBench]:
    bench = RayBench(cluster, tmp_path_factory.mktemp("nodes"))
    yield bench
    bench.close()


@pytest.fixture
def bench(shared) -> RayBench:
    return shared


def values(points) -> list[float]:
    return [point.value for point in points]


def is_whole(points, lines: int = 10) -> bool:
    """Whether every value came once, in order."""
    return values(points) == [float(number) for number in range(lines)] and [point.count for point in points] == [
        *range(1, lines + 1)
    ]


# -- slots -------------------------------------------------------------------------------------------------------------


def test_a_free_slot_is_used_again(bench):
    first, second = bench.counting(1), bench.counting(1)
    bench.see_out(first)
    bench.see_out(second)
    assert bench.placed(first).slot == bench.placed(second).slot


def test_the_next_training_job_takes_the_place_of_one_that_has_ended(bench, monkeypatch):
    """Whoever takes it records it: the runner has no place to record then. Those of another tuning job get none."""
    monkeypatch.setattr(bench, "tuning_job", "followed")
    first, second = bench.counting(1), bench.counting(1)
    bench.see_out(first)
    while not bench.start(second):  # on a busy machine it may be too late
        bench.wait(second)
        first, second = second, bench.counting(1)
    assert bench.runner.take_place("followed", first.instance_type, first.gpus) is None
    assert bench.wait(second)[0].exit.succeeded
    assert bench.ran_once(second)
    assert bench.places[second.name, 1] == bench.places[first.name, 1]


def test_the_free_slots_of_a_killed_bridge_are_used_again(bench):
    first, second = bench.counting(1), bench.counting(1)
    bench.see_out(first)
    kill(processes(BRIDGE))
    bench.see_out(second)
    assert bench.placed(first).slot == bench.placed(second).slot


def test_a_training_job_without_room_waits_with_a_reason_until_it_is_stopped(bench):
    launch = bench.counting(instance_type="huge")
    bench.runner.start(launch)
    seen = bench.until(launch, lambda now: now.pending)
    assert seen[-1].pending or bench.runner.poll(launch, 0).pending == (
        "It needs 64 CPUs; the cluster has 3 nodes, the largest with 2 CPUs."
    )
    bench.runner.stop(launch)
    assert bench.wait(launch)[0].exit.cause == "stopped"


def test_an_unknown_instance_type_is_an_end_that_names_the_known_ones(bench):
    last, _ = bench.see_out(bench.counting(instance_type="ml.unknown"))
    assert "ClientError: InstanceType 'ml.unknown' isn't in [ray.instances]" in last.exit.reason()
    assert "half, huge, local, whole" in last.exit.reason()


def test_a_training_job_whose_place_cannot_be_recorded_is_not_started(bench, monkeypatch):
    launch = bench.counting()
    refused = threading.Event()

    def refuse(*_):
        refused.set()
        raise RuntimeError("another engine has the tuning job")

    monkeypatch.setattr(bench.runner, "_placed", refuse)
    bench.runner.start(launch)
    assert refused.wait(PATIENCE_SECONDS)
    while bench.runner.poll(launch, 0) is not None:
        bench.bell.wait(0.05)
    assert not [*bench.home.glob(f"*/tuning/{launch.name}")]


SHOWING = """
import os, time
print("gpus=" + os.environ.get("CUDA_VISIBLE_DEVICES", "all"), flush=True)
if meeting := os.environ.get("MEETING"):
    open(f"{meeting}/{os.getpid()}", "w").close()
    while len(os.listdir(meeting)) < 2:
        time.sleep(0.02)
"""
"""Shows its GPUs, and waits until another one has come to the same folder."""


def test_training_jobs_share_a_gpu_and_others_see_none(bench, tmp_path):
    halves = [bench.launch(SHOWING, instance_type="half", environment={"MEETING": str(tmp_path)}) for _ in range(2)]
    for launch in halves:
        bench.runner.start(launch)
    assert [bench.wait(launch)[0].exit.succeeded for launch in halves] == [True, True]
    assert [bench.log(launch) for launch in halves] == ["gpus=0\n"] * 2
    without = bench.launch(SHOWING)
    bench.see_out(without)
    assert bench.log(without) == "gpus=\n"


def test_short_training_jobs_ask_for_no_more_slots_than_wait_at_once(bench):
    """Two run on the GPU of node two, and one waits: the request for its slot stays when it gets another one, for the next that waits."""
    launches = [bench.counting(1, instance_type="half") for _ in range(8)]
    before = bench.cluster.slots_asked_for()
    for launch in launches[:3]:
        bench.runner.start(launch)
    for ended, following in zip(launches, launches[3:], strict=False):
        bench.wait(ended)
        bench.runner.start(following)
    for launch in launches[5:]:
        bench.wait(launch)
    assert 0 < bench.cluster.slots_asked_for() - before <= 3


def test_secrets_of_the_environment_are_in_no_file_of_ray(bench):
    secret = "hush-9f3b"
    launch = bench.launch(COUNTING, environment={"LINES": "1", "TOKEN": secret})
    assert bench.see_out(launch)[0].exit.succeeded
    assert secret not in repr(launch)
    files = [*bench.cluster.files(), bench.home / "ray.log"]
    assert any("gcs" in path.name for path in files)
    assert [path for path in files if secret.encode() in path.read_bytes()] == []


def raised(bench: RayBench, launch: Launch, kind: type[Exception]) -> str:
    """What polls raise, once it is of a kind: what keeps the node or the bridge from going on."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            bench.runner.poll(launch, 0)
        except (ValueError, RuntimeError, KeyError) as error:
            if type(error) is kind:
                return str(error)
        bench.bell.wait(0.05)
        bench.bell.clear()
    pytest.fail(f"no {kind.__name__}")


@pytest.mark.parametrize("count", [1, 2])
def test_a_place_that_cannot_be_read_is_told(bench, count):
    launch = replace(
        bench.counting(), node="host/machine/node/eth0 host/machine/node/eth0", slot="one", instance_count=count
    )
    assert "zip() argument 2 is longer" in raised(bench, launch, ValueError)


def test_what_keeps_a_node_from_going_on_is_told_at_polls_and_by_its_log(bench):
    ended = bench.counting(1)
    bench.see_out(ended)
    launch = replace(bench.placed(ended), attempt=2, executor="unknown")
    with pytest.raises(OSError, match="KeyError: 'unknown'"):
        bench.runner.log(launch, 0, 1)
    assert "KeyError: 'unknown'" in raised(bench, launch, RuntimeError)
    bench.runner.stop(launch)
    assert raised(bench, launch, KeyError) == "'unknown'"


# -- each part is killed -----------------------------------------------------------------------------------------------


def test_its_slot_is_killed(bench, monkeypatch):
    """Another one finds it. Its place, whose slot is dead, isn't offered to the next training job."""
    monkeypatch.setattr(bench, "tuning_job", "found-again")
    launch = bench.counting(15)
    bench.runner.start(launch)
    seen = bench.until_points(launch, 1)
    kill(bench.cluster.slots())
    last, points = bench.wait(launch, seen)
    assert bench.runner.take_place(launch.tuning_job, launch.instance_type, launch.gpus) is None
    assert last.exit.succeeded
    assert is_whole(points, 15)
    assert bench.ran_once(launch)


def test_the_bridge_is_killed_and_then_alfine_is_another_process(bench, tmp_path):
    """The next bridge also has the node remove what has ended and is stored elsewhere, once that end is recorded."""
    on_node_two = {"instance_type": "half"}
    before = [bench.counting(1, log_uri=(tmp_path / str(n)).as_uri(), **on_node_two) for n in range(2)]
    assert all(bench.see_out(each)[0].exit.succeeded for each in before)
    bench.ended.append(before[0].key)
    launch = bench.counting(25, **on_node_two)
    bench.runner.start(launch)
    seen = bench.until_points(launch, 1)
    kill(processes(BRIDGE))
    seen = bench.until_points(launch, 1, seen)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not bench.runner.log(bench.placed(before[0]), 0, 0).is_gone:
        assert time.monotonic() < deadline
        bench.bell.wait(0.05)
    assert bench.asked_for == {each.key for each in before}
    assert bench.log(before[1]) == (tmp_path / "0").read_text() == "loss=0\n"
    bench.runner.close()
    bench.renew()
    last, points = bench.wait(launch, seen)
    assert last.exit.succeeded
    assert is_whole(points, 25)
    assert bench.ran_once(launch)


def test_a_stop_arrives_although_slot_and_bridge_are_dead(bench):
    launch = bench.counting(1000)
    bench.runner.start(launch)
    bench.until_points(launch, 1)
    kill(bench.cluster.slots() + processes(BRIDGE))
    bench.runner.stop(bench.placed(launch))
    assert bench.wait(launch)[0].exit.cause == "stopped"


def test_the_head_is_away(bench):
    launch, later = bench.counting(40), bench.counting(3)
    bench.runner.start(launch)
    seen = bench.until_points(launch, 1)
    bench.cluster.kill_head()
    try:
        bench.runner.start(later)
        seen = bench.until_points(launch, 10, seen)
    finally:
        bench.cluster.start_head()
    for one, lines, before in ((launch, 40, seen), (later, 3, None)):
        last, points = bench.wait(one, before)
        assert last.exit.succeeded
        assert is_whole(points, lines)
        assert bench.ran_once(one)


def test_its_node_leaves_and_it_begins_anew_once_the_leash_has_run_out(bench):
    bench.runner.close()  # gives back the slots that it keeps: one node has to do for all
    bench.renew(leash_seconds=2.0)
    launch = bench.counting(1000)
    bench.runner.start(launch)
    bench.until_points(launch, 1)
    node = bench.folder(launch).parents[1].name
    bench.cluster.kill_raylet(node)
    try:
        last, _ = bench.wait(launch)
        assert last.exit.cause == "lost"
        assert "has left the Ray cluster" in last.exit.reason()
        node_says = (bench.folder(launch) / ".alfine" / "exit.json").read_text()
        assert "heard nothing from alfine" in node_says  # so it doesn't run there any more
        again = replace(launch, attempt=2, environment={"LINES": "3"})
        last, _ = bench.see_out(again)
        assert last.exit.succeeded
        assert bench.placed(again).node != bench.placed(launch).node
    finally:
        bench.cluster.add(node, num_gpus=1)
        bench.runner.close()
        bench.renew()


# -- several instances -------------------------------------------------------------------------------------------------

TELLING = """
import json, os
config = json.load(open(os.environ["SM_INPUT_CONFIG_DIR"] + "/resourceconfig.json"))
assert json.loads(os.environ["SM_HOSTS"]) == config["hosts"] and os.environ["SM_CURRENT_HOST"] == config["current_host"]
import socket
first = config["hosts"][0]
rank = config["hosts"].index(config["current_host"])
with open(f"{os.environ['SAGEMAKER_BASE_DIR']}/checkpoints/{rank}", "w"):
    pass
if rank == 0:
    with socket.create_server((first, 29517)) as server:
        print("loss=" + server.accept()[0].recv(99).decode())
        print(json.dumps(config))
else:
    import time
    while True:
        try:
            socket.create_connection((first, 29517)).sendall(b"0.25")
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
"""


def test_several_instances_reach_each_other_by_the_names_of_their_machines(bench, tmp_path):
    kept = {"checkpoint_uri": (tmp_path / "kept").as_uri(), "log_uri": (tmp_path / "log").as_uri()}
    launch = bench.launch(TELLING, instance_count=2, instance_type="whole", **kept)
    last, points = bench.see_out(launch)
    assert last.exit.succeeded, last.exit
    assert values(points) == [0.25]
    config = json.loads(bench.log(launch).splitlines()[-1])
    assert (config["hosts"], config["network_interface_name"]) == (["127.0.0.1", "127.0.0.2"], "lo")
    assert len(set(bench.placed(launch).node.split())) == 2
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["0", "1"]
    assert (tmp_path / "log").read_text() == bench.log(launch)


def test_several_instances_that_are_stopped_while_they_wait_hold_nothing(bench):
    holding, *waiting = (
        bench.counting(1000),
        *(bench.counting(instance_count=2, instance_type="whole") for _ in range(2)),
    )
    bench.runner.start(holding)
    bench.until_points(holding, 1)
    for launch in waiting:
        bench.runner.start(launch)
    for launch in waiting:
        bench.until(launch, lambda now: now.pending)
    for left, launch in enumerate(reversed((holding, *waiting))):
        if left == 1:
            kill(processes(BRIDGE))
        bench.runner.stop(bench.placed(launch))
        assert bench.wait(launch)[0].exit.cause == "stopped"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(bench.cluster.groups()) > max(0, 1 - left):
            assert time.monotonic() < deadline
            bench.bell.wait(0.05)


def test_when_one_instance_fails_the_others_are_stopped(bench):
    code = "import os, time\nif os.environ['SM_CURRENT_HOST'] == '127.0.0.2': raise SystemExit(7)\ntime.sleep(600)"
    last, _ = bench.see_out(bench.launch(code, instance_count=2, instance_type="whole"))
    assert last.exit.code == 7


# -- a whole tuning job ------------------------------------------------------------------------------------------------

TUNING = """
import sys
from pathlib import Path
import alfine
alfine.tune(Path(sys.argv[1]) / "train.py", {"x": alfine.Continuous(0, 1)}, metric="loss", regex="loss=([0-9.]+)",
    goal="Minimize", strategy="Random", max_training_jobs=4, max_parallel=2, seed=1, name="on-ray", home=sys.argv[1])
"""


def test_a_tuning_job_goes_on_on_the_cluster_after_alfine_was_killed(cluster, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "train.py").write_text("import time\ntime.sleep(0.4)\nprint('loss=0.5')")
    (home / "alfine.toml").write_text(f'[ray]\naddress = "{cluster.address}"\n[run]\nrunner = "ray"\n')
    first = subprocess.Popen(
        [sys.executable, "-c", TUNING, str(home)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (running := [*home.glob("tuning-jobs/on-ray/*/.alfine/process.json")]):
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.kill()
    first.wait()
    subprocess.run([sys.executable, "-c", TUNING, str(home)], check=True, capture_output=True)
    with Home(home) as opened:
        history = opened.store.history("on-ray")
    assert [(one.status, one.objective) for one in history.jobs] == [("Completed", 0.5)] * 4
    assert running[0].parents[1].name in {one.name for one in history.jobs}
    assert len([*home.glob("tuning-jobs/on-ray/*/.alfine/process.json")]) == 4
    (home / "alfine.toml").write_text('[ray]\naddress = "127.0.0.1:9"\n')
    with Home(home) as without_cluster:
        here, elsewhere = (one.name for one in history.jobs[:2])
        assert without_cluster.service.log(here).data == b"loss=0.5\n"
        shutil.rmtree(home / "tuning-jobs/on-ray" / elsewhere)
        with pytest.raises(NotFound, match=f"The log of {elsewhere} can't be read at present: the Ray cluster doesn't"):
            without_cluster.service.log(elsewhere)


# -- bad settings ------------------------------------------------------------------------------------------------------


def test_the_check_tells_what_every_node_has(bench, tmp_path):
    settings = ClusterSettings(address=bench.cluster.address, folder=str(tmp_path / "nodes"))
    report = check_cluster(settings, NodeNeeds(file=str(tmp_path)))
    assert report.trouble == ""
    assert [node.works for node in report.nodes] == [True, True]
    assert all("2 CPUs" in node.resources for node in report.nodes)
    (tmp_path / "nodes" / ".trouble").write_text("a folder can't be removed")
    assert [node.detail for node in check_cluster(settings, NodeNeeds()).nodes] == ["a folder can't be removed"] * 2
    blind = check_cluster(settings, NodeNeeds(file=str(tmp_path / "absent" / "file")))
    assert "isn't seen there" in blind.nodes[0].detail


def test_no_cluster_at_the_address_is_one_clear_sentence():
    report = check_cluster(ClusterSettings(address="127.0.0.1:9"), NodeNeeds())
    assert report.trouble.startswith("there is no Ray cluster at 127.0.0.1:9: Connection refused.")
    assert "isn't an address" in check_cluster(ClusterSettings(address="nonsense"), NodeNeeds()).trouble
