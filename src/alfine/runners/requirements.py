"""Installs a script's requirements.txt, once, into a virtual environment that its training jobs share.

    python -I -S requirements.py ENVIRONMENT PYTHON REQUIREMENTS FAILURE COMMAND …

makes the virtual environment unless it exists (the first training job makes it, the others wait), and becomes the command, which
runs in it. pip's output is in the training job's log. Where pip fails, the training job fails, with pip's reason in the file FAILURE.

The virtual environment has all packages that PYTHON has, even where PYTHON belongs to a virtual environment itself. ENVIRONMENT is
named by what it is made from: the text of requirements.txt and the interpreter. Files that requirements.txt refers to don't count.

This program is started for each training job, in its sandbox if it has one. It imports only the standard library.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from typing import NoReturn

PATHS = "import sysconfig; print(*{sysconfig.get_path(n) for n in ('purelib', 'platlib')}, sep='\\n')"
"""A program that prints where an interpreter has its packages."""

COMPLETE = "complete"
"""Name of the file in ENVIRONMENT that is there once everything is installed."""

FAILURE_LIMIT = 900
"""Characters of pip's reason, so that a FailureReason of 1024 has room for what alfine adds."""


def main(environment: str, python: str, requirements: str, failure: str, command: list[str]) -> NoReturn:
    """Make the virtual environment unless it exists, and become the command in it."""
    done, venv = f"{environment}/{COMPLETE}", f"{environment}/venv"
    if not os.path.exists(done):
        signal.signal(signal.SIGTERM, _end)
        with open(f"{environment}/lock", "w", encoding="ascii") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            if not os.path.exists(done):  # else another training job has made it meanwhile
                _make(venv, python, requirements, failure)
                with open(done, "w", encoding="ascii"):
                    pass
    for name in [
        name for name in os.environ if name.startswith("PIP_")
    ]:  # only pip may see them: they may contain passwords
        del os.environ[name]
    os.environ["VIRTUAL_ENV"] = venv
    os.environ["PATH"] = f"{venv}/bin:{os.environ.get('PATH', os.defpath)}"
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def _end(*_: object) -> NoReturn:
    """End at once: as process 1 of a sandbox this one would ignore the signal, and pip with it."""
    os._exit(128 + signal.SIGTERM)


def _make(venv: str, python: str, requirements: str, failure: str) -> None:
    """Make the virtual environment. Where that fails this process ends."""
    print("alfine: requirements.txt is being installed, once for all training jobs that have the same one.", flush=True)
    shutil.rmtree(venv, ignore_errors=True)  # what stays in the way makes `python -m venv` fail with a reason
    _run([python, "-m", "venv", "--system-site-packages", "--without-pip", venv], failure)
    inside = f"{venv}/bin/python"
    seen = subprocess.run([python, "-c", PATHS], stdout=subprocess.PIPE, text=True, check=True).stdout
    own = subprocess.run([inside, "-c", PATHS], stdout=subprocess.PIPE, text=True, check=True).stdout
    with open(f"{own.split()[0]}/alfine.pth", "w", encoding="utf-8") as file:
        file.write(seen)
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--no-warn-script-location"]
    _run([inside, "-m", "pip", "install", *options, "-r", requirements], failure)


def _run(command: list[str], failure: str) -> None:
    """Run a command and print its output. Where it fails, write its errors to the file `failure` and end this process."""
    errors, last = [], ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as run:
        for line in run.stdout or ():
            print(line, end="", flush=True)
            last = line.strip() or last
            if line.startswith("ERROR:"):
                errors.append(line.strip())
    if run.returncode:
        reason = f"requirements.txt couldn't be installed: {' '.join(errors) or last}"
        with open(failure, "w", encoding="utf-8") as file:
            file.write(reason[:FAILURE_LIMIT])
        sys.exit(1)


if __name__ == "__main__":
    _, environment, python, requirements, failure, *command = sys.argv
    main(environment, python, requirements, failure, command)
