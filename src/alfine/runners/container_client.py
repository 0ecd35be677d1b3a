"""Runs a container engine's client for one host of a training job, passes a stop on, and removes the container afterwards.

    python -I -S container_client.py run CONTAINERS HOST ENGINE run --name NAME …
    python -I -S container_client.py end CONTAINERS

`run` is the process that the launcher starts. It makes the network of a training job with several hosts, runs the client, and ends
with its exit code. The client never gets a signal: one that comes before the container runs would leave half a container and its
network behind. Instead, a SIGTERM is sent to the container through the engine once the container runs.

Before `run` ends it writes what the engine says about the container to `container.HOST.json` (`Containers.settle`), beside the file
CONTAINERS, and removes the container and, after the last one, the network. `end` does the same for the containers that have no such
file, because `run` or the launcher was killed.

CONTAINERS is a file with {"engine": its command, "podman": whether it is podman, "hosts": {HOST: NAME of its container}, "network":
the network to make, or "", "written": the folders that the containers can write, "retry": whether the training job ran before}.

This program is started for each container. It imports only the standard library.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ANSWER_SECONDS = 60
"""Longest time, in seconds, that an engine may take to carry out a command."""

ASK_AGAIN_SECONDS = 0.05
"""Time until a container that doesn't run yet is asked to stop again."""

LOOKS, LOOK_SECONDS = 10, 0.01
"""Looks at whether a process blocks SIGTERM for good, and the time between two of them."""

SIGTERM = 1 << (signal.SIGTERM - 1)
"""The bit of SIGTERM in the masks of /proc/PID/status."""

BEGIN_SECONDS = 5
"""Longest time, in seconds, that a client whose program was killed may take to begin its container."""

NEVER = "0001-01-01"
"""How the time begins at which a container started that never did."""

CANNOT_RUN = 125
"""The exit code of docker and podman where they can't run a container."""

FOLDER_LABEL = "alfine.folder"
"""The label of a container and of a network with its training job's folder."""

FIRST_HOST = 2
"""The number of the first host's address in the network; 1 is the gateway's."""


