"""A training job fills the disk: it fails with its reason, its scratch is cleared away, and the tuning job goes on."""

import subprocess
from contextlib import contextmanager

import pytest

import alfine
from alfine.core.errors import StorageFull
from alfine.store.store import Store
from tests.cli.conftest import alfine_cli
from tests.store.damage import execute

TRAIN = """
import argparse
p = argparse.ArgumentParser(); p.add_argument("--fill"); fill = p.parse_args().fill
print("loss=1", flush=True)
if fill == "yes":
    with open("junk", "wb") as junk:
        while True:
            junk.write(b"x" * 100_000)
"""


@contextmanager
def mounted(folder):
    """Mount a small disk on a folder."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk can be mounted by root on Linux only")
    yield
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    with mounted(folder):
        yield folder


def test_a_training_job_that_fills_the_disk_fails_and_the_tuning_job_goes_on(tmp_path, small_disk):
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    space = {"fill": alfine.Categorical(["no", "yes"])}
    words = {"metric": "loss", "strategy": "Grid", "home": small_disk / "home", "progress": False}
    job = alfine.tune(script, space, **words)
    by_fill = {each.hyperparameters["fill"]: each for each in job.training_jobs}
    assert job.status == "Completed"
    assert (by_fill["no"].status, by_fill["yes"].status) == ("Completed", "Failed")
    assert "No space left on device" in by_fill["yes"].failure_reason


def test_a_database_that_cannot_be_copied_is_not_upgraded(small_disk):
    home = small_disk / "home"
    Store.at(home).close()
    execute(home, "UPDATE alembic_version SET version_num = '0007'")
    for filler in ("filler", "more"):  # each goes through the WAL, for which there must be room
        execute(home, f"CREATE TABLE {filler} AS SELECT randomblob(1800000)")
    with pytest.raises(StorageFull, match="no room for a copy of the database .* nothing was changed"):
        Store.at(home)
    assert [path.name for path in home.iterdir()] == ["alfine.db"]


def test_files_that_cannot_be_deleted_are_told(tmp_path):
    home = tmp_path / "home"
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    words = {"metric": "loss", "strategy": "Grid", "home": home, "progress": False, "name": "job"}
    alfine.tune(script, {"fill": alfine.Categorical(["no"])}, **words)
    [busy] = (home / "tuning-jobs" / "job").glob("job-*/opt/ml/model")
    with mounted(busy):
        result = alfine_cli(home, "delete", "job", "--yes")
    assert result.exit_code == 1
    assert "The tuning job job is deleted, but not all of its files" in result.stderr
    assert "Device or resource busy" in result.stderr
