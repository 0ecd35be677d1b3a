"""Finds what is on this machine for training jobs: their processes, their containers and networks, and launchers that nobody uses."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from alfine.runners import launcher
from alfine.runners.container_client import FOLDER_LABEL
from alfine.runners.container_engine import ContainerEngine
from alfine.runners.job_folder import Workspace
from alfine.runners.log_files import log_status

ENGINE_SECONDS = 20.0
"""Longest time, in seconds, that a container engine may take to list its containers."""

IDLE_SECONDS = 0.3
"""Seconds for which a launcher that was left behind does nothing. One that is still importing, or about to end, does something."""

PROGRAMS = {os.fsencode(path) for path in (launcher.PROGRAM, os.path.realpath(launcher.PROGRAM))}
"""The launcher's program as command lines have it."""


def processes_of(folders: Iterable[Path]) -> dict[Path, list[int]]:
    """Return the processes of training jobs by the training job's folder. On Linux only; elsewhere none are found.

    They have the training job's mark or environment, or print to its log.
    """
    logs: dict[tuple[int, int], Path] = {}
    bases: dict[bytes, Path] = {}
    marks: dict[int, Path] = {}
    for folder in folders:
        marks[launcher.mark_of(str(folder))] = folder
        bases[f"SAGEMAKER_BASE_DIR={Workspace(folder).ml}".encode()] = folder
        status = log_status(Workspace(folder).log)
        if status is not None:
            logs[status.st_dev, status.st_ino] = folder
    found: dict[Path, list[int]] = {}
    for pid in _processes():
        if folder_of := marks.get(launcher.mark_on(pid)) or _folder_of(pid, logs, bases):
            found.setdefault(folder_of, []).append(pid)
    return found


def idle_launchers(home: Path) -> list[int]:
    """Return a home's launchers whose alfine has ended, that supervise nothing, and that don't end either.

    Those of a Ray node's slots aren't among them: they aren't children of the process that started them while it runs, either.
    """
    first = _waiting_launchers(home)
    if not first:
        return []
    time.sleep(IDLE_SECONDS)
    second = _waiting_launchers(home)
    return [pid for pid, times in first.items() if second.get(pid) == times]


def _waiting_launchers(home: Path) -> dict[int, tuple[bytes, bytes]]:
    """Return the processor times of launchers without an alfine and without a training job that wait for something."""
    found = {}
    for pid in _processes():
        if _is_launcher_of(pid, home) and not launcher.children_of(pid):
            state, parent, *others = _fields_of(pid)
            if int(parent) == 1 and state in (b"S", b"T"):  # proc(5): sleeping, stopped
                found[pid] = (others[9], others[10])
    return found


def containers_of(engine: ContainerEngine, top: Path) -> Iterator[tuple[str, Path]]:
    """Return the id and the training job's folder of each container that was made for a folder below `top`, also of one that has ended.

    Raises:
        OSError: The engine can't be asked.
    """
    ids = _ask(engine, "ps", "--all", "--quiet", "--filter", f"label={FOLDER_LABEL}").split()
    shown = _ask(engine, "inspect", "--format", _folder_in(".Config.Labels"), *ids) if ids else ""
    return _below(top, ids, shown.splitlines())


def networks_of(engine: ContainerEngine, top: Path) -> Iterator[tuple[str, Path]]:
    """Return the name or id of each network that was made for the hosts of a training job below `top`, and the training job's folder.

    Raises:
        OSError: The engine can't be asked.
    """
    names = _ask(engine, "network", "ls", "--quiet", "--filter", f"label={FOLDER_LABEL}").split()
    shown = _ask(engine, "network", "inspect", "--format", _folder_in(".Labels"), *names) if names else ""
    return _below(top, names, shown.splitlines())


def _folder_in(labels: str) -> str:
    return f'{{{{index {labels} "{FOLDER_LABEL}"}}}}'


def _below(top: Path, names: Iterable[str], folders: Iterable[str]) -> Iterator[tuple[str, Path]]:
    real_top = os.path.realpath(top)
    for name, folder in zip(names, folders, strict=False):
        real = Path(os.path.realpath(folder))
        if real.is_relative_to(real_top):
            yield name, top / real.relative_to(real_top)


def _ask(engine: ContainerEngine, *words: str) -> str:
    try:
        command = [engine.command, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=ENGINE_SECONDS, check=True).stdout
    except subprocess.SubprocessError as error:
        raise OSError(f"{engine.command} {words[0]} failed: {error}") from error


def _processes() -> list[int]:
    try:
        numbers = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
    except FileNotFoundError:
        return []  # there is no /proc
    return [pid for pid in numbers if pid != os.getpid()]


def _folder_of(pid: int, logs: dict[tuple[int, int], Path], bases: dict[bytes, Path]) -> Path | None:
    for descriptor in (1, 2):
        try:
            status = Path(f"/proc/{pid}/fd/{descriptor}").stat()
        except OSError:
            continue  # it has ended, is another user's, or has closed it
        if folder := logs.get((status.st_dev, status.st_ino)):
            return folder
    for variable in _bytes_of(pid, "environ").split(b"\0"):
        if folder := bases.get(variable):
            return folder
    return None


def _is_launcher_of(pid: int, home: Path) -> bool:
    """Return whether a process is a launcher of a home, or a training job that was forked from one: a home is the last word."""
    *words, last, _ = [b"", *_bytes_of(pid, "cmdline").split(b"\0")]
    return last == os.fsencode(os.path.realpath(home)) and not PROGRAMS.isdisjoint(words)


def _fields_of(pid: int) -> list[bytes]:
    """Return what the kernel says of a process from its state on, see proc(5); zeros where it has ended."""
    return _bytes_of(pid, "stat").rpartition(b")")[2].split() or [b"0"] * 13


def _bytes_of(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""  # it has ended, or is another user's