class Containers:
    """The containers of one training job.

    Args:
        path: The file CONTAINERS; see the module's docstring.
    """

    def __init__(self, path: str) -> None:
        with open(path, encoding="utf-8") as file:
            settings = json.load(file)
        self.folder = os.path.dirname(path)
        label = f"{FOLDER_LABEL}={os.path.dirname(self.folder)}"
        self.engine: str = settings["engine"]
        self.is_podman: bool = settings["podman"]
        self.hosts: dict[str, str] = settings["hosts"]
        self.network: str = settings["network"]
        self.new_network = ("network", "create", "--label", "alfine", "--label", label, self.network)
        self.written: list[str] = settings["written"]
        self.is_retry: bool = settings.get("retry", False)  # not in a file of an earlier version

    def run(self, host: str, words: list[str]) -> int:
        """Run the client of one host to its end, and return its exit code; SIGTERM and SIGCHLD must be blocked."""
        trouble, network = self._join_network(host)
        if trouble:
            print(f"Error: {trouble}", flush=True)  # as podman begins its messages
            code = CANNOT_RUN
        elif signal.SIGTERM in signal.sigpending():  # nothing was started yet
            code = 128 + signal.SIGTERM
        else:
            code = self._run_client(host, [*words[:2], *network, *words[2:]])
        self.settle(host, code)
        return code

    def _run_client(self, host: str, words: list[str]) -> int:
        if self.is_retry:  # the container before may be left, and has the same name
            self._remove(self.hosts[host])
        try:
            # In a process group of its own: whoever kills this program's group leaves the client to `settle`.
            client = os.posix_spawnp(words[0], words, os.environ, setpgroup=0, setsigmask=())
        except OSError as error:
            print(f"Error: {words[0]} couldn't be started: {error}", flush=True)
            return CANNOT_RUN
        return self._wait(client, self.hosts[host])

    def settle(self, host: str, code: int | None = None) -> None:
        """Write what the engine says about a host's container, and remove the container, also one that still runs.

        The file's object has `started` (None: the engine doesn't answer), `running`, `code`, `oom_killed` and `error`, and `removed`
        once the container is, `network_removed` once the network is.

        Args:
            host: The host.
            code: The client's exit code, if it has ended. The engine isn't asked about a container that ended with 0.
        """
        name = self.hosts[host]
        state = {"StartedAt": "known", "ExitCode": 0} if code == 0 else self._state(name)
        record: dict[str, Any] = {"started": None if state is None else False}
        if state:
            record = {
                "started": _has_started(state),
                "running": bool(state.get("Running")),
                "code": state.get("ExitCode"),
                "oom_killed": bool(state.get("OOMKilled")),
                "error": state.get("Error") or "",
            }
        self._write(f"container.{host}.json", record)
        if self._remove(name):
            record["removed"] = True
        if self.network and self._have_all_ended() and self._remove_network():
            record["network_removed"] = True
        self._write(f"container.{host}.json", record)
        if self.is_podman and os.geteuid() != 0:
            # Without root, what the image's user wrote belongs to a user who only exists inside podman's user namespace.
            self._tell("unshare", "chown", "--recursive", "--no-dereference", "0:0", *self.written)

    def _remove(self, name: str) -> bool:
        """Remove a container if there is one, and return whether there is none any more."""
        answer = self._tell("rm", "-f", *(("--time", "0") if self.is_podman else ()), name)
        return answer is not None and (not answer.returncode or "no such" in answer.stderr.lower())

    def _have_all_ended(self) -> bool:
        """Return whether no host will join the network any more: a short one may have ended before another begins."""
        return all(self._read(f"container.{host}.json") is not None for host in self.hosts)

    def _remove_network(self) -> bool:
        """Remove the network, which the engine refuses while another host's container uses it. Return whether there is none any more."""
        answer = self._tell("network", "rm", self.network)
        return answer is not None and (not answer.returncode or "not found" in answer.stderr.lower())

    def settle_all(self) -> None:
        """Settle the hosts that have no file yet: the programs that ran their clients were killed."""
        for host in self.hosts:
            if self._read(f"container.{host}.json") is None:
                self._let_begin(host)
                self.settle(host)

    def _let_begin(self, host: str) -> None:
        """Wait until a client has begun its container, or has ended. One that is killed before leaves its network behind."""
        name, until = self.hosts[host], time.monotonic() + BEGIN_SECONDS
        while _runs("--name", name) or (self.network and _runs(*self.new_network)):
            state = self._state(name)
            if (state and _has_started(state)) or time.monotonic() >= until:
                return
            time.sleep(ASK_AGAIN_SECONDS)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            with open(f"{self.folder}/{name}", encoding="utf-8") as file:
                value: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            return None
        return value

    def _write(self, name: str, value: dict[str, Any]) -> None:
        path = f"{self.folder}/{name}"
        try:
            with open(f"{path}.new", "w", encoding="utf-8") as file:
                json.dump(value, file)
            os.replace(f"{path}.new", path)
        except OSError as error:  # the launcher goes by the exit code instead
            print(f"alfine: {path} can't be written: {error}", flush=True)

    # -- stopping --

    def _wait(self, client: int, name: str) -> int:
        """Wait until the client ends, and return its exit code. A SIGTERM is passed on as soon as the container runs."""
        asked = told = False
        while (status := _reaped(client)) is None:
            if asked and not told:
                told = self._ask_to_stop(name)
                time.sleep(0 if told else ASK_AGAIN_SECONDS)
            else:
                asked = signal.sigwait({signal.SIGTERM, signal.SIGCHLD}) == signal.SIGTERM or asked
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _ask_to_stop(self, name: str) -> bool:
        """Send SIGTERM to a container's process 1. Return False where it doesn't run yet.

        A process 1 without a handler for SIGTERM never gets it from the kernel. It is killed at once: it would go on until the
        end of its grace for nothing.
        """
        state = self._state(name)
        if not state or not _has_started(state):
            return False
        if not state.get("Running"):
            return True
        word = "KILL" if _drops_sigterm(state.get("Pid", 0)) else "TERM"
        answer = self._tell("kill", "--signal", word, name)
        return answer is not None and answer.returncode == 0

    # -- the network --

    def _join_network(self, host: str) -> tuple[str, list[str]]:
        """Make the network unless another host has, and return why that failed, and the words by which a host joins it."""
        if not self.network:
            return "", []
        made = self._tell(*self.new_network)
        found = self._tell("network", "inspect", self.network)
        if found is None or found.returncode:
            return f"the network of this training job couldn't be made: {_said(made)}", []
        joined = ["--network", self.network]
        if not self.is_podman:
            return "", [*joined, "--network-alias", host]
        # podman resolves names only where a plug-in for DNS is installed, so each host gets a fixed address.
        addresses = self._addresses(json.loads(found.stdout))
        names = [word for name, address in addresses.items() for word in ("--add-host", f"{name}:{address}")]
        return "", [*joined, "--ip", addresses[host], *names]

    def _addresses(self, networks: list[dict[str, Any]]) -> dict[str, str]:
        import ipaddress  # slow to import, and most training jobs have one host

        subnet = ipaddress.ip_network(networks[0]["subnets"][0]["subnet"])
        return {name: str(subnet[number]) for number, name in enumerate(self.hosts, FIRST_HOST)}

    # -- the engine --

    def _state(self, name: str) -> dict[str, Any] | None:
        """Return what the engine says about a container: {} where there is none, None where the engine doesn't answer."""
        answer = self._tell("container", "inspect", "--format", "{{json .State}}", name)
        if answer is None:
            return None
        if answer.returncode:
            return {} if "no such" in answer.stderr.lower() else None
        state: dict[str, Any] = json.loads(answer.stdout)
        return state

    def _tell(self, *words: str) -> subprocess.CompletedProcess[str] | None:
        return answer((self.engine, *words), ANSWER_SECONDS)


