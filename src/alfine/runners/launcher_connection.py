"""A launcher process, as alfine sees it: its socket, the requests that wait for it, its events."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from alfine.runners.shortages import raise_descriptor_limit
from alfine.runners.warm import SET_PER_JOB, Warm

PRELOAD_SECONDS = 60.0
"""A warm launcher whose imports take longer is killed, and its training jobs start cold."""


class LauncherConnection:
    """Starts a launcher, sends it requests, and reports its events from a thread.

    Args:
        argv: The launcher's command line.
        env: Its environment variables.
        home: The home whose training jobs it starts; the last word of its command line tells it, so that it can be found by it. None: of no home.
        heard: Called from the thread with this connection and an event: a training job's end («exit»), that one waits for its start
            («short», with its reason) or couldn't be taken («not_taken»), or the launcher's own end («gone», with its reason).
        decision: The plan of a warm launcher; None: it starts training jobs cold.
        apart: Whether it isn't to be a child of this process. In a sandbox it is one, since that ends with its first process.

    Attributes:
        plan: The plan of a warm launcher.
        alive: Whether the launcher still runs.
        ready: Whether it takes requests at once: a warm launcher imports first.
        was_let_go: Whether `let_go` was called.

    Raises:
        OSError: The launcher can't be started.
        RuntimeError: There can be no more threads at present.
    """

    def __init__(
        self,
        argv: list[str],
        env: dict[str, str],
        home: Path | None,
        heard: Callable[[LauncherConnection, dict[str, Any]], None],
        decision: Warm | None = None,
        *,
        apart: bool = False,
    ) -> None:
        self.plan = decision
        self.alive = True
        self.ready = decision is None
        self.was_let_go = False
        self._waiting: list[tuple[Literal["start", "stop"], str]] = []
        self._mutex = threading.Lock()
        self._heard = heard
        self._socket, theirs = socket.socketpair()
        try:
            words = ["warm"] * (decision is not None) + ["apart"] * (apart and not (decision and decision.around))
            words += [] if home is None else [os.path.realpath(home)]
            self._pid = _spawn(argv, env, theirs.fileno(), words)
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()
        if decision is not None:
            preload = {"imports": decision.imports, "local": decision.local, "sandbox": decision.sandbox}
            self._send({"op": "preload", "per_job": SET_PER_JOB, **preload})
            self._socket.settimeout(PRELOAD_SECONDS)
        try:
            threading.Thread(target=self._listen, name="alfine-launcher", daemon=True).start()
        except (
            RuntimeError
        ):  # there can be no more threads at present: nobody would hear of this launcher's training jobs
            self._socket.close()
            os.killpg(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            raise

    def request(self, operation: Literal["start", "stop"], folder: str) -> bool:
        """Send a request, or keep it until the launcher is ready.

        Args:
            operation: What is asked for.
            folder: The training job's folder.

        Returns:
            Whether it was sent or kept. False: the launcher has ended or was let go, so the request must go another way. A
            launcher that dies with requests that were sent to it leaves their training jobs without a supervisor, which polls see.
        """
        with self._mutex:
            if not self.alive:
                return False
            if self.ready:
                return not self.was_let_go and self._send({"op": operation, "folder": folder})
            self._waiting.append((operation, folder))
            return True

    def unsent(self) -> list[str]:
        """Return the folders of training jobs whose start was never sent, and forget them."""
        with self._mutex:
            folders = [folder for operation, folder in self._waiting if operation == "start"]
            self._waiting.clear()
        return folders

    def let_go(self) -> None:
        """Send no further requests. The launcher ends when its training jobs have; one that still imports gets its requests first."""
        with self._mutex:
            self.was_let_go = True
            if self.ready:
                self._hang_up()

    def _hang_up(self) -> None:
        with suppress(OSError):  # the launcher has ended already, which is what this is to bring about
            self._socket.shutdown(socket.SHUT_WR)

    def _send(self, request: dict[str, Any]) -> bool:
        """Send a request to a launcher, and return whether it could be sent."""
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            return False  # whoever asked knows by this that it didn't arrive, and goes another way
        return True

    def _listen(self) -> None:
        reason = "its launcher was killed"
        try:
            with self._socket, self._socket.makefile("rb") as events:
                for line in events:
                    event = json.loads(line)
                    if event["event"] == "unfit":
                        reason = event["reason"]
                    elif event["event"] == "ready":
                        self._become_ready()
                    elif event["event"] in ("exit", "short", "not_taken"):
                        self._heard(self, event)
        except TimeoutError:
            reason = f"its imports took longer than {PRELOAD_SECONDS:g} s"
            os.killpg(self._pid, signal.SIGKILL)  # with the sandbox around it, if there is one
        except (OSError, ValueError):
            pass
        self._end(reason)

    def _become_ready(self) -> None:
        with self._mutex:
            self._socket.settimeout(None)
            # What can't be sent goes on waiting: the launcher has just died, and `unsent` gives it to whoever hears of that.
            self._waiting = [
                (operation, folder)
                for operation, folder in self._waiting
                if not self._send({"op": operation, "folder": folder})
            ]
            self.ready = True
            if self.was_let_go:
                self._hang_up()

    def _end(self, reason: str) -> None:
        with self._mutex:  # a request is either kept before this, and given back by `unsent`, or refused
            self.alive = False
        self._heard(self, {"event": "gone", "reason": reason})
        with suppress(ChildProcessError):  # somebody else has reaped it: it's no zombie
            os.waitpid(self._pid, 0)


def _spawn(argv: list[str], env: dict[str, str], control: int, words: list[str]) -> int:
    """Start a launcher in its own session, so that Ctrl-C in the terminal doesn't reach it."""
    place = 3 if control != 3 else 4  # dup2 to the same number would leave it close-on-exec
    actions: list[tuple[Any, ...]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, control, place),
    ]
    argv = [*argv, str(place), str(raise_descriptor_limit()), *words]
    defaults = [signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM]
    try:
        return os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=defaults)
    except NotImplementedError:  # a C library without POSIX_SPAWN_SETSID
        return os.posix_spawnp(argv[0], argv, env, file_actions=actions, setpgroup=0, setsigdef=defaults)
