"""No web page drives alfine, and no other machine reaches it."""

import http.client
import json
import subprocess
import sys

import pytest

CREATE = {"X-Amz-Target": "SageMaker.ListHyperParameterTuningJobs", "Content-Type": "application/x-amz-json-1.1"}


def post(served, headers, body=b"{}"):
    address = served.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", "/", body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def test_a_client_without_a_browser_is_answered(served):
    status, text = post(served, CREATE)
    assert status == 200
    assert "HyperParameterTuningJobSummaries" in json.loads(text)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8765"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=lambda headers: " ".join(f"{k}: {v}" for k, v in headers.items()),
)
def test_a_web_page_is_refused(served, headers):
    status, text = post(served, {**CREATE, **headers})
    assert status == 403
    assert json.loads(text)["__type"] == "AccessDeniedException"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::"])
def test_an_open_server_refuses_to_listen_where_others_can_reach_it(host, tmp_path):
    command = [sys.executable, "-m", "alfine", "serve", "--open", "--host", host, "--home", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode != 0
    assert "Leave --open out" in run.stderr.replace("\n", " ")
    assert not (tmp_path / "alfine.db").exists()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"a":' * 5000, b"\xff\xfe", b'{"MaxResults": "x"}'])
def test_a_body_that_is_no_request_is_a_400(served, body):
    status, text = post(served, {**CREATE, "X-Amz-Target": "SageMaker.DescribeHyperParameterTuningJob"}, body)
    assert status == 400
    assert json.loads(text)["__type"].endswith("Exception")
