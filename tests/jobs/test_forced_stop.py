"""`alfine stop --force` ends what nothing else ends, and leaves nothing of it running; then it can be deleted."""

import json
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest

import alfine
from alfine.api.job_words import job_request
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.runners import launcher
from alfine.runners.process import ProcessRunner
from alfine.runners.supervision import kill_processes
from alfine.store.check_database import bad_records
from tests.cli.conftest import alfine_cli, until

SCRIPT = """
import argparse, signal, time
argparse.ArgumentParser().parse_known_args()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("loss=1", flush=True)
time.sleep(600)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


def has_program(pid):
    """Whether a process runs: one that has ended and waits for its parent doesn't."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def create(home, script, name):
    space = {"x": alfine.Continuous(0, 1)}
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 3, "max_parallel": 3, "warm": False}
    asked = job_request(name=name, space=space, script=script, **words)
    asked["Tags"] = [*asked.get("Tags", ()), {"Key": "alfine:runner", "Value": "process"}]
    home.service.create(asked)


def processes(home, name):
    """The process records of a tuning job's training jobs, once all of them report."""

    def all_report():
        running = home.store.history(name).running.values()
        return len(running) == 3 and all(job.reports for job in running)

    until(all_report, "all run")
    folders = [home.jobs_folder / name / job.name for job in home.store.history(name).jobs]
    return {folder: json.loads((folder / ".alfine" / "process.json").read_text()) for folder in folders}


def forced(home, name):
    refused = alfine_cli(home.folder, "stop", "--force", name)
    assert (refused.exit_code, "give --yes" in refused.output) == (2, True)
    assert not home.service.get(name).ended
    return alfine_cli(home.folder, "stop", "--force", "--yes", name)


def is_stopped(home, name, but=frozenset()):
    job = home.service.get(name)
    trained = [one for one in home.service.training_jobs(name) if one["TrainingJobName"] not in but]
    reasons = [job.failure_reason, *(one["FailureReason"] for one in trained)]
    return {job.status, *(one["TrainingJobStatus"] for one in trained)} == {"Stopped"} and all(
        "by force" in reason for reason in reasons
    )


def test_a_job_whose_launcher_hangs_whose_records_are_garbled_and_whose_folder_is_gone(tmp_path, script, monkeypatch):
    monkeypatch.setattr("alfine.jobs.forced_stop.LAUNCHER_SECONDS", 0.3)
    with Home(tmp_path / "home") as home:
        create(home, script, "job")
        pool = EnginePool(home.engine())
        pool.run_all()
        started = processes(home, "job")
        hanging = next(iter(started.values()))["launcher"]
        os.kill(hanging, signal.SIGSTOP)
        try:
            home.service.request_stop("job")
            garbled, removed, healthy = started
            (garbled / ".alfine" / "process.json").write_text("[" * 100_000)
            shutil.rmtree(removed)
            done = forced(home, "job")
            assert (done.exit_code, done.output) == (0, "Stopped job by force.\n")
            assert is_stopped(home, "job", but={garbled.name, removed.name})  # the engine may have given them up before
            assert healthy.is_dir()
            assert all(launcher.identity(process["pid"]) != process["identity"] for process in started.values())
            pool.leave(10)
            again = alfine_cli(home.folder, "stop", "--force", "--yes", "job")
            assert "has already ended" in again.output
            assert "Stopped" in alfine_cli(home.folder, "describe", "job").output
            assert alfine_cli(home.folder, "delete", "--yes", "job").exit_code == 0
            assert not list(home.service.list())
            home.engine().runners["process"].close()
        finally:
            with suppress(ProcessLookupError):
                os.kill(hanging, signal.SIGCONT)
        until(lambda: not has_program(hanging), "the launcher has ended, too")
        assert not (home.jobs_folder / "job").exists()  # it has made no folder anew for what it saw ending


def test_a_job_whose_request_is_not_understood_any_more(tmp_path, script):
    with Home(tmp_path / "home") as home:
        create(home, script, "job")
        pool = EnginePool(home.engine())
        pool.run_all()
        started = processes(home, "job")
        pool.leave(10)
        with home.store.database.writing() as connection:
            limit = "$.HyperParameterTuningJobConfig.ResourceLimits.MaxNumberOfTrainingJobs"
            connection.exec_driver_sql("UPDATE tuning_jobs SET request = json_set(request, ?, 1e99)", (limit,))
        assert "alfine stop --force job" in alfine_cli(home.folder, "stop", "job").output
        assert forced(home, "job").output == "Stopped job by force.\n"
        assert is_stopped(home, "job")
        until(lambda: not any(launcher.identity(process["pid"]) for process in started.values()), "all are gone")
        assert alfine_cli(home.folder, "delete", "--yes", "job").exit_code == 0


def test_what_raises_while_one_is_killed_is_told_and_keeps_nothing_from_ending(tmp_path, script, monkeypatch):
    def refuse(*_):
        raise OSError("the launcher doesn't answer")

    def kill_but_one(folder):
        if folder == str(bad):
            raise PermissionError(f"{folder} can't be read")
        return kill_processes(folder)

    with Home(tmp_path / "home") as home:
        create(home, script, "job")
        pool = EnginePool(home.engine())
        pool.run_all()
        bad, *_ = processes(home, "job")
        pool.leave(10)
        monkeypatch.setattr(ProcessRunner, "stop", refuse)
        monkeypatch.setattr("alfine.jobs.forced_stop.kill_processes", kill_but_one)
        monkeypatch.setattr("alfine.jobs.forced_stop.LAUNCHER_SECONDS", 0.1)
        assert home.force_stop("job") == [bad.name]
        assert is_stopped(home, "job")
        assert f"processes of {bad.name} may still run" in home.service.get("job").failure_reason
        assert kill_processes(str(bad))
        assert list(bad_records(home.store)) == []
