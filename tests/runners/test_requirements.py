"""requirements.txt: installed once, seen by the script, its failure told. No package is fetched: the tests make their own."""

import signal
import socket
import zipfile

import pytest

CODE = "import sys, thing\nprint(thing.__version__, sys.prefix)"


@pytest.fixture
def wheels(tmp_path):
    """A source folder with a wheel of a package called thing, and a requirements.txt that asks for it."""
    source = tmp_path / "source"
    source.mkdir()
    with zipfile.ZipFile(source / "thing-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("thing.py", "__version__ = '1.0'\n")
        wheel.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        wheel.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("thing-1.0.dist-info/RECORD", "")
    (source / "requirements.txt").write_text("--no-index\n--find-links .\nthing==1.0\n")
    return source


def test_in_a_sandbox_it_is_installed_once_and_the_script_finds_it_and_cannot_change_it(sandbox, wheels):
    code = f"{CODE}\ntry:\n    open(thing.__file__, 'a')\nexcept OSError as error:\n    print(error.strerror)"
    last, lines = sandbox.see_out(sandbox.launch("job-1", code=code, requirements=True))
    assert last.exit.succeeded, lines
    assert "Successfully installed thing-1.0" in lines
    version, prefix = lines[-2].split()
    assert (version, prefix.endswith("/venv"), lines[-1]) == ("1.0", True, "Read-only file system")
    _, again = sandbox.see_out(sandbox.launch("job-2", code=code, requirements=True))
    assert again == lines[-2:]


def test_a_stop_while_it_is_being_installed_waits_for_nothing(sandbox, wheels):
    with socket.create_server(("127.0.0.1", 0)) as index:  # it never answers
        port = index.getsockname()[1]
        (wheels / "requirements.txt").write_text(f"--index-url http://127.0.0.1:{port}/\nthing\n")
        launch = sandbox.launch(code=CODE, requirements=True, grace_seconds=600.0)
        sandbox.runner.start(launch)
        index.settimeout(60)
        with index.accept()[0]:
            sandbox.runner.stop(launch)
            last, _ = sandbox.wait(launch)
    assert (last.exit.cause, last.exit.signal) == ("stopped", signal.SIGTERM)


CHANGING = """
import pathlib, thing
pathlib.Path(thing.__file__).write_text("__version__ = '6.6.6'")
"""


def test_those_that_start_together_install_it_once_and_what_one_changes_is_imported_by_no_later_one(process, wheels):
    launches = [process.launch(f"job-{number}", code=CODE, requirements=True) for number in range(3)]
    for launch in launches:
        process.runner.start(launch)
    told = [process.wait(launch)[1] for launch in launches]
    assert sum("Successfully installed thing-1.0" in lines for lines in told) == 1
    [line] = {lines[-1] for lines in told}
    assert process.see_out(process.launch("changing", code=CHANGING, requirements=True))[0].exit.succeeded
    _, lines = process.see_out(process.launch("later", code=CODE, requirements=True))
    assert "/thing.py), so it is made anew." in lines[0]
    assert lines[-1] == f"{line}-2"


def test_what_cannot_be_installed_is_the_reason_and_is_tried_again(process, wheels):
    wheel = wheels / "thing-1.0-py3-none-any.whl"
    hidden = wheel.rename(wheels / "hidden")
    last, lines = process.see_out(process.launch("job-1", code=CODE, requirements=True))
    reason = last.exit.reason()
    assert reason.startswith("AlgorithmError: requirements.txt couldn't be installed: ERROR: ")
    assert "No matching distribution found for thing==1.0" in reason
    assert reason.endswith("exit code: 1")
    assert any("No matching distribution" in line for line in lines)
    hidden.rename(wheel)
    assert process.see_out(process.launch("job-2", code=CODE, requirements=True))[0].exit.succeeded


def test_without_the_wish_nothing_is_installed(process, wheels):
    last, _ = process.see_out(process.launch(code=CODE))
    assert "No module named 'thing'" in last.exit.reason()


def test_a_shell_script_runs_in_it_with_what_the_interpreter_has_and_without_pips_addresses(
    process, wheels, monkeypatch
):
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:s3cret@packages.example/simple")
    (wheels / "train.sh").write_text("python -c 'import numpy, thing; print(thing.__version__)'\nenv | grep -c PIP_\n")
    _, lines = process.see_out(process.launch(script=wheels / "train.sh", source_dir=wheels, requirements=True))
    assert lines[-2:] == ["1.0", "0"]
