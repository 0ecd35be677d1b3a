"""`alfine serve`: what it prints leads clients to it, as it stands there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.request

import boto3
import pytest

from alfine.store.access_keys import KeyFiles
from tests.aws.conftest import Served
from tests.cli.conftest import alfine_cli


def told(home, count, **words):
    """A server, and the lines after the first that it prints, by what stands before their colon."""
    server = Served(home, **words)
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


def test_a_homes_first_server_makes_a_key_and_prints_what_leads_clients_to_it(tmp_path, nobody):
    home = tmp_path / "home"
    server, lines = told(home, 5, signed=True)
    for name, value in variables(lines["clients"]).items():
        if name.startswith("AWS_"):
            nobody.setenv(name, value)
    client = boto3.client("sagemaker")
    assert client.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []
    assert client.meta.endpoint_url == server.url
    client.close()
    (made,) = KeyFiles(home).all()
    assert (home / "keys" / made.id).stat().st_mode & 0o777 == 0o600
    with urllib.request.urlopen(f"{server.url}/healthz") as answer:
        assert json.load(answer)["status"] == "ok"
    assert server.end() == 0
    server, lines = told(home, 3, signed=True)
    assert lines["clients"] == f'eval "$(alfine client --home {home})"'
    assert not any(made.secret in text for text in lines.values())
    assert KeyFiles(home).all() == [made]
    assert server.end() == 0


def test_an_open_server_takes_any_credentials_and_makes_no_key(tmp_path):
    server, lines = told(tmp_path, 4)
    assert "AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any" in lines["clients"]
    assert any("every user of this machine" in text for text in lines.values())
    client = server.client()
    client.list_hyper_parameter_tuning_jobs()
    client.close()
    assert alfine_cli(tmp_path, "console").stdout.strip() == f"{server.url}/console/"
    assert json.loads(alfine_cli(tmp_path, "client", "--json").stdout)["AWS_ACCESS_KEY_ID"] == "any"
    assert KeyFiles(tmp_path).all() == []
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
