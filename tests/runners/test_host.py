"""The host of a machine: attempts in one folder, the leash, what makes a launch portable; and a node with its hosts."""

import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.local_buckets import LocalBuckets
from alfine.runners.job_folder import Workspace
from alfine.runners.launch import InputChannel, Launch, Source
from alfine.runners.launcher import read_json
from alfine.runners.local_launch import PACKAGE, local_launch
from alfine.runners.node import Asked, Node, NodeNews
from alfine.runners.process import ProcessRunner
from alfine.runners.storage.copies import Copies
from alfine.runners.supervision import has_ended
from tests.runners.conftest import PATIENCE_SECONDS, HostBench

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="lost training jobs are told on Linux")

WAITING = "import signal\nsignal.pause()"

CODE = """
import os, signal, sys
base = os.environ["SAGEMAKER_BASE_DIR"]
if os.path.exists(base + "/checkpoints/mark"):
    print("loss=2", flush=True)
    sys.exit()
open(base + "/checkpoints/mark", "w").close()
print("loss=1", flush=True)
signal.pause()
"""


@linux
@pytest.mark.parametrize("renewed", [False, True])
def test_the_next_attempt_goes_on_with_the_checkpoints_and_its_points_are_its_own(process, renewed):
    bench = HostBench(process)
    words = {"code": CODE, "metric": "loss", "metrics": [("loss", "loss=([0-9.]+)")], "retries": 3}
    first, second = bench.launch(**words), bench.launch(**words, attempt=2)
    bench.runner.start(first)
    bench.until(first, lambda now: now.points)
    assert bench.runner.poll(second, 0) is None
    record = read_json(f"{bench.folder(first)}/.alfine/process.json")
    os.kill(record["launcher"], signal.SIGKILL)
    assert bench.wait(first)[0].exit.cause == "lost"
    if renewed:
        bench.renew()
    bench.runner.start(second)
    bench.runner.start(second)
    last, points = bench.wait(second)
    assert last.exit.succeeded
    assert [(point.value, point.count) for point in points] == [(2.0, 1)]
    assert bench.runner.poll(second, 0, {"loss": 1}).points[0].count == 2
    assert bench.log(second).splitlines() == [
        "loss=1",
        "alfine: the supervisor of this training job was killed. Retry 1 of 3.",
        "loss=2",
    ]


def test_a_launch_is_the_same_after_json_and_pickle():
    launch = Launch(
        tuning_job="t",
        name="t-1",
        attempt=2,
        command=("run", "it"),
        source=Source(uri="s3://bucket/code.tar.gz", sha256="ab"),
        channels=(InputChannel(name="train", uri="file:///data/a%20b", shards=("file:///1", "file:///2")),),
        metrics=(("loss", "loss=(.*)"),),
    )
    assert Launch.from_json(launch.to_json() | {"added_later": 1}) == launch
    assert pickle.loads(pickle.dumps(launch)) == launch


def test_a_function_stays_in_its_process():
    with pytest.raises(ValueError, match="t-1 runs a Python function"):
        Launch(tuning_job="t", name="t-1", function=print).to_json()


def test_another_machine_puts_its_own_alfine_and_interpreter_in_place(tmp_path):
    launch = Launch(
        tuning_job="t",
        name="t-1",
        package="/there/alfine",
        interpreter="/there/python",
        python="/there/python",
        source=Source(uri="file:///there/alfine/programs/train.py", single=True),
        environment={"PYTHONPATH": "/mine:/there/alfine/programs/stand_ins"},
        channels=(InputChannel(name="train", uri="file:///data/a%20b"),),
    )
    local = local_launch(launch, tmp_path)
    assert local.folder == tmp_path / "t" / "t-1"
    assert local.python == sys.executable
    assert str(local.script) == f"{PACKAGE}/programs/train.py"
    assert local.environment == {"PYTHONPATH": f"/mine:{PACKAGE}/programs/stand_ins"}
    assert str(local.channels[0].path) == "/data/a b"


@linux
def test_a_training_job_ends_when_its_machine_hears_of_nobody(process):
    bench = HostBench(process)
    launch = bench.launch(code=WAITING, leash_seconds=0.5)
    bench.runner.start(launch)
    bench.until_true(lambda: has_ended(str(bench.folder(launch))))
    reason = bench.wait(launch)[0].exit.reason()
    assert "its machine heard nothing from alfine for 0.5 s, so it was ended there" in reason


