"""What a training job puts in place of its folders (links, pipes, devices) leads nobody out of its folder, and nobody waits for it.

Each stage at which alfine touches such a folder is played: pack, deliver, save, restore, retry, delete.
"""

import errno
import gzip
import os
import shutil
import signal
import stat
import tarfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.local_buckets import LocalBuckets
from alfine.runners import launcher
from alfine.runners.executor import LocalChannel, LocalLaunch
from alfine.runners.job_folder import Workspace, lay_out, remove_job_folder
from alfine.runners.launcher import job as launcher_job
from alfine.runners.launcher.job import SupervisedJob
from alfine.runners.launcher.lookup import KERNEL
from alfine.runners.log_files import read_lines, tail
from alfine.runners.packing import pack_model
from alfine.runners.retries import try_again
from alfine.runners.storage import checkpoints
from alfine.runners.storage.artifacts import deliver, output_base

SECRET = b"the secret of somebody else"
HANG_SECONDS = 20


@pytest.fixture(autouse=True)
def nobody_waits():
    """Ends a test that waits for a pipe."""

    def give_up(_number, _frame):
        raise AssertionError("somebody waits for ever")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(HANG_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def outside(tmp_path):
    """A folder of somebody else, with the names that alfine looks for."""
    for name in ("secret", "data/secret", "failure", "train.py", "config/secret", "deep/more/secret"):
        path = tmp_path / "outside" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SECRET)
    return tmp_path / "outside"


@pytest.fixture
def job(tmp_path):
    """A training job that has run, and was lost."""
    (tmp_path / "train.py").write_text("pass")
    launch = LocalLaunch(name="job-1", folder=tmp_path / "jobs/job/job-1", script=tmp_path / "train.py", image=None)
    space = lay_out(launch)
    (space.model / "weights").write_text("w")
    (space.ml / "output/data/table").write_text("t")
    (space.ml / "output/failure").write_text("lr is too big")
    (space.ml / "checkpoints/state").write_text("s")
    space.log.write_text("loss=1\n")
    (space.control / "exit.json").write_text("{}")
    return launch


@pytest.fixture
def buckets(tmp_path):
    return LocalBuckets(BucketStore(tmp_path / "buckets"))


