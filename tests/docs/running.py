"""Runs what the pages and examples show: many programs, or many commands, in one process, since importing takes longer than most of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 600.0


def run(words, folder, given=None, **settings):
    """Run a command in a folder and return what it printed; an error if it fails. `given` is its standard input."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ALFINE_"))}
    done = subprocess.run(
        words,
        cwd=folder,
        env={**kept, "ALFINE_HOME": str(folder / "home"), **settings},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


EACH_PROGRAM = """
import contextlib, io, json, os, sys

start, printed = os.getcwd(), {}
root, programs, arguments = json.load(sys.stdin)
for name, program in programs.items():
    os.makedirs(name)
    os.chdir(name)
    file = os.path.join(root, name)
    sys.argv[1:] = arguments.get(name, [])
    sys.path[0] = os.path.dirname(file)
    place = {"__name__": "__main__", "__file__": file}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            exec(compile(program, name, "exec", dont_inherit=True), place)
        except SystemExit as end:
            assert not end.code, (name, end.code, out.getvalue())
    printed[name] = out.getvalue()
    os.chdir(start)
print(json.dumps(printed))
"""


def run_programs(programs, folder, arguments=None, **settings):
    """Run Python programs, by their path in the repository, each in a folder of its own; return what each printed.

    The traceback of one that fails names it. `arguments` has those of the programs that take some.
    """
    given = json.dumps([str(ROOT), programs, arguments or {}])
    told = run([sys.executable, "-c", EACH_PROGRAM], folder, given, **settings)
    return json.loads(told.splitlines()[-1])


EACH_COMMAND = """
import contextlib, io, json, sys
from alfine.cli import main

printed = []
for words in json.load(sys.stdin):
    bytes_too = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(bytes_too):
        code = main(words, standalone_mode=False)
    printed.append(bytes_too.buffer.getvalue().decode())
    assert not code, (words, code, printed[-1])
print(json.dumps(printed))
"""


def run_commands(lines, folder):
    """Run `alfine` with each of the lines of words, and return what each printed."""
    told = run([sys.executable, "-c", EACH_COMMAND], folder, json.dumps(lines))
    return json.loads(told.splitlines()[-1])
