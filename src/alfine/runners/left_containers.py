"""Removes the containers and networks of training jobs that have ended, if their engine didn't when it was told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from alfine.runners.container_engine import ContainerEngine
from alfine.runners.strays import containers_of, networks_of
from alfine.runners.supervision import has_ended

logger = logging.getLogger("alfine.runners")

PAUSE_SECONDS = 60.0
"""Time after which an engine that doesn't answer is asked again."""


class LeftContainers:
    """Looks for them in a thread, again and again until none is left.

    Args:
        engine: See `ContainerRunner`.
    """

    def __init__(self, engine: Callable[[], tuple[ContainerEngine | None, str]]) -> None:
        self._engine = engine
        self._mutex = threading.Lock()
        self._tops: set[Path] = set()
        self._is_looking = False
        self._over = threading.Event()

    def remove(self, top: Path) -> None:
        """Remove those of training jobs below a folder, soon."""
        with self._mutex:
            self._tops.add(top)
            if self._is_looking:
                return
            try:
                threading.Thread(target=self._look, name="alfine-left-containers", daemon=True).start()
            except RuntimeError as error:  # there can be no more threads at present: the next end or start looks
                logger.info("can't look for containers of training jobs that have ended: %s", error)
            else:
                self._is_looking = True

    def close(self) -> None:
        """Look no more."""
        self._over.set()

    def _look(self) -> None:
        told = ""
        while (top := self._next()) is not None:
            try:
                self._remove(top)
            except OSError as error:
                if str(error) != told:
                    logger.warning("containers of training jobs that have ended may be left: %s", error)
                told = str(error)
                self._over.wait(PAUSE_SECONDS)
            else:
                with self._mutex:
                    self._tops.discard(top)

    def _next(self) -> Path | None:
        with self._mutex:
            self._is_looking = bool(self._tops) and not self._over.is_set()
            return next(iter(self._tops)) if self._is_looking else None

    def _remove(self, top: Path) -> None:
        engine, reason = self._engine()
        if engine is None:
            raise OSError(reason)
        for container, folder in containers_of(engine, top):
            if has_ended(str(folder)) and not engine.tell("rm", "-f", container):
                raise OSError(f"{engine.command} didn't remove {container} of {folder.name}.")
        for network, folder in networks_of(engine, top):
            if has_ended(str(folder)) and not engine.tell("network", "rm", network):
                raise OSError(f"{engine.command} didn't remove the network {network} of {folder.name}.")
