"""Epochs: which claim of its tuning job a training job's machine has heard of last, so that an engine that lost the job does nothing more.

Each claim of a tuning job by another engine has a higher epoch. The highest one that was heard of lies in the training job's folder, since
another process may be the next to be asked.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from alfine.runners import launcher
from alfine.runners.launch import Launch
from alfine.runners.protocol import StaleEpoch

FILE = "epoch.json"
"""The file among the launcher's. The first epoch isn't written: there is no earlier one to be refused."""


class Epochs:
    """The highest epochs that were heard of, by training job.

    Args:
        root: Has a folder for each tuning job.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[tuple[str, str], int] = {}

    def hear(self, launch: Launch) -> None:
        """Take over the epoch of a launch, if it is a higher one."""
        if launch.epoch > self._known.get(launch.key, 1):
            self._known[launch.key] = launch.epoch
            if launch.epoch > self._written(launch):
                with suppress(FileNotFoundError):  # it has no folder yet: `Host.start` calls this again
                    launcher.write_json(self._path(launch), {"epoch": launch.epoch})
                    return
                del self._known[launch.key]

    def check(self, launch: Launch) -> None:
        """Take over the epoch of a launch, and refuse a lower one than was heard of. Without an epoch (0) nothing is refused.

        Raises:
            StaleEpoch: It is lower.
        """
        self.hear(launch)
        known = self._written(launch) if launch.epoch else 0
        if launch.epoch < known:
            raise StaleEpoch(
                f"{launch.name}: the engine of epoch {launch.epoch} no longer has its tuning job, which was claimed in epoch {known}."
            )

    def forget(self, launch: Launch) -> None:
        """Forget a training job that has ended."""
        self._known.pop(launch.key, None)

    def _path(self, launch: Launch) -> str:
        return launcher.control_path(str(self._root / launch.tuning_job / launch.name), FILE)

    def _written(self, launch: Launch) -> int:
        record = launcher.read_json(self._path(launch))
        return int((record or {}).get("epoch", 0))
