"""What the Tab key completes, and what a command that takes its time shows meanwhile."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from alfine.cli import main
from alfine.cli.progress import working

from .conftest import alfine_cli


def completed(*words):
    """The completions of the last word."""
    variables = {"_ALFINE_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    shown = CliRunner(env=variables).invoke(main, [], prog_name="alfine").stdout
    return [line.partition(",")[2] for line in shown.splitlines() if line]


def test_commands_options_and_names_of_jobs_are_completed(recorded, tmp_path):
    home = f"--home={recorded}"
    assert completed("alfine", "des") == ["describe"]
    assert "--criterion" in completed("alfine", "replay", "--crit")
    assert completed("alfine", home, "describe", "") == ["good", "function"]
    assert completed("alfine", home, "watch", "goo") == ["good"]
    assert len(completed("alfine", home, "logs", "good-")) == 8
    assert completed("alfine", f"--home={tmp_path}", "describe", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_lines_of_its_own(tmp_path, shell):
    lines = alfine_cli(tmp_path, "completion", shell).stdout
    assert f"_ALFINE_COMPLETE={shell}_complete" in lines
    assert "_alfine_completion" in lines


SEEN_BY = {
    "zsh": ("-fc", 'eval "$(alfine completion zsh)"; print $_comps[alfine]', "_alfine_completion"),
    "fish": ("-c", 'alfine completion fish | source; complete -C "alfine desc"', "describe"),
}


@pytest.mark.parametrize("shell", SEEN_BY)
def test_shells_take_their_lines_without_any_settings(tmp_path, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} isn't installed")
    flag, lines, seen = SEEN_BY[shell]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = {"capture_output": True, "text": True, "env": {"HOME": str(tmp_path), "PATH": path}}
    told = subprocess.run([shell, flag, lines], check=False, **words)
    assert told.stdout.startswith(seen), told
    assert not told.stderr


@pytest.mark.parametrize("words", [("watchh",), ("import", "awz"), ("list", "--jsn"), ("keys", "lst")])
def test_a_misspelt_command_or_option_is_answered_with_the_one_that_was_meant(tmp_path, words):
    result = alfine_cli(tmp_path, *words)
    assert result.exit_code == 2
    assert "Did you mean" in result.stderr


def test_a_terminal_sees_how_far_a_command_is_and_a_file_does_not(monkeypatch):
    monkeypatch.setattr("alfine.cli.progress.SILENCE_SECONDS", 0.0)
    monkeypatch.setattr("alfine.cli.progress.REDRAW_SECONDS", 0.01)
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal, os.fdopen(ours, "rb", buffering=0) as screen:
        monkeypatch.setattr("sys.stderr", terminal)
        with working(f"Replaying {40 * 'x'}") as tell:
            tell(3, 12)
            shown = b""
            while b" 25 %, about" not in shown:
                shown += screen.read(100)
        while not shown.endswith(b"\r\x1b[K"):
            shown += screen.read(100)
        assert max(len(line) for line in shown.decode().replace("\x1b[K", "").split("\r")) < 80  # it is drawn again
    file = io.StringIO()
    monkeypatch.setattr("sys.stderr", file)
    with working("Replaying 12 jobs"):
        pass
    assert file.getvalue() == ""
