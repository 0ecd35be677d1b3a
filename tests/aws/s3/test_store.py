"""The store by itself: any key, never outside its bucket's folder, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.errors import S3Error
from alfine.programs.data.buckets.key_names import decoded, encoded
from alfine.programs.data.buckets.objects import Metadata

NASTY = [
    "..",
    ".",
    "",
    ".alfine",
    "a",
    "A",
    "b",
    "a.",
    "%2e",
    "+",
    "=a",
    "@1",
    "\x00",
    "\n",
    "\udcff",
    "é",
    "x" * 256,
    "…",
]
segments = some.sampled_from(NASTY) | some.text(some.characters(codec="utf-8"), max_size=6)
keys = (
    some.lists(segments, min_size=1, max_size=5)
    .map("/".join)
    .filter(lambda key: 0 < len(key.encode(errors="surrogateescape")) <= 1024)
)


def put(store: BucketStore, key: str, data: bytes, bucket: str = "here") -> str:
    with store.writer(bucket) as writer:
        writer.write(data)
        return writer.commit(key, Metadata(etag=writer.md5, user={"key": ascii(key)})).etag


def read(store: BucketStore, key: str, bucket: str = "here") -> bytes:
    descriptor, found = store.open(bucket, key)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read()
    assert len(data) == found.size
    return data


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@given(keys)
def test_an_encoded_key_is_a_relative_path_that_says_the_key(key: str):
    path = encoded(key)
    assert decoded(path) == key
    assert all(name.startswith("=") and len(name) < 210 for name in path.split("/"))


@settings(max_examples=60)
@given(some.lists(keys, min_size=1, max_size=8), some.data())
@example(["a", "a/b", "a/b/c", "a/", "/a", "//", "..", "../../x", "a/../b", ".alfine/lock", "a/.alfine"], None)
def test_any_keys_round_trip_and_stay_inside(folder: Path, wanted: list[str], data: some.DataObject | None):
    store = BucketStore(folder / "buckets")
    bucket = f"b-{os.urandom(8).hex()}"
    store.create_bucket(bucket)
    here = folder / "buckets" / bucket
    there: dict[str, bytes] = {}
    for number, key in enumerate(wanted):
        there[key] = b"%d" % number
        put(store, key, there[key], bucket)
        if data is not None and data.draw(some.booleans()):
            gone = data.draw(some.sampled_from(sorted(there)))
            store.delete(bucket, gone)
            del there[gone]
            assert not store.exists(bucket, gone)
    assert [each.key for each in store.list(bucket)] == sorted(there)
    for key, content in there.items():
        assert read(store, key, bucket) == content
        found = store.find(bucket, key)
        assert found.metadata.user == {"key": ascii(key)}
        assert found.path.resolve().is_relative_to(here.resolve())
    assert {path.name for path in folder.iterdir()} == {"buckets"}
    after, listed = "", []
    while True:
        page = store.page(bucket, after=after, limit=2)
        listed += [each.key for each in page.objects]
        if page.last is None:
            break
        after = page.last
    assert listed == sorted(there)
    store.delete(bucket, *there)
    assert [path.name for path in here.iterdir()] == [".alfine"]
    store.delete_bucket(bucket)


@settings(max_examples=60)
@given(
    some.sets(some.text("ab/-", min_size=1, max_size=5), min_size=1, max_size=12),
    some.text("ab/-", max_size=3),
    some.sampled_from(["", "/", "-", "b/"]),
    some.integers(1, 4),
)
def test_pages_of_groups_are_what_a_plain_sort_says(folder: Path, names, prefix, delimiter, limit):
    store = BucketStore(folder / "buckets")
    bucket = f"b-{os.urandom(8).hex()}"
    store.create_bucket(bucket)
    for name in names:
        path = folder / "buckets" / bucket / name
        if not (name.endswith("/") or "//" in name or name.startswith("/") or path.is_dir()):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"")  # put there by hand: an object too
                continue
            except (FileExistsError, NotADirectoryError):
                pass
        put(store, name, b"", bucket)
    expected: list[str] = []
    for name in sorted(name for name in names if name.startswith(prefix)):
        end = name.find(delimiter, len(prefix)) if delimiter else -1
        shown = name if end < 0 else name[: end + len(delimiter)]
        if shown not in expected:
            expected.append(shown)
    after, shown_so_far = "", []
    while True:
        page = store.page(bucket, prefix, delimiter=delimiter, after=after, limit=limit)
        assert len(page.objects) + len(page.prefixes) <= limit
        shown_so_far += sorted([each.key for each in page.objects] + page.prefixes)
        if page.last is None:
            break
        after = page.last
    assert shown_so_far == expected
    store.delete(bucket, *names)
    store.delete_bucket(bucket)


def test_objects_are_the_files_that_one_expects(store: BucketStore, tmp_path: Path):
    (tmp_path / "data.csv").write_text("1,2\n")
    with (tmp_path / "data.csv").open("rb") as file:
        store.put_file("here", "train/data.csv", file, "text/csv")
    assert store.path("here", "train/data.csv") == store.folder / "here" / "train" / "data.csv"
    assert (store.folder / "here" / "train" / "data.csv").read_text() == "1,2\n"
    assert store.exists("here", "train/data.csv")
    assert not store.exists("here", "train")


def test_a_file_put_there_by_hand_is_an_object(store: BucketStore):
    (store.folder / "here" / "by").mkdir()
    (store.folder / "here" / "by" / "hand").write_text("hello")
    found = store.find("here", "by/hand")
    assert (found.size, found.etag.endswith("-1")) == (5, True)
    assert [each.key for each in store.list("here", "by/")] == ["by/hand"]
    put(store, "by/hand", b"1")
    (store.folder / "here" / "by" / "hand").write_text("2")
    assert store.find("here", "by/hand").metadata.user == {}


def test_links_lead_nowhere(store: BucketStore, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    (store.folder / "here" / "link").symlink_to(outside)
    (store.folder / "here" / "file").symlink_to(outside / "secret")
    (store.folder / "linked").symlink_to(outside)
    for key in ("link/secret", "file"):
        assert not store.exists("here", key)
        put(store, key, b"mine")
        assert read(store, key) == b"mine"
        store.delete("here", key)
    put(store, "link/new", b"x")
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "s"
    with pytest.raises(S3Error, match="bucket does not exist"):
        store.find("linked", "secret")


def test_readers_see_the_old_object_or_the_new_one_whole(store: BucketStore):
    sizes = {bytes([65 + writer]) * (3000 + writer) for writer in range(4)}
    put(store, "k", b"A" * 3000)
    done = threading.Event()

    def write(data: bytes) -> None:
        for _ in range(10):
            put(store, "k", data)

    def look() -> int:
        looks = 0
        while not done.is_set():
            descriptor, found = store.open("here", "k")
            with os.fdopen(descriptor, "rb") as file:
                data = file.read()
            assert data in sizes
            assert found.etag == hashlib.md5(data).hexdigest()
            assert next(store.list("here")).etag.isalnum()
            looks += 1
        return looks

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(look) for _ in range(2)]
        for writer in [pool.submit(write, data) for data in sizes]:
            writer.result()
        done.set()
        assert all(reader.result() for reader in readers)
    assert len(list((store.folder / "here" / ".alfine" / "metadata").iterdir())) == 1


def test_keys_that_want_one_place_can_be_written_at_once(store: BucketStore):
    wanted = ["a", "a/b", "a/b/c", "a/b/c/d"] * 6
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put(store, key, key.encode()), wanted))
    assert [each.key for each in store.list("here")] == sorted(set(wanted))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.delete("here", key), wanted))
    assert list(store.list("here")) == []


CRASHING = """
import os, sys
from pathlib import Path
from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.objects import Metadata

