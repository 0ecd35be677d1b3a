"""alfine backup and restore: a home is the same again, also when it is backed up while training jobs run."""

import json
import os
import shutil
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

import alfine
from alfine.jobs.home import Home
from alfine.programs.data.buckets.bucket_store import BucketStore
from alfine.programs.data.buckets.objects import Metadata
from alfine.store.access_keys import KeyFiles
from tests.building import at
from tests.cli.conftest import JOB, Folder, alfine_cli, until
from tests.store.damage import damage


def described(home):
    """What every face says of the jobs of a home."""
    with Home(home) as opened:
        names = [job.name for job in opened.store.list()]
        service = opened.service
        return {
            name: (service.describe(name), service.training_jobs(name), opened.store.history(name).facts)
            for name in names
        }


@pytest.fixture(scope="module")
def full(recorded, tmp_path_factory):
    """A home with ended jobs, a bucket, a key and settings."""
    home = shutil.copytree(recorded, tmp_path_factory.mktemp("full") / "home", symlinks=True)
    store = BucketStore(home / "buckets")
    store.create_bucket("bucket")
    for key in ("plain/a.csv", "odd//b", "plain"):
        with store.writer("bucket") as writer:
            writer.write(key.encode())
            writer.commit(key, Metadata(writer.md5, "text/csv"))
    KeyFiles(home).create(at(0))
    (home / "alfine.toml").write_text('[run]\nrunner = "process"\n')
    return home


@pytest.mark.parametrize("name", ["copy", "copy.tar", "copy.tar.gz"])
def test_a_restored_home_is_the_same(full, tmp_path, name):
    result = alfine_cli(full, "backup", str(tmp_path / name))
    assert result.exit_code == 0, result.output
    assert "and checked: 2 tuning jobs with 10 training jobs" in result.stdout
    restored = tmp_path / "restored"
    result = alfine_cli(restored, "restore", str(tmp_path / name))
    assert result.exit_code == 0, result.output
    assert described(restored) == described(full)
    assert [key.id for key in KeyFiles(restored).all()] == [key.id for key in KeyFiles(full).all()]
    assert (restored / "alfine.toml").read_text() == (full / "alfine.toml").read_text()
    old, new = (list(BucketStore(home / "buckets").list("bucket")) for home in (full, restored))
    assert [(each.key, each.metadata, each.modified_ns) for each in new] == [
        (each.key, each.metadata, each.modified_ns) for each in old
    ]
    logs = {path.relative_to(full): path.read_bytes() for path in full.glob("tuning-jobs/*/*/.alfine/log")}
    assert len(logs) == 8
    assert {path: (restored / path).read_bytes() for path in logs} == logs
    assert (restored / "keys").stat().st_mode & 0o777 == 0o700


def test_a_home_is_backed_up_while_training_jobs_run_which_are_lost_in_the_copy(tmp_path):
    folder = Folder(tmp_path)
    gate = tmp_path / "gate"
    job = folder.job(JOB.replace("max_training_jobs: 4", "max_training_jobs: 2") + f"static: {{wait-for: {gate}}}\n")
    with closing(folder):
        process = folder.start("tune", str(job))
        until(
            lambda: folder.running() == 1 and list(folder.home.glob("tuning-jobs/job/*/.alfine/process.json")),
            "one runs",
        )
        until(lambda: any(log.read_text() for log in folder.home.glob("tuning-jobs/*/*/.alfine/log")), "it prints")
        result = alfine_cli(folder.home, "backup", str(tmp_path / "b.tar"), "--json")
        assert json.loads(result.stdout)["LeftOut"][0].startswith("1 training job ran meanwhile (job-001-")
        result = alfine_cli(folder.home, "restore", str(tmp_path / "b.tar"), "--force")
        assert f"{folder.home} is in use by process {process.pid}. End it first." in result.stderr
        gate.touch()
        assert process.wait(60) == 0, process.communicate()
    restored = Folder(tmp_path)
    restored.home = tmp_path / "restored"
    assert restored.run("restore", str(tmp_path / "b.tar")).exit_code == 0
    result = restored.run("tune", str(job))
    assert result.exit_code == 0, result.output
    jobs = json.loads(restored.run("training-jobs", "job", "--json").stdout)["TrainingJobSummaries"]
    assert [job["TrainingJobStatus"] for job in jobs] == ["Failed", "Completed"]
    assert "It was running when this backup was made" in jobs[0]["FailureReason"]
    assert [job.status for job in alfine.attach("job", home=folder.home).training_jobs] == ["Completed", "Completed"]


