"""Images that have to be pulled before training jobs can run in containers of them."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from alfine.runners.container_engine import ContainerEngine
from alfine.runners.executor import names_of
from alfine.runners.job_folder import Workspace, make_control
from alfine.runners.log_files import note_in_log
from alfine.runners.protocol import News

logger = logging.getLogger("alfine.runners")

LOOK_SECONDS = 10
"""Longest time, in seconds, that an engine may take to say whether it has an image. The engine that runs tuning jobs waits for that."""

SAID_LIMIT = 500
"""Characters of the engine's message about an image that can't be pulled."""


@dataclass(slots=True)
class _Pull:
    """The pull of one image.

    Attributes:
        waiting: The folders of the training jobs that wait for it.
    """

    image: str
    done: bool = False
    trouble: str = ""
    waiting: set[Path] = field(default_factory=set)


class Pulls:
    """The images of this machine, as far as training jobs have needed them. Each is pulled once, in a thread of its own.

    Args:
        news: Called from such a thread, for each training job that waits for an image, when that is there or can't be had.
    """

    def __init__(self, news: News) -> None:
        self._news = news
        self._mutex = threading.Lock()
        self._there: set[str] = set()
        self._pulls: dict[Path, _Pull] = {}

    def must_wait(self, engine: ContainerEngine, image: str, folder: Path) -> bool:
        """Return whether a training job must wait for its image. The pull begins if it has to."""
        with self._mutex:
            pull = self._pulls.get(folder)
            if pull is not None:
                return not pull.done
            if image in self._there or engine.tell("image", "inspect", image, timeout=LOOK_SECONDS):
                self._there.add(image)
                return False
            pull = next((other for other in self._pulls.values() if other.image == image and not other.done), None)
            if pull is None:
                pull = _Pull(image)
                name = "alfine-pull"
                threading.Thread(target=self._pull, args=(engine, pull), name=name, daemon=True).start()
            self._pulls[folder] = pull
            pull.waiting.add(folder)
            _say(folder, f"pulling the image {image}.")
            return True

    def has_waiting(self, folder: Path) -> bool:
        """Return whether a training job was told to wait."""
        with self._mutex:
            return folder in self._pulls

    def trouble(self, folder: Path) -> str:
        """Return why a training job's image can't be had; "" where that isn't known."""
        with self._mutex:
            pull = self._pulls.get(folder)
            return pull.trouble if pull is not None else ""

    def forget(self, folder: Path) -> None:
        """Let go of a training job that waits no more."""
        with self._mutex:
            pull = self._pulls.pop(folder, None)
            if pull is not None:
                pull.waiting.discard(folder)

    def _pull(self, engine: ContainerEngine, pull: _Pull) -> None:
        began = time.monotonic()
        logger.info("pulling the image %s", pull.image)
        trouble = self._pulled(engine, pull)
        seconds = time.monotonic() - began
        logger.info("the image %s: %s", pull.image, trouble or f"pulled in {seconds:.0f} s")
        with self._mutex:
            if trouble:
                pull.trouble = (
                    f"The container couldn't be started: its image {pull.image} couldn't be pulled: {trouble}"
                )
            else:
                self._there.add(pull.image)
                self._tell_all(pull, f"pulled the image in {seconds:.1f} s.")
            pull.done = True
            waiting = list(pull.waiting)
        for folder in waiting:
            self._news(*names_of(folder))

    def _pulled(self, engine: ContainerEngine, pull: _Pull) -> str:
        """Pull an image, and return why that failed; "" where it is there now.

        The client gets alfine's whole environment: helpers for credentials, such as that of Amazon ECR, read AWS_* variables.
        """
        words = [engine.command, "pull", *engine.pull_options, pull.image]
        last = ""
        try:
            with subprocess.Popen(
                words,
                env=dict(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process:
                for line in process.stdout or ():
                    last = line.strip()[:SAID_LIMIT] or last
                    with self._mutex:
                        self._tell_all(pull, line.strip())
        except OSError as error:
            return str(error)
        return (last.removeprefix("Error: ") or f"exit code {process.returncode}.") if process.returncode else ""

    def _tell_all(self, pull: _Pull, sentence: str) -> None:
        for folder in pull.waiting:
            _say(folder, sentence)


def _say(folder: Path, sentence: str) -> None:
    """Add a line to the log of a training job that hasn't begun."""
    try:
        make_control(folder)
    except OSError as error:  # its start will fail for the same reason
        logger.warning("%s can't be made: %s", folder, error)
    else:
        note_in_log(Workspace(folder).log, sentence)
