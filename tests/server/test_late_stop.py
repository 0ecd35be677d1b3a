"""A request to stop what ends at the same instant is answered as one that comes later: with AWS's ValidationException, not with 500."""

import asyncio
import json

import pytest

from alfine.cli.console_jobs import ConsoleJobs
from alfine.core.facts import Ended, Launched
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.server.app import make_app
from tests.building import at, request


@pytest.fixture
def home(tmp_path):
    with Home(tmp_path / "home") as home:
        home.service.create(request())
        home.store.record(home.store.get("job").id, 0, [Launched(at=at(1), number=1, name="job-1", hyperparameters={})])
        yield home


def answered(home, operation, **members):
    """The status and the document with which the server answers an AWS request."""
    body, sent = json.dumps(members).encode(), []
    headers = {
        "host": "127.0.0.1",
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": f"SageMaker.{operation}",
    }
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/", "raw_path": b"/", "root_path": "",
        "query_string": b"", "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8765),
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(make_app(home, EnginePool(home.engine()), ConsoleJobs(home), is_open=True)(scope, receive, send))
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


def ends_meanwhile(home, end):
    """Let `end` happen at the last instant before the request to stop is recorded: when the service looks at its clock."""
    ends, present = [end], home.service.clock

    def clock():
        if ends:
            ends.pop()()
        return present()

    home.service.clock = clock


def test_a_tuning_job_that_ends_as_it_is_stopped(home):
    ends_meanwhile(home, lambda: home.store.finish("job", "Completed", at(3)))
    status, document = answered(home, "StopHyperParameterTuningJob", HyperParameterTuningJobName="job")
    assert (status, document["__type"]) == (400, "ValidationException")
    assert "has already ended (Completed)" in document["Message"]


def test_a_training_job_that_ends_as_it_is_stopped(home):
    end = Ended(at=at(2), number=1, status="Completed", objective=1.0)
    ends_meanwhile(home, lambda: home.store.record(home.store.get("job").id, 1, [end]))
    status, document = answered(home, "StopTrainingJob", TrainingJobName="job-1")
    assert (status, document["__type"]) == (400, "ValidationException")
    assert "is in status Completed" in document["Message"]
