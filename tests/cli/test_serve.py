"""`alfine serve`: what it prints leads clients to it, as it stands there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.request

import boto3
import pytest

from tests.aws.conftest import Served
from tests.aws.test_keys import key_of
from tests.cli.conftest import alfine_cli


def told(home, count):
    """A server, and the lines after the first that it prints, by what stands before their colon."""
    server = Served(home)
    lines = [server.process.stdout.readline().strip() for _ in range(count)]
    return server, {name: rest.strip() for name, _, rest in (line.partition(":") for line in lines)}


def variables(line):
    """What a shell's environment is after the line."""
    command = ["bash", "-c", f"{line} && env -0"]
    bare = {"PATH": os.environ["PATH"]}
    found = subprocess.run(command, env=bare, capture_output=True, text=True, check=True).stdout
    return dict(each.split("=", 1) for each in found.split("\0") if each)


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """No settings of AWS's clients but those that a test makes."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    return monkeypatch


def test_the_lines_that_it_prints_point_boto3_the_cli_and_the_sdk_to_it(tmp_path, nobody):
    server, lines = told(tmp_path / "home", 4)
    assert list(lines) == ["browser", "boto3", "AWS CLI", "SDK"]
    assert lines["SDK"].startswith("the same variables")
    for name, value in variables(lines["AWS CLI"]).items():
        if name.startswith("AWS_"):
            nobody.setenv(name, value)
    for client in (eval(lines["boto3"], {"boto3": boto3}), boto3.client("sagemaker")):
        assert client.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []
        assert client.meta.endpoint_url == server.url
        client.close()
    with urllib.request.urlopen(f"{server.url}/healthz") as answer:
        assert json.load(answer)["status"] == "ok"
    assert server.end() == 0


def test_with_a_key_it_says_that_requests_must_be_signed_and_shows_no_secret(tmp_path):
    id_, secret = key_of(tmp_path)
    server, lines = told(tmp_path, 5)
    assert "AWS_ACCESS_KEY_ID=<key ID> AWS_SECRET_ACCESS_KEY=<secret>" in lines["AWS CLI"]
    assert any(name.startswith("Requests must be signed") for name in lines)
    assert not any(word in text for text in lines.values() for word in (id_, secret))
    assert server.end() == 0


def test_a_taken_port_and_a_certificate_that_is_none_are_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shown = alfine_cli(tmp_path / "home", "serve", "--port", str(port))
    assert shown.exit_code == 1
    assert f"127.0.0.1:{port}: Address already in use. Give another port" in shown.stderr
    (tmp_path / "none.pem").write_text("none")
    none = str(tmp_path / "none.pem")
    shown = alfine_cli(tmp_path / "home", "serve", "--port", "0", "--tls-cert", none, "--tls-key", none)
    assert (shown.exit_code, "aren't a certificate and its key" in shown.stderr) == (2, True)
