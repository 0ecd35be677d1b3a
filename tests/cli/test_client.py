"""`alfine client` leads AWS's clients to the server of a home and away again; `alfine console` opens its console."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from html import unescape

import pytest

from alfine import Continuous, tune
from tests.aws.test_keys import Locked
from tests.cli.conftest import alfine_cli
from tests.server.console.conftest import Visitor

PROGRAM = """
import boto3, builtins, json
sagemaker, iam = boto3.client("sagemaker"), boto3.client("iam")
sts = boto3.client("sts", endpoint_url="https://sts.eu-west-1.amazonaws.com")  # as the SageMaker SDKs make it
print(json.dumps({
    "url": sagemaker.meta.endpoint_url,
    "region": sagemaker.meta.region_name,
    "jobs": sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"],
    "caller": sts.get_caller_identity()["Arn"],
    "s3": boto3.client("s3", endpoint_url="https://s3.eu-west-1.amazonaws.com").meta.endpoint_url,
    "other": getattr(builtins, "other", None),
}))
"""


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    server = Locked(tmp_path_factory.mktemp("home"), "--region", "eu-west-1")
    yield server
    server.end()


def shell(locked, lines, **variables):
    """What the lines print in a shell in which `alfine` is the one that is tested."""
    alfine = f'alfine() {{ {sys.executable} -m alfine "$@" --home {locked.home}; }}\n'
    host = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ALFINE_", "PYTHON"))}
    command = ["bash", "-ec", alfine + lines]
    return subprocess.run(command, env=host | variables, capture_output=True, text=True, check=True).stdout


def test_one_line_leads_boto3_to_the_server(locked, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.other = 'runs too'\n")
    lines = f'eval "$(alfine client)"; {sys.executable} {program}'
    told = json.loads(shell(locked, lines, AWS_SESSION_TOKEN="of AWS", PYTHONPATH=str(tmp_path)))
    assert (told["url"], told["region"], told["jobs"]) == (locked.url, "eu-west-1", [])
    assert told["caller"] == "arn:aws:sts::000000000000:assumed-role/alfine/session"
    assert told["s3"] == "https://s3.eu-west-1.amazonaws.com"  # an address that a program gives itself is kept
    assert told["other"] == "runs too"


def test_the_key_of_a_real_s3_becomes_one_of_the_home_and_stays_in_the_shell(locked, monkeypatch):
    lines = 'alfine keys create --from-environment; eval "$(alfine client)"; alfine console; echo $AWS_ACCESS_KEY_ID'
    shown = shell(locked, lines, AWS_ACCESS_KEY_ID="minioadmin", AWS_SECRET_ACCESS_KEY="it's secret")
    assert shown.splitlines()[-1] == "minioadmin"
    assert f"{locked.url}/console/open" in shown
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    odd = alfine_cli(locked.home, "keys", "create", "--from-environment")
    assert (odd.exit_code, "3 to 128 letters and digits" in odd.stderr) == (2, True)


def test_undo_makes_the_shell_as_it_was(locked):
    before = {
        "AWS_REGION": "us-west-2",
        "AWS_ACCESS_KEY_ID": "it's mine",
        "AWS_SESSION_TOKEN": "token",
        "PYTHONPATH": "/mine",
    }
    lines = 'eval "$(alfine client)"; eval "$(alfine client)"; eval "$(alfine client --undo)"; env -0'
    printed = shell(locked, lines, **before)
    after = dict(
        each.split("=", 1) for each in printed.split("\0") if each.startswith(("AWS_", "ALFINE_", "PYTHONPATH="))
    )
    assert after == before
    assert shell(locked, "alfine client --undo") == ""


def test_other_shells_and_programs_get_the_same_variables(locked):
    told = json.loads(alfine_cli(locked.home, "client", "--json").stdout)
    assert told["AWS_ENDPOINT_URL"] == locked.url
    assert (told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"]) == locked.key
    fish = alfine_cli(locked.home, "client", "--shell", "fish", "--endpoint", "http://it's/").stdout
    assert r"set -gx AWS_ENDPOINT_URL 'http://it\'s/'" in fish
    assert "set -e AWS_SESSION_TOKEN" in fish
    powershell = alfine_cli(locked.home, "client", "--shell", "powershell", "--endpoint", "http://it's/").stdout
    assert "$env:AWS_ENDPOINT_URL = 'http://it''s/'" in powershell


def test_a_home_without_a_running_server_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("alfine.cli.home_server.WAIT_SECONDS", 0)
    for command in ("client", "console", "open"):
        shown = alfine_cli(tmp_path, command)
        assert (shown.exit_code, shown.stdout) == (1, "")
        assert "Start one: alfine serve --home" in shown.stderr


def test_a_link_opens_the_console_once(locked):
    url = alfine_cli(locked.home, "console").stdout.strip()
    path = url.removeprefix(locked.url)
    visitor, other = Visitor(locked.url), Visitor(locked.url)
    with pytest.raises(urllib.error.HTTPError) as previewed:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"))
    previewed.value.close()
    assert visitor.get(path, **{"Sec-Fetch-Site": "cross-site"}).status == 403  # a page elsewhere can't use it up
    assert visitor.get(path).url == "/console/"
    assert "Sign out" in visitor.get("/console/").text
    assert visitor.get(path).url == "/console/"
    refused = other.get(path)
    assert (refused.status, "was opened before" in refused.text) == (403, True)
    assert other.get("/console/").url.startswith("/console/sign-in")


def test_open_leads_a_browser_to_the_page_of_a_job_without_the_link_on_a_command_line(locked, tmp_path, monkeypatch):
    job = {"name": "seen", "strategy": "Random", "max_training_jobs": 1, "home": locked.home}
    tune(lambda hp: hp["x"], {"x": Continuous(0, 1)}, **job)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/asked; cp "${{1#file://}}" {tmp_path}/page\n')
    browser.chmod(0o700)
    shell(locked, "alfine open seen", BROWSER=str(browser))
    assert "token" not in (tmp_path / "asked").read_text()
    link = unescape(re.search(r'href="(.*?)"', (tmp_path / "page").read_text())[1])
    page = Visitor(locked.url).get(link.removeprefix(locked.url))
    assert (page.status, page.url) == (200, "/console/tuning-jobs/seen")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    link = alfine_cli(locked.home, "open", "seen").stdout.strip()
    elsewhere = link.replace("%2Fconsole%2Ftuning-jobs%2Fseen", "https%3A%2F%2Fexample.com")
    assert Visitor(locked.url).get(elsewhere.removeprefix(locked.url)).url == "/console/"
    assert "Did you mean seen?" in alfine_cli(locked.home, "open", "seem").stderr


def test_only_who_signs_gets_a_link(locked):
    visitor = Visitor(locked.url)
    answer = visitor.post("/_alfine/console-links")
    assert (answer.status, "MissingAuthenticationToken" in answer.body) == (400, True)
    visitor.get(alfine_cli(locked.home, "console").stdout.strip().removeprefix(locked.url))
    assert visitor.post("/_alfine/console-links").status == 400
