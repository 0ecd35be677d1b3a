"""Installs a script's requirements.txt, once, into a virtual environment that its training jobs share.

    python -I -S requirements.py ENVIRONMENT PYTHON REQUIREMENTS FAILURE COMMAND …

makes the virtual environment unless it exists (the first training job makes it, the others wait), and becomes the command, which
runs in it. pip's output is in the training job's log. Where pip fails, the training job fails, with pip's reason in the file FAILURE.

The virtual environment has all packages that PYTHON has, even where PYTHON belongs to a virtual environment itself. ENVIRONMENT is
named by what it is made from: the text of requirements.txt and the interpreter. Files that requirements.txt refers to don't count.

What is installed can't be written in a sandbox. A plain process can: so before a training job uses it, every file is compared with the list
that was made when all was installed. Where a file has changed, was added or is gone, everything is installed anew, beside the old one, which
those that run may still use. A process that means harm could write the list as well: it runs as the same user.

This program is started for each training job, in its sandbox if it has one. It imports only the standard library.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from typing import NoReturn

PATHS = "import sysconfig; print(*{sysconfig.get_path(n) for n in ('purelib', 'platlib')}, sep='\\n')"
"""A program that prints where an interpreter has its packages."""

COMPLETE = "complete"
"""Name of the file in ENVIRONMENT that is there once everything is installed: the folder's name, and a list of all files in it."""

FIRST = "venv"
"""Name of the folder in ENVIRONMENT with the virtual environment. One that takes the place of a changed one is called venv-2, …"""

FAILURE_LIMIT = 900
"""Characters of pip's reason, so that a FailureReason of 1024 has room for what alfine adds."""


def main(environment: str, python: str, requirements: str, failure: str, command: list[str]) -> NoReturn:
    """Make the virtual environment unless it exists and is as it was made, and become the command in it."""
    name = _name_of_complete(environment)
    if not name:
        signal.signal(signal.SIGTERM, _end)
        with open(f"{environment}/lock", "w", encoding="ascii") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            name = _name_of_complete(environment)  # another training job may have made it meanwhile
            if not name:
                name = _unused_name(environment)
                _make(f"{environment}/{name}", python, requirements, failure)
                _write_list(environment, name)
    for variable in [
        variable for variable in os.environ if variable.startswith("PIP_")
    ]:  # only pip may see them: they may contain passwords
        del os.environ[variable]
    venv = f"{environment}/{name}"
    os.environ["VIRTUAL_ENV"] = venv
    os.environ["PATH"] = f"{venv}/bin:{os.environ.get('PATH', os.defpath)}"
    command = [_within(word, f"{environment}/{FIRST}", venv) for word in command]
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def _within(word: str, first: str, venv: str) -> str:
    """Return a word of the command line with the folder of the environment that is used."""
    return venv + word[len(first) :] if word.startswith(f"{first}/") else word


# ---- whether it is as it was made --------------------------------------------------------------------------------------


def _name_of_complete(environment: str) -> str:
    """Return the name of the folder with the virtual environment; "" where there is none, or it was changed since it was made."""
    try:
        with open(f"{environment}/{COMPLETE}", encoding="utf-8") as file:
            known = json.loads(file.read() or "{}")
    except FileNotFoundError:
        return ""
    name: str = known.get("folder", FIRST)  # an empty list is of a version that made none
    if "files" not in known or not os.access(
        environment, os.W_OK
    ):  # read-only, as in a sandbox: nobody could change it
        return name
    found = _files_of(f"{environment}/{name}")
    changed = sorted(path for path in {**found, **known["files"]} if found.get(path) != known["files"].get(path))
    changed = [path for path in changed if not _is_cache(f"{environment}/{name}/{path}", path)]
    if not changed:
        return name
    print(f"alfine: {environment}/{name} was changed since it was made ({changed[0]}), so it is made anew.", flush=True)
    return ""


def _is_cache(full: str, path: str) -> bool:
    """Return whether a changed file is compiled code, which is removed: Python compiles it from the source, which wasn't changed."""
    if "__pycache__" not in path.split("/"):
        return False
    try:
        os.unlink(full)
    except FileNotFoundError:
        pass  # it is gone, as it should be
    except OSError:
        return False  # then the environment is made anew
    return True


def _files_of(top: str) -> dict[str, list[int]]:
    """Return what tells whether a file was changed, by its path: its size, and when it was written and its entry was changed."""
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            status = os.lstat(f"{folder}/{name}")
            found[f"{folder}/{name}"[len(top) + 1 :]] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return found


def _write_list(environment: str, name: str) -> None:
    path = f"{environment}/{COMPLETE}"
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump({"folder": name, "files": _files_of(f"{environment}/{name}")}, file)
    os.replace(f"{path}.new", path)


def _unused_name(environment: str) -> str:
    """Return a name for a new virtual environment: those that run may use one that was changed."""
    numbers = (number for number in range(2, sys.maxsize) if not os.path.exists(f"{environment}/{FIRST}-{number}"))
    complete = os.path.exists(f"{environment}/{COMPLETE}")
    return f"{FIRST}-{next(numbers)}" if complete else FIRST


# ---- making it ---------------------------------------------------------------------------------------------------------


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
