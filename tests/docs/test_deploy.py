"""The files of deploy/ fit to each other and to alfine, as far as that can be seen without containers."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from alfine.jobs.clock import utc_now
from alfine.store.access_keys import AccessKey, KeyFiles
from alfine.store.config import Config
from tests.docs.test_blocks import assert_is_command
from tests.missing import missing

DEPLOY = Path(__file__).parents[2] / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def compose():
    return YAML(typ="safe", pure=True).load((DEPLOY / "compose.yaml").read_text())


def test_services_wait_for_services_that_can_become_what_they_wait_for(compose):
    services = compose["services"]
    for service in services.values():
        for name, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                of_image = "build" in services[name] and "HEALTHCHECK" in DOCKERFILE
                assert "test" in services[name].get("healthcheck", {}) or of_image
            else:
                assert services[name]["restart"] == "no"


def test_files_and_variables_are_there(compose, tmp_path):
    mounted = [place for one in compose["services"].values() for place in one.get("volumes", ())]
    for source in (place.split(":")[0] for place in mounted):
        assert (DEPLOY / source).is_file() if source.startswith(".") else source in compose["volumes"]
    example = (DEPLOY / "environment.example").read_text()
    KeyFiles(tmp_path).add(
        AccessKey(re.search(r"^AWS_ACCESS_KEY_ID=(.+)$", example, re.MULTILINE)[1], "secret", utc_now())
    )
    wanted = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert wanted == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_alfines_commands_have_these_options(compose):
    servers = [one["command"] for one in compose["services"].values() if "serve-beside-ray" in one.get("command", ())]
    assert len(servers) == 2
    for _, *options in servers:
        assert_is_command(["serve", *options])
    assert_is_command(compose["services"]["keys"]["command"][1:])
    assert_is_command(re.search(r'^CMD \["alfine", (.+)\]', DOCKERFILE, re.MULTILINE)[1].replace('"', "").split(", "))


def test_the_settings_of_the_servers_are_read(monkeypatch, tmp_path, compose):
    monkeypatch.setenv("ALFINE_CONFIG", str(DEPLOY / "alfine.toml"))
    settings = Config.at(tmp_path)
    assert settings.s3.endpoint == "http://minio:9000"
    assert settings.metrics.admits("172.18.0.5")
    assert "minio" in compose["services"]


def test_the_proxy_leads_to_both_servers_and_asks_whether_they_are_ready(compose):
    proxy = (DEPLOY / "haproxy.cfg").read_text()
    assert re.findall(r"server \S+ (\S+):8765 check", proxy) == [
        name for name in compose["services"] if name.startswith("alfine-")
    ]
    assert "uri /readyz" in proxy


def test_the_image_has_what_it_names_and_runs_as_a_user_without_rights():
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    extras = re.search(r"ARG EXTRAS=(\S+)", DOCKERFILE)[1].split(",")
    assert set(extras) <= set(project["optional-dependencies"])
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(?:--chmod=\d+ )?(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in line.split():
            assert (DEPLOY.parent / source).exists()
            assert f"!{source}" in ignored
    assert DOCKERFILE.index("USER alfine") < DOCKERFILE.index("\nENTRYPOINT")
    assert 'ENTRYPOINT ["tini", "--"]' in DOCKERFILE


def test_the_unit_is_one_that_systemd_takes(tmp_path):
    unit = (DEPLOY / "alfine.service").read_text()
    command = re.search(r"^ExecStart=/opt/alfine/bin/alfine (.+)$", unit, re.MULTILINE)[1]
    assert_is_command(command.split())
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze", "systemd")
    here = tmp_path / "alfine.service"
    here.write_text(unit.replace("/opt/alfine/bin/alfine", sys.executable))
    run = subprocess.run(
        ["systemd-analyze", "verify", str(here)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.returncode, run.stderr) == (0, "")
