"""A server whose system calls can fail, the sources of its training jobs, and the truth: what the training jobs say that they did."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.aws.conftest import KEYS
from tests.faults.control import Control

SOURCES = 50
"""Training scripts, each in a folder of its own, so that each has a warm launcher of its own."""

READY_SECONDS = 60.0
"""How long a server may take to answer after its start."""

DISK_BYTES = 1 << 30
"""The size of a small disk: some 50 KB for each training job of an hour, and the database."""

MARK = "ALFINE_FAULTS_TRUTH"
"""The variable in the Environment of every training job, by which their processes are found: the path of the truth."""

PROGRAM = b"launcher/__main__.py"
"""In the command line of a launcher, and of the training jobs that it forked."""

TRAIN = """
import argparse, os, time
p = argparse.ArgumentParser()
p.add_argument("--x", type=float, default=0); p.add_argument("--steps", type=int, default=3)
p.add_argument("--pause", type=float, default=0.01); p.add_argument("--wait", type=float, default=0)
a, _ = p.parse_known_args()
def note(*words):
    line = " ".join(map(str, (*words, time.monotonic_ns()))) + chr(10)
    file = os.open(os.environ["ALFINE_FAULTS_TRUTH"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode()); os.close(file)
name = os.environ["TRAINING_JOB_NAME"]
note("begin", name, os.getpid())
for step in range(a.steps):
    print(f"loss={a.x + step:.6f}", flush=True)
    note("metric", name, f"{a.x + step:.6f}")
    time.sleep(a.pause)
time.sleep(a.wait)
note("end", name, os.getpid())
"""


class Truth:
    """What the training jobs wrote down outside of alfine's reach: their beginnings, values and ends, by name."""

    def __init__(self, path: Path) -> None:
        self.begins: dict[str, list[int]] = defaultdict(list)
        self.ends: dict[str, list[int]] = defaultdict(list)
        self.values: dict[str, list[float]] = defaultdict(list)
        for line in path.read_text().splitlines() if path.exists() else ():
            kind, name, value, at = line.split()
            if kind == "metric":
                self.values[name].append(float(value))
            else:
                (self.begins if kind == "begin" else self.ends)[name].append(int(at))


class World:
    """A home, its server, and what is there to be hurt.

    Args:
        folder: Everything lies in it.
        small_disk: Whether the home gets a disk of its own, which can be filled, where this user may mount one.
    """

    def __init__(self, folder: Path, *, small_disk: bool = False) -> None:
        self.folder, self.home, self.truth_file = folder, folder / "home", folder / "truth"
        self.home.mkdir()
        self.has_small_disk = small_disk and _mounted(self.home)
        self.control = Control(folder, self.home)
        self.sources = [self._source(number) for number in range(SOURCES)]
        self.log = folder / "server.log"
        self.server: subprocess.Popen[bytes] | None = None
        self.url, self.starts = "", 0
        self._mutex, self._session = threading.Lock(), boto3.session.Session()
        self._clients: list[Any] = []
        self._commands = count(1)

    def _source(self, number: int) -> Path:
        script = self.folder / f"source-{number}" / "train.py"
        script.parent.mkdir()
        script.write_text(TRAIN)
        return script

    # -- the server --

    def start(self) -> None:
        """Start the server unless it runs, again and again until it answers."""
        until = time.monotonic() + READY_SECONDS
        while not self.answers():
            assert time.monotonic() < until, f"the server doesn't answer; the end of its log:\n{self.tail()}"
            self._start_once()

    def answers(self) -> bool:
        return self.server is not None and self.server.poll() is None and bool(self.url)

    def _start_once(self) -> None:
        self.kill_server()
        command = [sys.executable, "-m", "alfine", "serve", "--port", "0", "--open", "--home", str(self.home)]
        with self.log.open("ab") as log:
            begin = log.tell()
            self.server = subprocess.Popen(command, stdout=log, stderr=log, env=self.control.environment())
        self.starts += 1
        while self.server.poll() is None:
            found = re.search(rb"ready on (https?://\S+)", self.log.read_bytes()[begin:])
            if found:
                self.url = found.group(1).decode()
                return
            time.sleep(0.02)

    def kill_server(self) -> None:
        self.url = ""
        if self.server is not None:
            self.server.kill()
            self.server.wait()

    def end(self, *, keep: bool = False) -> None:
        """End the server as a user does, and what it left; keep: leave the small disk mounted, to be looked at."""
        if self.server is not None:
            self.server.send_signal(signal.SIGCONT)
            self.server.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.server.wait(20)
            self.kill_server()
        for client in self._clients:
            client.close()
        if self.has_small_disk and not keep:
            subprocess.run(["umount", "--lazy", str(self.home)], check=False)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    # -- its clients --

    def client(self) -> Any:
        """Return a boto3 client for the present server; threads share it."""
        with self._mutex:
            url = self.url or "http://127.0.0.1:9"
            if not self._clients or self._clients[-1].meta.endpoint_url != url:
                config = Config(
                    retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=40, max_pool_connections=20
                )
                self._clients.append(self._session.client("sagemaker", endpoint_url=url, config=config, **KEYS))
            return self._clients[-1]

    def cli(self, *words: str) -> subprocess.Popen[bytes]:
        """Start `alfine` on the home, in a process whose calls can fail."""
        command = [sys.executable, "-m", "alfine", "--home", str(self.home), *words]
        with (self.folder / "cli.log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.control.environment()
            )

    def tune(self) -> subprocess.Popen[bytes]:
        """Start a command that runs a tuning job of its own."""
        return self.cli("tune", str(self.folder / "cli-job.yaml"), "--name", f"cli-{next(self._commands)}")

    # -- its processes --

    def launchers(self) -> list[int]:
        """Return the launchers of this home: the processes that map its control block, and run the launcher's program."""
        return [pid for pid, line in _command_lines() if PROGRAM in line and self._is_mine(pid)]

    def training_jobs(self) -> list[int]:
        """Return the processes of training jobs: those that have the truth in their environment."""
        mark = f"{MARK}={self.truth_file}".encode()
        cold = [pid for pid, line in _command_lines() if PROGRAM not in line and mark in _read(pid, "environ")]
        return cold + [pid for pid, line in _command_lines() if PROGRAM in line and self._forked(pid)]

    def _forked(self, pid: int) -> bool:
        """Whether a process of a launcher is a training job that started warm: it prints to a log."""
        with suppress(OSError):
            return str(self.home / "tuning-jobs") in str(Path(f"/proc/{pid}/fd/1").readlink())
        return False

    def _is_mine(self, pid: int) -> bool:
        return f"ALFINE_FAULTS={self.control.file}".encode() in _read(pid, "environ") and not self._forked(pid)

    def described(self, pid: int) -> str:
        """Return what is known of a process."""
        line = _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")
        state = re.findall(r"State:\s*(\S)|PPid:\s*(\d+)", _read(pid, "status").decode(errors="replace"))
        with suppress(OSError):
            return f"{pid} {state} {line[:200]} > {Path(f'/proc/{pid}/fd/1').readlink()}"
        return f"{pid} {state} {line[:200]}"

    def memory(self) -> int:
        """Return the resident memory of the server, in bytes."""
        fields = _read(self.server.pid, "statm").split() if self.server else []
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0

    def descriptors(self) -> int:
        """Return how many descriptors the server has."""
        with suppress(OSError):
            return len([*Path(f"/proc/{self.server.pid}/fd").iterdir()]) if self.server else 0
        return 0

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _mounted(folder: Path) -> bool:
    """Mount a small disk, and return whether that was possible."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    try:
        return subprocess.run(mount, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _command_lines():
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            yield int(entry.name), _read(int(entry.name), "cmdline")


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
