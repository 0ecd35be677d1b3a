"""The bridge as alfine sees it: a child process that is started again whenever it ends."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from alfine.runners.on_ray.messages import ClusterSettings, Connected, FromBridge, NotConnected, ToBridge, packed

log = logging.getLogger("alfine.runners.on_ray")

FIRST_PAUSE_SECONDS = 0.2
"""Pause before a bridge that has ended is started again; each further one is twice as long."""

LONGEST_PAUSE_SECONDS = 10.0

BRIDGE = "alfine.runners.on_ray.bridge"
"""The module that the child process runs."""


class BridgeConnection:
    """Keeps a bridge running, sends it messages, and passes on what it says, from a thread.

    Args:
        settings: The settings.
        heard: Called with each message of the bridge, but for the two about its own state.
        connected: Called when a bridge has reached the cluster: it knows of no training job yet.
        unreachable: Called with the reason when it can't.
        output: The file that its output is appended to. None drops it.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        heard: Callable[[FromBridge], None],
        connected: Callable[[], None],
        unreachable: Callable[[str], None],
        output: Path | None = None,
    ) -> None:
        self._settings, self._output = settings, output
        self._heard, self._connected, self._unreachable = heard, connected, unreachable
        self._mutex = threading.Lock()
        self._connection: Connection | None = None  # while it is connected to the cluster
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep_running, name="alfine-ray", daemon=True)
        self._thread.start()

    def send(self, message: ToBridge) -> bool:
        """Send a message. Return False where there is no bridge at present: once there is one, `connected` is called."""
        with self._mutex:
            if self._connection is None:
                return False
            try:
                self._connection.send_bytes(packed(message))
            except OSError:  # it has just ended: `connected` will be called
                return False
            return True

    def close(self) -> None:
        """Hang up: the bridge ends. Training jobs run on."""
        self._closing.set()
        with self._mutex:
            if self._connection is not None:
                _hang_up(self._connection)
            elif self._process is not None:  # it tries to reach the cluster, perhaps for minutes, and holds nothing
                self._process.kill()
        self._thread.join()

    def _keep_running(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._closing.is_set():
            if self._run_once():
                pause = FIRST_PAUSE_SECONDS
            self._closing.wait(pause)
            pause = min(LONGEST_PAUSE_SECONDS, 2 * pause)

    def _run_once(self) -> bool:
        """Run a bridge until it ends, and return whether it had reached the cluster."""
        reached = False
        try:
            process, connection = self._start()
        except OSError as error:  # the machine is short of something: tried again
            self._unreachable(f"the process that talks to Ray can't be started: {error}")
            return False
        try:
            while True:
                message = connection.recv()
                if isinstance(message, Connected):
                    reached = True
                    self._connect(connection)
                elif isinstance(message, NotConnected):
                    self._unreachable(message.why)
                else:
                    self._heard(message)
        except (EOFError, OSError):
            pass  # it has ended: another one is started
        finally:
            with self._mutex:
                self._connection = None
                connection.close()
            code = process.wait()
            self._process = None
        if reached and not self._closing.is_set():
            log.warning("the process that talks to Ray has ended (exit code %d); another one is started", code)
        return reached

    def _connect(self, connection: Connection) -> None:
        with self._mutex:
            self._connection = connection
            closing = self._closing.is_set()
        if closing:
            _hang_up(connection)
        else:
            self._connected()

    def _start(self) -> tuple[subprocess.Popen[bytes], Connection]:
        """Start a bridge in a session of its own, so that Ctrl-C in the terminal doesn't reach it."""
        ours, theirs = socket.socketpair()
        with theirs:
            out = subprocess.DEVNULL if self._output is None else self._output.open("ab")
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", BRIDGE, str(theirs.fileno())],
                    env={**os.environ, "PYTHONPATH": import_path(), "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
            finally:
                if not isinstance(out, int):
                    out.close()
        self._process = process
        if self._closing.is_set():
            process.kill()
        connection = Connection(ours.detach())
        with suppress(OSError):  # it has ended at once, which reading from it tells
            connection.send(self._settings)
        return process, connection


def import_path() -> str:
    """Return a PYTHONPATH with which a child process imports this alfine."""
    here = str(Path(__file__).resolve().parents[3])
    return os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))


def _hang_up(connection: Connection) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as ours:  # OSError: it has ended already
        ours.shutdown(socket.SHUT_WR)