def answer(
    words: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str] | None:
    """Run a command to its end, and return what it answered; None where it can't be started or takes too long.

    Args:
        words: The command.
        seconds: How long it may take.
        environment: Its variables; None: those of this process.
    """
    try:
        return subprocess.run(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # the caller tells that there is no answer


def _runs(*words: str) -> bool:
    """Return whether any process has these words in a row in its command. False where there is no /proc.

    A client is found by its words: the program that started it may have been killed before it could write down the client's id.
    """
    command = "\0".join(["", *words, ""]).encode()
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return False  # there is no /proc, or nobody can look: then the container is settled without waiting for its beginning
    return any(command in _command(number) for number in numbers)


def _command(number: str) -> bytes:
    try:
        with open(f"/proc/{number}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""  # it has ended, or is another user's


def _has_started(state: dict[str, Any]) -> bool:
    return bool(state.get("Running")) or not str(state.get("StartedAt", NEVER)).startswith(NEVER)


def _said(answer: subprocess.CompletedProcess[str] | None) -> str:
    return "the engine doesn't answer." if answer is None else answer.stderr.strip() or "it can't be inspected."


def _reaped(client: int) -> int | None:
    """Reap every child that has ended, and return the client's status; None while it runs."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == client:
            found = status
        if not pid or found is not None:
            return found


def _drops_sigterm(pid: int) -> bool:
    """Return whether a process is process 1 of a container and the kernel drops a SIGTERM to it: it neither catches nor blocks it.

    A process that ignores SIGTERM does so on purpose. One that blocks it is looked at several times: a shell blocks all signals while it
    starts a program. False where that can't be known: the engine runs elsewhere, or there is no /proc.
    """
    for _ in range(LOOKS):
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                fields = dict(line.split(":", 1) for line in file if ":" in line)
            is_first = fields["NSpid"].split()[1:][-1:] == ["1"]
            taken, blocked = int(fields["SigCgt"], 16) | int(fields["SigIgn"], 16), int(fields["SigBlk"], 16)
        except (OSError, KeyError, ValueError):
            return False  # it has ended, or can't be looked at: SIGTERM is sent as to any other
        if not is_first or taken & SIGTERM:
            return False
        if not blocked & SIGTERM:
            return True
        time.sleep(LOOK_SECONDS)
    return False


def main(action: str, path: str, *words: str) -> int:
    """Carry out `run` or `end`, and return the exit code."""
    if action == "end":
        Containers(path).settle_all()
        return 0
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    signal.signal(signal.SIGCHLD, lambda *_: None)  # macOS drops a blocked signal that nobody handles
    host, *client = words
    return Containers(path).run(host, client)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
