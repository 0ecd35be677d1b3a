"""While another process keeps the database locked, requests are answered with 503 and jobs go on waiting; then all goes on."""

import asyncio
import json
import logging
import sqlite3
from contextlib import closing

from alfine.cli.console_jobs import ConsoleJobs
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.server.app import make_app
from tests.building import request
from tests.cli.conftest import until

SCRIPT = """
import argparse, os, time
parser = argparse.ArgumentParser(); parser.add_argument("--gate"); gate = parser.parse_known_args()[0].gate
print("loss=1", flush=True)
while not os.path.exists(gate):
    time.sleep(0.02)
"""


def answered(home, path, members=None, operation=""):
    """The status, the header Retry-After and the document with which the server answers a request."""
    sent, headers = [], {"host": "127.0.0.1", "content-type": "application/x-amz-json-1.1"}
    headers |= {"x-amz-target": f"SageMaker.{operation}"} if operation else {}
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET" if members is None else "POST", "scheme": "http", "path": path,
        "raw_path": path.encode(), "root_path": "", "query_string": b"", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8765),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": json.dumps(members or {}).encode(), "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(make_app(home, EnginePool(home.engine()), ConsoleJobs(home), is_open=True)(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]).get(b"retry-after", b"").decode(), json.loads(body)


def test_a_locked_database(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("alfine.store.database.BUSY_SECONDS", 0.2)
    (tmp_path / "train.py").write_text(SCRIPT)
    gate = tmp_path / "gate"
    words = {"script": tmp_path / "train.py", "metric": "loss", "max_training_jobs": 1, "static": {"gate": str(gate)}}
    with Home(tmp_path / "home") as home:
        home.service.create(request(name="job", strategy="Random", **words))
        pool = EnginePool(home.engine())
        pool.run_all()
        until(lambda: any(job.reports for job in home.store.history("job").jobs), "it runs")
        with closing(sqlite3.connect(home.folder / "alfine.db")) as other, caplog.at_level(logging.WARNING):
            other.execute("BEGIN IMMEDIATE")
            gate.touch()
            aws = answered(home, "/", {"HyperParameterTuningJobName": "job"}, "StopHyperParameterTuningJob")
            rest = answered(home, "/_alfine/tuning-jobs/job/changes", {"max_training_jobs": 2})
            read = answered(home, "/_alfine/tuning-jobs/job")
            until(lambda: "waits for the database" in caplog.text, "the engine has told it")
        for status, again, document in (aws, rest):
            assert (status, again, document["__type"]) == (503, "2", "ServiceUnavailable")
            assert "locked" in document["Message"]
        assert read[2]["HyperParameterTuningJobStatus"] == "InProgress", "reading needs no lock"
        until(lambda: home.service.get("job").ended, "it goes on")
        assert home.service.get("job").status == "Completed"
        pool.leave(10)
