"""alfine doctor: what works here, and why not."""

import json
import socket

from alfine.cli import doctor as module
from alfine.runners import sandbox
from tests.cli.conftest import alfine_cli


def checks(home) -> dict:
    result = alfine_cli(home, "doctor", "--json")
    assert result.exit_code == 0, result.output
    return {each["Name"]: each for each in json.loads(result.stdout)["Checks"]}


def test_it_says_what_works_and_why_the_rest_does_not(tmp_path):
    found = checks(tmp_path)
    assert all(found[name]["Works"] for name in ("python", "sqlite", "runner inline", "runner process"))
    assert found["runner sandbox"]["Works"] is (sandbox.why_not() == "")
    assert all(each["Detail"] for each in found.values())
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"


def test_people_get_a_table(tmp_path):
    result = alfine_cli(tmp_path / "not-there-yet", "doctor")
    assert result.exit_code == 0
    assert "ok  runner process" in result.stdout


def test_without_bubblewrap_it_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    sandbox._probed.cache_clear()
    found = checks(tmp_path)
    sandbox._probed.cache_clear()
    assert found["runner sandbox"]["Detail"] == "bubblewrap isn't installed (no bwrap on PATH)."
    assert found["runner by default"]["Detail"] == "process, because sandboxes don't work here"
    assert not found["network isolation"]["Works"]


def test_a_taken_port_is_told(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(module, "PORT", taken.getsockname()[1])
        assert "already in use" in checks(tmp_path)["port"]["Detail"]


def test_what_alfine_cannot_do_without_is_exit_code_1(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LEAST_SQLITE", (99, 0))
    result = alfine_cli(tmp_path, "doctor")
    assert result.exit_code == 1
    assert "NO  sqlite" in result.stdout


def test_the_settings_of_the_home_count(tmp_path):
    (tmp_path / "alfine.toml").write_text('[run]\nrunner = "process"\nengine = "no-such-engine"\n')
    found = checks(tmp_path)
    assert found["runner by default"]["Detail"] == "process, by [run] in alfine.toml"
    assert found["runner container (no-such-engine)"]["Detail"] == "no-such-engine isn't installed."
    shown = alfine_cli(tmp_path, "doctor").stdout
    assert "by [run] in alfine.toml" in shown
