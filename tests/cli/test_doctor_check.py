"""alfine doctor --check: what is wrong with a home, which record or file it is, and what to do; nothing is changed."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.runners import launcher
from tests.cli.conftest import alfine_cli, until
from tests.store.damage import damage, execute


@pytest.fixture
def home(recorded, tmp_path):
    home = shutil.copytree(recorded, tmp_path / "home", symlinks=True)
    store = BucketStore(home / "buckets")
    store.create_bucket("bucket")
    store.put_file("bucket", "key", io.BytesIO(b"1"))
    return home


def problems(home):
    """What is wrong, by kind and place."""
    before = {path: path.lstat().st_mtime_ns for path in home.rglob("*") if path.name != "alfine.db-shm"}
    result = alfine_cli(home, "doctor", "--check", "--json")
    found = {(each["Kind"], each["Where"]): each for each in json.loads(result.stdout)["Problems"]}
    assert result.exit_code == bool(found)
    after = {path: path.lstat().st_mtime_ns for path in home.rglob("*") if path.name != "alfine.db-shm"}
    assert {path for path in after if path not in before} <= {home / "alfine.db-wal"}
    return found


def test_a_home_in_order_has_no_problems(home):
    assert problems(home) == {}
    assert (
        "no problems found (2 tuning jobs, 10 training jobs, 1 object checked)"
        in alfine_cli(home, "doctor", "--check").stdout
    )


def test_records_that_cannot_be_read_are_named_by_tuning_job_and_row(home):
    execute(home, "UPDATE training_jobs SET hyperparameters = '{' WHERE number = 2 AND tuning_job = 2")
    execute(home, "UPDATE training_jobs SET status = 'Odd' WHERE number = 1 AND tuning_job = 2")
    execute(
        home, "DELETE FROM metrics WHERE tuning_job = 1 AND fact = (SELECT max(fact) FROM metrics WHERE tuning_job = 1)"
    )
    said = {where: each["What"] for (_, where), each in problems(home).items()}
    [function] = [what for where, what in said.items() if "tuning_job 2, number 2 (function-002-" in where]
    assert function.startswith("JSONDecodeError")
    [odd] = [what for where, what in said.items() if "tuning_job 2, number 1 (function-001-" in where]
    assert odd == "there is no status 'Odd'"
    assert "facts were recorded, but" in said["tuning job good"]


def test_damaged_pages_are_told_with_the_table(home):
    damage(home, "metrics")
    found = alfine_cli(home, "doctor", "--check")
    assert found.exit_code == 1
    assert "table metrics can't be read: database disk image is malformed" in found.stdout
    assert "docs/how-to/repair-a-home.md" in found.stdout


def test_files_without_records_and_records_without_files(home):
    top = home / "tuning-jobs"
    gone, garbled = sorted(path for path in (top / "good").iterdir() if path.name.startswith("good-"))[:2]
    shutil.rmtree(gone)
    (garbled / ".alfine" / "exit.json").write_text("{")
    (top / "stranger" / "stranger-001").mkdir(parents=True)
    (top / "good" / "other").mkdir()
    found = problems(home)
    assert set(found) == {
        ("folder", str(gone)),
        ("folder", str(garbled / ".alfine" / "exit.json")),
        ("folder", str(top / "stranger" / "stranger-001")),
        ("folder", str(top / "good" / "other")),
    }
    assert found["folder", str(gone)]["What"].startswith(f"the files of training job {gone.name} (Completed) are gone")


def test_objects_of_buckets_are_compared_with_their_records(home):
    bucket = home / "buckets" / "bucket"
    [record] = (bucket / ".alfine" / "metadata").iterdir()
    (bucket / "key").unlink()
    (bucket / ".alfine" / "bucket.json").write_text("{")
    found = problems(home)
    assert set(found) == {("bucket", str(record)), ("bucket", str(bucket / ".alfine" / "bucket.json"))}
    assert found["bucket", str(record)]["What"] == "a record without its object: key was removed by hand, or is lost"


def test_processes_and_temporary_files_that_nothing_needs(home):
    log = next(home.glob("tuning-jobs/good/*/.alfine/log"))
    left = home / ".alfine-backup-x"
    left.mkdir()
    os.utime(left, (time.time() - 90000,) * 2)
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=output)
    try:
        until(lambda: Path(f"/proc/{process.pid}/fd/1").exists(), "it has begun")
        found = problems(home)
    finally:
        process.communicate(b"\n")
    assert set(found) == {("process", str(process.pid)), ("temporary", str(left))}
    assert found["process", str(process.pid)]["Remedy"] == f"End them: kill {process.pid}"


def test_launchers_that_an_alfine_left_behind(home, tmp_path):
    held, given = (
        socket.socketpair()
    )  # a launcher whose socket somebody else holds never notices that its alfine has ended
    argv = [sys.executable, "-I", "-S", launcher.PROGRAM, str(given.fileno()), "64"]
    start = "import subprocess, sys; print(subprocess.Popen(sys.argv[2:], pass_fds=[int(sys.argv[1])], stdout=2).pid)"
    pids = []
    with held, given:
        for of in (str(home), str(tmp_path)):
            words = [sys.executable, "-c", start, str(given.fileno()), *argv, of]
            pids += [subprocess.check_output(words, pass_fds=[given.fileno()], text=True).strip()]
        given.close()
        ready = held.makefile("rb")
        assert [json.loads(ready.readline())["event"] for _ in pids] == ["ready", "ready"]
        found = problems(home)
        assert set(found) == {("process", pids[0])}
        assert found["process", pids[0]]["Remedy"] == f"End it: kill {pids[0]}"
        held.shutdown(socket.SHUT_WR)  # now they notice it, and end
        assert ready.read() == b""


def test_settings_and_a_missing_database(tmp_path):
    (tmp_path / "tuning-jobs" / "mine" / "mine-001").mkdir(parents=True)
    (tmp_path / "alfine.toml").write_text("[odd]\n")
    found = problems(tmp_path)
    assert {kind for kind, _ in found} == {"settings", "database"}
    assert "is missing or empty, beside the files of mine" in found["database", str(tmp_path / "alfine.db")]["What"]
    assert alfine_cli(tmp_path / "none", "doctor", "--check").exit_code == 1
