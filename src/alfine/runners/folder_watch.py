"""Notices that something happened in the folders of training jobs, by one thread that asks the system for little."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alfine.runners.executor import names_of
from alfine.runners.protocol import News

BEAT_SECONDS = 0.2
"""Shortest time between two looks at all folders: so long a value of a metric waits at most while there are few."""

LONGEST_BEAT_SECONDS = 1.0
"""Longest time between two looks at all folders: so long a value waits at most on a machine with many."""

SHARE = 0.02
"""Share of one core that the looks may take before they become rarer."""

YOUNG_SECONDS = 0.05
"""A file that changed less than this time ago may change again without another time of change: it counts as changed once more."""


@dataclass(slots=True)
class _Watched:
    """One training job that is watched: paths, the state of their files at the last look, and what says whether it still runs."""

    paths: tuple[str, ...]
    state: object
    alive: Callable[[], bool] | None


class FolderWatch:
    """Calls for news when the files of a training job change.

    Args:
        news: Called from this watch's thread with the names of the tuning job and of the training job.
    """

    def __init__(self, news: News) -> None:
        self._news = news
        self._mutex = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._runs = False

    def watch(self, folder: Path | str, paths: tuple[str, ...], alive: Callable[[], bool] | None = None) -> None:
        """Watch a training job, or watch it otherwise than before.

        Args:
            folder: Its folder.
            paths: The files and folders whose change is news. No link is followed at the end of a path.
            alive: Returns whether it still runs, for one whose end changes no file. It isn't watched any more once that is False.
        """
        key = str(folder)
        with self._mutex:
            known = self._watched.get(key)
            if known is not None and known.paths == paths:
                known.alive = alive
                return
            self._watched[key] = _Watched(paths, None, alive)  # what changed since its files were read is news, too
            if self._runs:
                return
            self._runs = True
        try:
            threading.Thread(target=self._look_again_and_again, name="alfine-folders", daemon=True).start()
        except (
            RuntimeError
        ):  # there can be no more threads at present: whoever starts the next training job tries again
            self._runs = False

    def discard(self, folder: Path | str) -> None:
        """Watch a training job no more."""
        with self._mutex:
            self._watched.pop(str(folder), None)

    def close(self) -> None:
        """Watch nothing any more."""
        with self._mutex:
            self._watched.clear()

    def _look_again_and_again(self) -> None:
        while True:
            with self._mutex:
                watched = list(self._watched.items())
                self._runs = bool(watched)
                if not watched:
                    return
            began = time.thread_time()
            for folder, entry in watched:
                self._look(folder, entry)
            time.sleep(min(LONGEST_BEAT_SECONDS, max(BEAT_SECONDS, (time.thread_time() - began) / SHARE)))

    def _look(self, folder: str, entry: _Watched) -> None:
        state = _state(entry.paths)
        changed = state != entry.state
        entry.state = state
        if entry.alive is not None and not entry.alive():
            self.discard(folder)
            changed = True
        if changed:
            self._news(*names_of(folder))


def _state(paths: tuple[str, ...]) -> object:
    """Return what changes when one of the paths does; None where one changed so lately that a further change may not show."""
    states, now = [], time.time()
    for path in paths:
        try:
            status = os.lstat(path)
        except OSError:  # it isn't there yet, or any more
            states.append((0, 0))
            continue
        if now - status.st_mtime < YOUNG_SECONDS:
            states.append((time.monotonic_ns(), 0))
        else:
            states.append((status.st_mtime_ns, status.st_size))
    return states
