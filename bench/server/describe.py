"""How many DescribeHyperParameterTuningJob a second `alfine serve` answers for a job with 500 training jobs.

    python bench/server/describe.py

Each is signed, and its signature checked; the second line is of a server that takes any credentials. One client on one connection over HTTP. The server's CPU time is what one core could answer; the wall clock has the client
beside it.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import alfine

TRAINING_JOBS, WARM_UP, ASKED = 500, 100, 5000
HEADERS = {
    "X-Amz-Target": "SageMaker.DescribeHyperParameterTuningJob",
    "Content-Type": "application/x-amz-json-1.1",
}
BODY = json.dumps({"HyperParameterTuningJobName": "big"})


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        space = {"x": alfine.Continuous(0, 1), "n": alfine.Integer(1, 9)}
        words = {"strategy": "Random", "max_training_jobs": TRAINING_JOBS, "home": home, "progress": False}
        alfine.tune(lambda values: values["x"] + values["n"], space, name="big", **words)
        measure("signed", home)
        measure("open", home, "--open")


def measure(name: str, home: str, *words: str) -> None:
    command = [sys.executable, "-m", "alfine", "serve", "--port", "0", "--home", home, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r"http://(\S+)", server.stdout.readline())
        assert found is not None
        printed = "".join(server.stdout.readline() for _ in range(4))
        key = [re.findall(rf"AWS_{word}=(\S+)", printed)[0] for word in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")]
        headers = signed(f"http://{found[1]}/", *key)  # once: a signature holds for 15 minutes
        connection = http.client.HTTPConnection(found[1])
        ask(connection, headers, WARM_UP)
        before, began = cpu_seconds(server.pid), time.perf_counter()
        ask(connection, headers, ASKED)
        wall, cpu = time.perf_counter() - began, cpu_seconds(server.pid) - before
        connection.close()
        server.terminate()
    print(f"{name}: {ASKED / cpu:,.0f} a second of the server's CPU time, {ASKED / wall:,.0f} a second by the clock")


def signed(url: str, id_: str, secret: str) -> dict[str, str]:
    """The headers of the request, signed."""
    request = AWSRequest("POST", url, headers=HEADERS, data=BODY)
    SigV4Auth(Credentials(id_, secret), "sagemaker", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def ask(connection: http.client.HTTPConnection, headers: dict[str, str], count: int) -> None:
    for _ in range(count):
        connection.request("POST", "/", BODY, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        assert told["TrainingJobStatusCounters"]["Completed"] == TRAINING_JOBS, told


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