@linux
def test_a_node_tells_what_is_new_and_a_later_one_goes_on(tmp_path, process):
    launch = HostBench(process).launch(code=CODE, metric="loss", metrics=[("loss", "loss=([0-9.]+)")])
    node = Node(str(tmp_path))
    assert node.news([Asked(launch=launch)], 0.0) == [NodeNews(name="job-1", observation=None)]
    node.start(launch)
    asked = Asked(launch=launch)
    while not (points := node.news([asked], PATIENCE_SECONDS)[0].observation.points):
        asked = replace(asked, started=True)
    assert [(point.value, point.count) for point in points] == [(1.0, 1)]
    later = Node(str(tmp_path))
    asked = replace(asked, offset=7, counts={"loss": 1}, started=True)
    assert later.news([asked], 0.0) == []
    later.stop(launch)
    (answer,) = later.news([asked], PATIENCE_SECONDS)
    assert (answer.name, answer.observation.points, answer.observation.exit.cause) == ("job-1", (), "stopped")
    for each in (node, later):
        each.close()


@linux
def test_a_node_looks_seldom_while_it_holds_back_that_a_training_job_has_begun(tmp_path, process):
    looks = []

    class Counting(ProcessRunner):
        def poll(self, launch, offset):
            looks.append(launch.name)
            return super().poll(launch, offset)

    node = Node(tmp_path, executors={"process": Counting})
    launch = HostBench(process).launch(code=WAITING)
    node.start(launch)
    (answer,) = node.news([Asked(launch=launch)], PATIENCE_SECONDS)
    assert answer.observation.started_at
    assert len(looks) < 100  # for ever again, they are thousands
    node.stop(launch)
    node.close()


def test_a_node_tells_what_keeps_it_from_going_on(tmp_path):
    launch = Launch(tuning_job="t", name="t-1", source=Source(uri="http://bucket/train.py", single=True))
    (news,) = Node(tmp_path).news([Asked(launch=launch)], 0.0)
    assert news.error == "ValueError: 'http://bucket/train.py' isn't a file:// URI of an absolute path."


def test_a_node_needs_nothing_but_the_standard_library():
    code = "from alfine.runners.node import Node; Node('/nowhere')"
    places = [str(Path(PACKAGE).parent)]
    subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path += {places!r}; {code}"], check=True)


def test_checkpoints_and_log_are_copied_while_it_runs(process, tmp_path, caplog):
    kept, seconds = tmp_path / "kept", [0.0]
    buckets = LocalBuckets(BucketStore(tmp_path / "buckets"))
    local = process.launch(code=CODE)
    process.runner.start(local)
    process.until_line(local, "loss=1")
    launch = Launch(
        tuning_job="tuning",
        name="job-1",
        checkpoint_uri=(kept / "checkpoints").as_uri(),
        log_uri=(kept / "log").as_uri(),
    )
    copies = Copies(buckets, lambda: seconds[0])
    copies.follow(launch, Workspace(local.folder))
    copies.copy_due()
    assert not kept.exists()
    seconds[0] = 60.0
    copies.copy_due()
    assert (kept / "checkpoints/mark").exists()
    assert (kept / "log").read_text() == "loss=1\n"
    (kept / "checkpoints/mark").unlink()
    seconds[0] = 120.0
    copies.copy_due()
    assert not (kept / "checkpoints/mark").exists(), "it hasn't changed since"
    beneath_a_file = (kept / "log" / "beneath").as_uri()
    unwritable = replace(launch, name="job-2", checkpoint_uri=beneath_a_file, log_uri=beneath_a_file)
    (kept / "checkpoints").rmdir()
    copies.follow(unwritable, Workspace(local.folder))
    seconds[0] = 180.0
    copies.copy_due()
    assert [record.args[0] for record in caplog.records] == ["job-2", "job-2"]
    process.runner.stop(local)
    process.wait(local)
    for each in (launch, unwritable):
        copies.forget(each)
    copies.close()


@linux
def test_the_host_as_a_program_keeps_one_training_job_to_its_end(process, tmp_path):
    bench = HostBench(process)
    launch = bench.launch(code=CODE, metric="loss", metrics=[("loss", "loss=([0-9.]+)")])
    file = tmp_path / "launch.json"
    file.write_text(json.dumps(launch.to_json()))
    words = [sys.executable, "-m", "alfine.programs.host_program", str(tmp_path / "node"), str(file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as program:
        news = []
        for line in program.stdout:
            news.append(json.loads(line))
            if news[-1]["points"]:
                program.terminate()
        assert program.wait() == 1
    assert [point["value"] for each in news for point in each["points"]] == [1.0]
    assert news[-1]["exit"]["cause"] == "stopped"
    file.write_text("[]")
    assert subprocess.run(words, capture_output=True, check=False).returncode == 2