def put_in_place(path: Path, kind: str, outside: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(outside / path.name if (outside / path.name).is_file() else outside)
    elif kind == "pipe":
        os.mkfifo(path)
    elif os.geteuid() == 0:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # endless zeros
    else:
        pytest.skip("only root can make devices")


@contextmanager
def unharmed(outside: Path):
    def state():
        return sorted((path, path.is_dir() or path.read_bytes()) for path in outside.rglob("*"))

    before = state()
    yield
    assert state() == before


def spread(*folders: Path) -> list[Path]:
    """The regular files with the secret in them, packed or not. No link is followed."""
    return [
        Path(above, name)
        for folder in folders
        for above, _, names in os.walk(folder)
        for name in names
        if stat.S_ISREG(Path(above, name).lstat().st_mode) and SECRET in plain(Path(above, name).read_bytes())
    ]


def plain(data: bytes) -> bytes:
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


PARTS = ("model", "model/weights", "output", "output/data", "output/failure", "code", "input", "checkpoints")
PARTS += ("checkpoints/state", "input/config")
WAYS = [("openat2", part, kind) for part in PARTS for kind in ("link", "pipe", "device")]
WAYS += [("step by step", part, "link") for part in ("model", "output", "checkpoints/state")]


@pytest.mark.parametrize(("way", "part", "kind"), WAYS)
def test_no_stage_follows_what_stands_in_place_of_a_folder(tmp_path, outside, job, monkeypatch, way, part, kind):  # noqa: PLR0917
    monkeypatch.setattr(KERNEL, "has_openat2", KERNEL.has_openat2 and way == "openat2")
    buckets = LocalBuckets(BucketStore(tmp_path / "buckets"))
    space, kept = Workspace(job.folder), tmp_path / "kept"
    place = (kept / "shared").as_uri()
    put_in_place(space.ml / part, kind, outside)
    with unharmed(outside):
        refused = []
        for stage in (
            lambda: pack_model(space),
            lambda: deliver(buckets, output_base(kept.as_uri(), job.name), space, packed=True),
            lambda: deliver(buckets, output_base(kept.as_uri(), job.name), space, packed=False),
            lambda: checkpoints.save(buckets, place, space, shared=True),
        ):
            try:
                stage()
            except OSError as error:
                refused.append(str(error))
        folder = part in ("model", "output", "output/data", "checkpoints")
        assert bool(refused) is folder
        assert all(f"/opt/ml/{part} is a " in text for text in refused), refused
        assert space.failure() in ("", "lr is too big")
        follower = Workspace(tmp_path / "jobs/job/job-2")
        checkpoints.restore(buckets, place, follower)
        assert {path.name for path in (follower.ml / "checkpoints").iterdir()} <= {"state"}
        try_again(space, 1)
        lay_out(job)
        for name in ("model", "output/data", "code", "input/config", "checkpoints"):
            assert (space.ml / name).is_dir()
            assert (space.ml / name).resolve() == (space.ml / name).absolute()
        remove_job_folder(job.folder)
        assert not job.folder.exists()
    assert spread(tmp_path / "jobs", kept) == []


@pytest.mark.skipif(shutil.which("busybox") is None, reason="needs busybox, whose commands the image doesn't have")
def test_a_container_that_replaces_its_model_by_a_link_fails_with_the_reason(container, outside):
    tools = (LocalChannel(name="tools", path=Path(shutil.which("busybox"))),)
    box = "/opt/ml/input/data/tools/busybox"
    program = f"{box} rm -r /opt/ml/model; {box} ln -s {outside} /opt/ml/model; {box} mkfifo /opt/ml/output/failure"
    with unharmed(outside):
        last, lines = container.see_out(container.launch(environment={"PROGRAM": program}, channels=tools))
    assert last.exit.cause == "not_packed", lines
    assert "/opt/ml/model is a symbolic link, not a folder" in last.exit.reason()
    assert spread(container.home / "tuning-jobs") == []


@pytest.mark.parametrize("part", ["model", "code"])
def test_making_room_on_a_full_disk_follows_no_link(outside, job, monkeypatch, part):
    space = Workspace(job.folder)
    put_in_place(space.ml / part, "link", outside)
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(_path, _value):
        raise full

    monkeypatch.setattr(launcher_job, "write_json", refuse)
    spec = {"scratch": [], "wrapper": "", "processes": [{}], "start": "cold", "behind": 0}
    ending = SupervisedJob(str(job.folder), spec, os.open(os.devnull, os.O_RDONLY))
    ending.end(1 << 8, 0.0)
    with unharmed(outside):
        assert not ending.finish(0.0, [])
    assert not os.path.lexists(space.ml / part)
    os.close(ending.lock)


def test_links_within_the_model_stay_and_all_else_is_left_out_and_said(job, outside, buckets):
    space = Workspace(job.folder)
    (space.model / "last").symlink_to("weights")
    (space.model / "best").symlink_to("/opt/ml/model/last")
    (space.model / "theirs").symlink_to(outside)
    os.mkfifo(space.model / "pipe")
    with tarfile.open(pack_model(space)) as archive:
        assert {member.name: member.linkname for member in archive} == {
            "weights": "",
            "last": "weights",
            "best": "last",
        }
    assert tail(space.log).endswith(
        "alfine: /opt/ml/model: pipe (a named pipe), theirs (a symbolic link) wasn't stored: only files, folders and links to "
        "files in the same folder are. Copy what you need."
    )
    deliver(buckets, output_base("s3://kept/out", job.name), space, packed=False)
    base = "s3://kept/out/job-1/output/model/"
    assert {stored.uri.removeprefix(base): buckets.file(stored).read_text() for stored in buckets.find(base)} == {
        "best": "w",
        "last": "w",
        "weights": "w",
    }


def test_a_link_that_comes_and_goes_is_never_followed(tmp_path, job, outside, buckets):
    """A process of the training job may still run while its folder is read."""
    space, stop = Workspace(job.folder), threading.Event()
    weights, real, link = (space.model / name for name in ("weights", ".real", ".link"))

    def swap():
        while not stop.is_set():
            link.symlink_to(outside / "secret")
            link.replace(weights)
            real.write_text("w")
            real.replace(weights)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(25):
            with suppress(OSError):  # it changed while it was read
                pack_model(space)
            assert spread(space.archive.parent) == []
            space.archive.unlink(missing_ok=True)
            with suppress(OSError):
                deliver(buckets, output_base("s3://kept/out", job.name), space, packed=False)
    finally:
        stop.set()
        swapping.join()
    assert spread(tmp_path / "buckets") == []


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_plain_process_that_replaces_alfines_own_files_makes_nobody_wait(job, outside, kind):
    space = Workspace(job.folder)
    put_in_place(space.log, kind, outside)
    with pytest.raises(OSError, match="is a (named pipe|symbolic link), not a file"):
        read_lines(space.log, 0, ended=True)
    assert tail(space.log) == ""
    put_in_place(space.control / "exit.json", kind, outside)
    with pytest.raises(OSError, match="is a (named pipe|symbolic link), not a file"):
        launcher.read_json(launcher.control_path(str(job.folder), launcher.EXIT))


def test_a_folder_of_any_depth_is_removed(job):
    here = os.open(Workspace(job.folder).ml, os.O_RDONLY)
    try:
        for _ in range(70):  # longer than any path may be
            os.mkdir("d" * 100, dir_fd=here)
            here, above = os.open("d" * 100, os.O_RDONLY, dir_fd=here), here
            os.close(above)
        os.fchmod(here, 0)
    finally:
        os.close(here)
    remove_job_folder(job.folder)
    assert not job.folder.exists()


def test_a_folder_is_not_removed_before_its_launcher_can_be_told(job, monkeypatch):
    """A launcher that hung would make the folder anew for its record of the end."""

    def fail(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as broken:
        broken.setattr(launcher.Beneath, "open", fail)
        with pytest.raises(OSError, match="Too many open files"):
            remove_job_folder(job.folder)
    assert job.folder.exists()
    remove_job_folder(job.folder)
    assert not job.folder.exists()