def put(key, data):
    with store.writer("here") as writer:
        writer.write(data)
        writer.commit(key, Metadata(etag=writer.md5, user={"key": key}))

def dying_at(step):
    count = iter(range(1000))
    def dying(call):
        def wrapped(*arguments, **options):
            if next(count) == step:
                os._exit(9)
            return call(*arguments, **options)
        return wrapped
    os.fsync = dying(os.fsync)
    for name in ("rename", "unlink", "mkdir", "rmdir"):
        setattr(Path, name, dying(getattr(Path, name)))

store = BucketStore(Path(sys.argv[1]))
put("a/k", b"old")
seen, step, status = set(), 0, 9
while status:
    child = os.fork()
    if not child:
        dying_at(step)
        put("a/k", b"newer")
        store.delete("here", "other/k")
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    descriptor, found = store.open("here", "a/k")
    data = os.read(descriptor, 100)
    os.close(descriptor)
    assert data in (b"old", b"newer") and len(data) == found.size, (step, data)
    assert found.metadata.user == {"key": "a/k"}, step
    assert [each.key for each in store.list("here")][0] == "a/k"
    seen.add(data)
    step += 1
    put("a/k", b"old")
    put("other/k", b"x")
assert seen == {b"old", b"newer"}, seen
print(step)
"""


def test_a_process_killed_at_any_step_leaves_the_old_object_or_the_new(store: BucketStore):
    command = [sys.executable, "-c", CRASHING, str(store.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 8


def test_left_overs_of_dead_processes_are_swept(store: BucketStore):
    aside = store.folder / "here" / ".alfine" / "temporary"
    aside.mkdir()
    for name, age in (("old", 2 * 86400), ("new", 60)):
        (aside / name).write_text("")
        then = (aside / name).stat().st_mtime - age
        os.utime(aside / name, (then, then))
    BucketStore(store.folder)
    assert [path.name for path in aside.iterdir()] == ["new"]


def test_a_put_into_a_bucket_deleted_meanwhile_is_refused(store: BucketStore):
    with store.writer("here") as writer:
        writer.write(b"x")
        store.delete_bucket("here")
        with pytest.raises(S3Error, match="bucket does not exist"):
            writer.commit("k", Metadata(etag=writer.md5))
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("key", ["", "x" * 1025, "\ud800"])
def test_what_no_key_can_be_is_refused(store: BucketStore, key):
    with pytest.raises(S3Error):
        put(store, key, b"x")


def test_times_never_repeat(store: BucketStore):
    put(store, "a", b"1")
    times = []
    for _ in range(5):
        put(store, "a", b"1")
        times.append(store.find("here", "a").modified_ns)
    assert all(before < after for before, after in pairwise(times))


def test_a_bucket_that_cannot_be_made_is_not_called_taken(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = BucketStore(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", fail)
        with pytest.raises(OSError, match="Input/output error"):
            store.create_bucket("bucket")
    store.create_bucket("bucket")
    with pytest.raises(S3Error, match="already"):
        store.create_bucket("bucket")
    assert [bucket.name for bucket in store.buckets()] == ["bucket"]


@pytest.mark.parametrize("text", ["{", "[]", '{"region": "eu-west-1", "created_at": "noon"}'])
def test_a_damaged_record_of_a_bucket_hides_no_bucket(tmp_path, text):
    store = BucketStore(tmp_path)
    for name in ("damaged", "other"):
        store.create_bucket(name)
    (tmp_path / "damaged" / ".alfine" / "bucket.json").write_text(text)
    assert [bucket.name for bucket in store.buckets()] == ["damaged", "other"]
