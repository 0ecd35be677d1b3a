"""A node that shares no files with alfine fetches code and data of training jobs from buckets."""

import gzip
import hashlib
import io
import json
import sys
import tarfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.local_buckets import LocalBuckets
from alfine.programs.data.node_inputs import fetch_inputs
from alfine.runners.launch import InputChannel, Launch, Source
from alfine.runners.node import Asked, Node
from alfine.runners.protocol import Observation
from alfine.runners.storage.locations import BucketsUnreachable
from tests.runners.conftest import PATIENCE_SECONDS

TRAIN = """
import os, pathlib
data = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"])
print(sorted((path.name, path.read_text()) for path in data.iterdir()))
"""


class Buckets(LocalBuckets):
    """Buckets that can be away, as those of a network are."""

    away = False

    def find(self, uri):
        if self.away:
            raise BucketsUnreachable("the network is away")
        return super().find(uri)


def packed(text: str) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("train.py")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    return archive.getvalue()


CODE = packed(TRAIN)


@pytest.fixture(scope="module")
def buckets(tmp_path_factory) -> Buckets:
    found = Buckets(BucketStore(tmp_path_factory.mktemp("buckets")))
    listed = [{"prefix": "s3://data/parts/"}, "a.gz", "b.gz"]
    for uri, content in {
        "s3://data/code.tar.gz": CODE,
        "s3://data/parts/a.gz": gzip.compress(b"1"),
        "s3://data/parts/b.gz": gzip.compress(b"2"),
        "s3://data/parts/not-listed.gz": gzip.compress(b"3"),
        "s3://data/manifest": json.dumps(listed).encode(),
    }.items():
        found.put(uri, io.BytesIO(content))
    return found


@pytest.fixture(scope="module")
def node(buckets, tmp_path_factory) -> Iterator[Node]:
    inputs = partial(fetch_inputs, max_decompressed_bytes=1 << 20)
    found = Node(tmp_path_factory.mktemp("node"), buckets, inputs=inputs)
    yield found
    found.close()


def asks(name: str, *, sha256: str = "", data: str = "s3://data/manifest") -> Launch:
    return Launch(
        tuning_job="tuning",
        name=name,
        python=sys.executable,
        source=Source(uri="s3://data/code.tar.gz", sha256=sha256),
        script="train.py",
        channels=(InputChannel(name="train", uri=data, manifest=data.endswith("manifest"), gzip=True),),
    )


def told(node: Node, launch: Launch) -> Observation | str:
    """How it ended, or what keeps the node from going on."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for news in node.news([Asked(launch=launch)], 1.0):
            if news.error:
                return news.error
            if news.observation is not None and news.observation.exit is not None:
                return news.observation
    pytest.fail("it didn't end")


def test_a_node_fetches_code_and_data_and_another_node_object_finds_the_training_job(node, buckets):
    launch = asks("whole", sha256=hashlib.sha256(CODE).hexdigest())
    node.start(launch)
    node.start(launch)
    assert told(node, launch).exit.succeeded
    later = Node(node.root, buckets)
    assert later.poll(launch, 0).exit.succeeded
    later.close()
    assert node.log(launch, 0, 1 << 20).data.decode() == "[('a', '1'), ('b', '2')]\n"
    assert {Path(folder).parent for folder in node.root.glob("tuning/.inputs/*/")} == {node.root / "tuning/.inputs"}


def test_what_cannot_be_fetched_is_the_end_of_the_training_job(node):
    changed, missing = asks("changed", sha256="another"), asks("missing", data="s3://data/nothing/")
    for launch in (changed, missing):
        node.start(launch)
    assert "s3://data/code.tar.gz has changed since" in told(node, changed).exit.reason()
    assert 'No S3 objects found under S3 URL "s3://data/nothing/"' in told(node, missing).exit.reason()


def test_buckets_that_are_away_are_told_and_asked_again_at_the_next_start(node, buckets):
    launch = asks("away", data="s3://data/parts/")
    buckets.away = True
    node.start(launch)
    assert told(node, launch) == "BucketsUnreachable: the network is away"
    assert node.poll(launch, 0) is None
    buckets.away = False
    node.start(launch)
    assert told(node, launch).exit.succeeded


def test_a_stop_while_it_fetches_keeps_it_from_running(node):
    launch = asks("stopped")
    node.stop(launch)
    node.start(launch)
    assert told(node, launch).exit.cause == "stopped"


def test_a_node_that_cannot_fetch_says_so(tmp_path):
    with pytest.raises(ValueError, match="names code or data at s3:// URIs, which this node can't fetch"):
        Node(tmp_path).start(asks("nowhere"))
