"""MaxRuntimeInSeconds over the wire, where AMT's least is two minutes: a server on a clock that is put forward."""

import socket
import threading
from datetime import timedelta

import pytest
import uvicorn

from alfine.cli.console_jobs import ConsoleJobs
from alfine.jobs.clock import utc_now
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.server.app import make_app
from tests.aws.conftest import Served, until


class OnAClock(Served):
    """A server in this process."""

    def __init__(self, folder):
        self.ahead = timedelta()
        self.home = Home(folder, clock=lambda: utc_now() + self.ahead)
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = make_app(self.home, EnginePool(self.home.engine()), ConsoleJobs(self.home), is_open=True)
        self.server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", ws="none"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]})
        self.thread.start()

    def end(self):
        self.server.should_exit = True
        self.thread.join(30)
        self.home.close()


@pytest.fixture
def clocked(tmp_path):
    server = OnAClock(tmp_path / "home")
    yield server
    server.end()


def test_a_job_ends_when_its_time_is_up_and_what_runs_is_stopped(clocked, make):
    sagemaker = clocked.client()
    request = make("timed", max_training_jobs=9, max_parallel=2, max_runtime_seconds=120, static={"wait": "60"})
    sagemaker.create_hyper_parameter_tuning_job(**request)

    def describe():
        return sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="timed")

    def values():
        page = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="timed")
        return [each for each in page["TrainingJobSummaries"] if "TrainingStartTime" in each]

    waited = threading.Event()
    for _ in range(400):
        if len(values()) == 2 and len(clocked.home.service.history("timed").facts) >= 6:  # with a value each
            break
        waited.wait(0.05)
    clocked.ahead = timedelta(seconds=119)
    assert describe()["HyperParameterTuningJobStatus"] == "InProgress"
    clocked.ahead = timedelta(seconds=121)
    told = until(sagemaker, "timed")
    assert told["HyperParameterTuningJobStatus"] == "Completed"
    assert told["TrainingJobStatusCounters"]["Stopped"] == 2
    assert told["ConsumedResources"]["RuntimeInSeconds"] >= 120
    assert "BestTrainingJob" in told
    job = clocked.home.service.get("timed")
    assert job.verdict.criterion == "MaxRuntimeInSeconds"
    assert clocked.home.service.replay("timed").verdict.criterion == "MaxRuntimeInSeconds"
    sagemaker.close()
