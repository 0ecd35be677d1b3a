"""The folders of training jobs that have ended are kept on a node within limits; tests/runners/test_ray.py has it with a cluster."""

import os
import shutil
import sys
import time
from dataclasses import replace

import pytest

from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.local_buckets import LocalBuckets
from alfine.runners.ended_folders import LEAVING, EndedFolders
from alfine.runners.launch import Launch
from alfine.runners.node import Asked, Node
from alfine.runners.node_cache import ANY, INPUTS, CacheLimits
from tests.runners.conftest import PATIENCE_SECONDS

OURS = "postgresql://ours"
NOTHING = CacheLimits(most_bytes=0)
ONE_DAY = CacheLimits(most_seconds=86400.0)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Training jobs of two databases: «stored» and «kept» have ended, «runs» runs, «other» has ended and is another database's."""
    root = tmp_path_factory.mktemp("node")
    node = Node(root / "jobs", LocalBuckets(BucketStore(root / "buckets")))
    for tuning_job, records in (("ours", OURS), ("theirs", "postgresql://theirs")):
        EndedFolders(node.root, NOTHING, records).claim(tuning_job)
    log_uri = (root / "copy" / "log.txt").as_uri()
    ended = [launch("stored", log_uri=log_uri), launch("kept"), replace(launch("other"), tuning_job="theirs")]
    runs = launch("runs", "import time; print(1, flush=True); time.sleep(600)")
    for each in (*ended, runs):
        node.start(each)
    for each in ended:
        until(node, each, lambda seen: seen.exit is not None)
    until(node, runs, lambda seen: seen.started_at is not None)
    yield node
    node.stop(runs)
    until(node, runs, lambda seen: seen.exit is not None)
    node.close()


def launch(name, code="print(1)", **words):
    return Launch(tuning_job="ours", name=name, command=(sys.executable, "-c", code), grace_seconds=0.0, **words)


def until(node, asked, done):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(news.observation and done(news.observation) for news in node.news([Asked(launch=asked)], 1.0)):
        assert time.monotonic() < deadline


def folders(node, limits, *, days=0.0, records=OURS):
    return EndedFolders(node.root, limits, records, lambda: time.time() + 86400.0 * days)


def test_what_is_stored_elsewhere_goes_by_size_and_all_that_has_ended_by_age(node):
    stored, kept = ("ours", "stored"), ("ours", "kept")
    assert folders(node, NOTHING).beyond_limits() == [stored]
    assert folders(node, CacheLimits(most_bytes=1 << 30)).beyond_limits() == []
    assert folders(node, ONE_DAY).beyond_limits() == []
    os.utime(node.root / "ours/kept/.alfine/exit.json", (0, 0))
    assert folders(node, ONE_DAY, days=2).beyond_limits() == [kept, stored]
    assert folders(node, ANY, days=1000).beyond_limits() == []
    assert folders(node, ONE_DAY, days=2, records="postgresql://theirs").beyond_limits() == [("theirs", "other")]


def test_the_only_copy_of_a_model_is_not_removed(node, tmp_path):
    os.utime(node.root / "ours/kept/.alfine/exit.json", (0, 0))
    for name in ("opt/ml/model", "opt/ml/output/data", "opt/ml/checkpoints"):
        copy = Node(tmp_path / name / "jobs")
        shutil.copytree(node.root / "ours", copy.root / "ours", ignore=shutil.ignore_patterns("runs"))
        for job in ("kept", "stored"):
            (copy.root / "ours" / job / name / "weights").write_text("7")
        assert folders(copy, ONE_DAY, days=2).beyond_limits() == [("ours", "stored")]


def test_what_runs_is_not_removed_and_a_removal_that_was_killed_goes_on(node, tmp_path):
    copy = Node(tmp_path / "jobs")  # of the folders of those that have ended
    shutil.copytree(node.root / "ours", copy.root / "ours", ignore=shutil.ignore_patterns("runs"))
    (copy.root / "ours" / "stored").rename(copy.root / "ours" / f"{LEAVING}stored")
    assert folders(copy, NOTHING).remove([("ours", "stored"), ("ours", "kept")]) == ""
    assert {path.name for path in (copy.root / "ours").iterdir()} == {".records"}
    assert copy.log(launch("kept"), 0, 100).is_gone
    folders(copy, NOTHING, days=1).remove([])
    assert not (copy.root / "ours").exists()
    assert folders(node, NOTHING).remove([("ours", "runs")]) == ""
    assert not node.log(launch("runs"), 0, 100).is_gone


def test_what_cannot_be_removed_is_told_until_it_can_be(tmp_path):
    def tidied():
        node = Node(tmp_path, limits=NOTHING, ended=EndedFolders(tmp_path, NOTHING, OURS))
        return node.tidy([("ours", "stored")])

    EndedFolders(tmp_path, NOTHING, OURS).claim("ours")
    for name in ("stored", f"{LEAVING}stored"):  # the second one is what an earlier removal has left
        (tmp_path / "ours" / name / "file").mkdir(parents=True)
    inputs = tmp_path / "ours" / INPUTS
    inputs.symlink_to(tmp_path)
    told = tidied()
    assert "Directory not empty" in told
    assert f"what it has fetched can't be kept within its limits: {inputs} can't be removed" in told
    assert Node(tmp_path).trouble == told
    inputs.unlink()
    assert tidied() == Node(tmp_path).trouble == ""
    assert not (tmp_path / "ours" / "stored").exists()
