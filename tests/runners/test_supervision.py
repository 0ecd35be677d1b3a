"""What a launcher that was killed leaves behind is found and ended, and what nobody can look at isn't taken for ended."""

import errno
import fcntl
import os
import resource
import subprocess

import pytest

from alfine.runners.job_folder import Workspace
from alfine.runners.launcher import CONTROL, identity, mark_on, take_lock
from alfine.runners.log_files import log_status, piece_of, tail
from alfine.runners.supervision import kill_processes, settle_lost


def test_a_process_that_has_closed_its_output_is_found_by_its_environment(tmp_path):
    (tmp_path / CONTROL).mkdir()
    (tmp_path / CONTROL / "log").touch()
    environment = {"SAGEMAKER_BASE_DIR": str(tmp_path / "opt" / "ml"), "PATH": "/usr/bin:/bin"}
    quiet = subprocess.Popen(["sh", "-c", "exec >&- 2>&-; exec sleep 60"], env=environment)
    try:
        assert settle_lost(str(tmp_path))["cause"] == "lost"
        assert quiet.wait(20) == -9
    finally:
        quiet.kill()


@pytest.fixture
def no_descriptors():
    """This process can open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(lowest := os.dup(2))
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "look",
    [
        lambda folder: kill_processes(str(folder)),
        lambda _: identity(os.getpid()),
        lambda _: mark_on(os.getpid()),
        lambda folder: log_status(folder / CONTROL / "log"),
        lambda folder: piece_of(folder / CONTROL / "log", 0, 100),
        lambda folder: tail(folder / CONTROL / "log"),
        lambda folder: Workspace(folder).failure(),
    ],
)
def test_without_descriptors_a_training_job_is_not_taken_to_have_ended_or_to_have_said_nothing(
    tmp_path, no_descriptors, look
):
    with pytest.raises(OSError, match="Too many open files"):
        look(tmp_path)


def test_a_lock_that_cannot_be_asked_for_is_not_taken_to_be_held(tmp_path, monkeypatch):
    (tmp_path / CONTROL).mkdir()

    def without_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", without_locks)
    with pytest.raises(OSError, match="No locks available"):
        take_lock(str(tmp_path))