def test_a_home_that_is_full_or_used_is_not_restored_over(full, tmp_path):
    place, home = tmp_path / "b", tmp_path / "home"
    assert alfine_cli(full, "backup", str(place)).exit_code == 0
    assert "is there already" in alfine_cli(full, "backup", str(place)).stderr
    (home / "tuning-jobs").mkdir(parents=True)
    (home / "mine").write_text("mine")
    result = alfine_cli(home, "restore", str(place))
    assert (result.exit_code, "isn't empty" in result.stderr) == (1, True)
    result = alfine_cli(home, "restore", str(place), "--force", "--json")
    kept = json.loads(result.stdout)["KeptBefore"]
    assert sorted(path.name for path in Path(kept).iterdir()) == ["mine", "tuning-jobs"]
    assert described(home) == described(full)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda place: (place / "alfine.db").write_bytes(b"x"), "alfine.db is damaged"),
        (lambda place: (place / "alfine.toml").unlink(), "alfine.toml is missing"),
        (lambda place: (place / "more").write_text("x"), "more isn't listed"),
        (lambda place: (place / "alfine-backup.json").unlink(), "it has no list of its files"),
        (
            lambda place: (place / "alfine-backup.json").write_text("{"),
            "its list of files (alfine-backup.json) can't be read",
        ),
    ],
)
def test_a_damaged_backup_is_refused_and_nothing_is_changed(full, tmp_path, spoil, said):
    place = tmp_path / "b"
    alfine_cli(full, "backup", str(place))
    spoil(place)
    result = alfine_cli(tmp_path / "home", "restore", str(place))
    assert result.exit_code == 1
    assert said in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b"]


def test_a_hostile_archive_writes_nothing_outside_of_the_home(tmp_path):
    for number, names in enumerate((["../out"], ["link", "link/out"], ["/tmp/out"])):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as archive:
            for name in names:
                member = tarfile.TarInfo(name)
                if name == "link":
                    member.type, member.linkname = tarfile.SYMTYPE, str(tmp_path)
                archive.addfile(member)
        result = alfine_cli(tmp_path / "home", "restore", str(tmp_path / f"{number}.tar"))
        assert "isn't a path that a backup of alfine has" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.tar", "1.tar", "2.tar"]


def test_a_damaged_database_is_not_backed_up(full, tmp_path):
    home = shutil.copytree(full, tmp_path / "home", symlinks=True)
    damage(home, "training_jobs")
    result = alfine_cli(home, "backup", str(tmp_path / "b.tar"))
    assert result.exit_code == 1
    assert "the database is damaged" in result.stderr
    assert not (tmp_path / "b.tar").exists()


def test_what_a_training_job_leaves_cannot_lead_out_of_the_home_or_stop_a_backup(full, tmp_path):
    home = shutil.copytree(full, tmp_path / "home", symlinks=True)
    model = next(home.glob("tuning-jobs/good/*/opt/ml/model"))
    (tmp_path / "secret").write_text("secret")
    (model / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(model / "pipe")
    deep = model
    for _ in range(150):
        deep = deep / "d"
        deep.mkdir()
    result = alfine_cli(home, "backup", str(tmp_path / "b.tar"))
    assert result.exit_code == 0, result.output
    assert "Left out: 1 pipes, sockets or devices" in result.stdout
    assert "files that can't be read" in result.stdout
    with tarfile.open(tmp_path / "b.tar") as archive:
        assert [member.name for member in archive if member.name.endswith("model/link") and member.issym()]
        assert all(
            b"secret" not in archive.extractfile(each).read()
            for each in archive
            if each.isreg() and "model" in each.name
        )
