"""RetryStrategy: a training job that was lost by no fault of its own is started again."""

import json
import os
import signal
import sys
import time

import pytest

from tests.aws.conftest import PATIENCE_SECONDS, Served, until

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="lost training jobs are told on Linux")

# The first attempt waits to be killed; the next finds what it left.
SCRIPT = """
import os, signal, sys
base = os.environ["SAGEMAKER_BASE_DIR"]
mark = base + "/checkpoints/mark"
if os.path.exists(mark) and "--lr" not in sys.argv:
    assert os.listdir(base + "/model") == []
    print("loss=0.5")
    sys.exit()
open(mark, "w").close()
open(base + "/model/half", "w").close()
open(base + "/output/failure", "w").write("half way")
print("ready loss=9", flush=True)
signal.pause()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def own(home):
    server = Served(home)
    yield server
    server.end()


def asked(make, tmp_path, name, retries, **static):
    (tmp_path / "train.py").write_text(SCRIPT)
    request = make(name, max_training_jobs=1, max_parallel=1, static=static)
    definition = request["TrainingJobDefinition"]
    definition["StaticHyperParameters"]["sagemaker_submit_directory"] = tmp_path.as_uri()
    definition["RetryStrategy"] = {"MaximumRetryAttempts": retries}
    return request


def kill_the_launcher(home, name: str, seen: set) -> None:
    """Once the one training job is ready (again)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for control in (home / "tuning-jobs" / name).glob("*/.alfine"):
            log, process = control / "log", control / "process.json"
            if log.exists() and log.read_text().count("ready") > len(seen) and process.exists():
                launcher = json.loads(process.read_text())["launcher"]
                seen.add(launcher)
                os.kill(launcher, signal.SIGKILL)
                return
        time.sleep(0.02)
    raise AssertionError("it was never ready")


@linux_only
def test_one_that_was_lost_is_started_again_and_completes(own, home, make, tmp_path):
    client = own.client()
    client.create_hyper_parameter_tuning_job(**asked(make, tmp_path, "again", 2))
    kill_the_launcher(home, "again", set())
    told = until(client, "again")
    client.close()
    assert told["TrainingJobStatusCounters"]["Completed"] == 1, told
    assert told["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.5
    log = next((home / "tuning-jobs" / "again").glob("*/.alfine/log")).read_text()
    assert "Retry 1 of 2." in log


@linux_only
def test_when_its_attempts_are_used_up_it_has_failed_by_an_error_that_may_be_retried(own, home, make, tmp_path):
    client = own.client()
    client.create_hyper_parameter_tuning_job(**asked(make, tmp_path, "over", 1, lr="1"))
    seen: set = set()
    kill_the_launcher(home, "over", seen)
    kill_the_launcher(home, "over", seen)
    told = until(client, "over")
    [row] = client.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="over")[
        "TrainingJobSummaries"
    ]
    [listed] = client.list_hyper_parameter_tuning_jobs(NameContains="over")["HyperParameterTuningJobSummaries"]
    client.close()
    described = json.loads(own.cli("describe", "over", "--json"))
    for each in (told, listed, described):
        assert each["TrainingJobStatusCounters"] == {
            "Completed": 0,
            "InProgress": 0,
            "RetryableError": 1,
            "NonRetryableError": 0,
            "Stopped": 0,
        }
        assert each["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 0, "Failed": 1}
    assert row["FailureReason"].startswith("InternalServerError: ")
