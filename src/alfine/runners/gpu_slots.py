"""The record of which training job has which GPU: one for all processes of alfine that use a home.

The record is a file, written before a training job starts. So a restart of alfine finds what is taken, and several processes of alfine
never give one GPU twice. A training job keeps its GPUs until its end is written in its folder.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alfine.runners import launcher
from alfine.runners.supervision import has_ended, is_supervised, was_started

RECORD = "taken.json"
"""The file that says who has which GPU."""

LOCK = "lock"
"""Locked while the record is read and written."""

START_SECONDS = 60.0
"""Longest time, in seconds, between taking a GPU and the request to start: after it, whoever took the GPU must have died in between."""

FULL = 1.0
"""Share of a GPU that its training jobs may have together."""

ROUNDING = 1e-6
"""Shares that differ by less are equal: three times a third is a whole GPU."""


@dataclass(frozen=True, slots=True)
class Holding:
    """The GPUs that a training job has.

    Attributes:
        gpus: The GPUs.
        share: Its share of each: 1 for the whole of it.
        since: When it took them, in seconds since 1970.
    """

    gpus: tuple[str, ...]
    share: float
    since: float


class GpuSlots:
    """Gives the GPUs of a machine to training jobs: whole ones to one each, parts of one to as many as fit.

    Args:
        folder: The folder of the record, which is made if need be.
        gpus: All GPUs, as they are spelt in CUDA_VISIBLE_DEVICES.

    Example:
        >>> slots = GpuSlots(home / "gpus", ("0", "1"))
        >>> slots.take("/jobs/tuning/job-001", 0.5)
        ('0',)
        >>> slots.take("/jobs/tuning/job-002", 2)     # None: only one is free
    """

    def __init__(self, folder: Path, gpus: tuple[str, ...]) -> None:
        self._folder = folder
        self.gpus = gpus

    def take(self, job: str, count: float) -> tuple[str, ...] | None:
        """Return the GPUs of a training job, which takes them unless it has them already.

        Args:
            job: Its folder.
            count: How many it needs: a whole number, or a part of one, such as 0.5.

        Returns:
            The GPUs; None while too few are free.

        Raises:
            OSError: The record can't be written.
        """
        with self._locked():
            holdings = {
                held: holding for held, holding in self._read().items() if held == job or not _is_over(held, holding)
            }
            if job not in holdings:
                chosen = self._choose(holdings, count)
                if chosen is None:
                    return None
                holdings[job] = Holding(chosen, min(FULL, count), time.time())
                self._write(holdings)
            return holdings[job].gpus

    def release(self, job: str) -> bool:
        """Give back the GPUs of a training job, by its folder. Return whether it had any."""
        if job not in self._read():
            return False
        with self._locked():
            holdings = self._read()
            if holdings.pop(job, None) is not None:
                self._write(holdings)
        return True

    def of(self, job: str) -> tuple[str, ...] | None:
        """Return the GPUs of a training job, by its folder; None where it has none."""
        holding = self._read().get(job)
        return None if holding is None else holding.gpus

    def taken(self) -> dict[str, float]:
        """Return the share of each GPU that training jobs have."""
        return self._loads({job: holding for job, holding in self._read().items() if not _is_over(job, holding)})

    def free_words(self) -> str:
        """Return how much is free, for people: «1 of 2 GPUs is free»."""
        free = sum(load <= ROUNDING for load in self.taken().values())
        return f"{free} of {len(self.gpus)} {'is' if free == 1 else 'are'} free"

    def _choose(self, holdings: Mapping[str, Holding], count: float) -> tuple[str, ...] | None:
        """Return GPUs that are free, or the fullest one that has room for a part."""
        loads = self._loads(holdings)
        if count < FULL:
            fitting = [gpu for gpu in self.gpus if loads[gpu] + count <= FULL + ROUNDING]
            return (max(fitting, key=lambda gpu: loads[gpu]),) if fitting else None
        free = [gpu for gpu in self.gpus if loads[gpu] <= ROUNDING]
        return tuple(free[: round(count)]) if len(free) >= round(count) else None

    def _loads(self, holdings: Mapping[str, Holding]) -> dict[str, float]:
        loads = dict.fromkeys(self.gpus, 0.0)
        for holding in holdings.values():
            for gpu in holding.gpus:
                if gpu in loads:  # the list of GPUs may have changed since
                    loads[gpu] += holding.share
        return loads

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _read(self) -> dict[str, Holding]:
        record = launcher.read_json(str(self._folder / RECORD)) or {}
        return {
            job: Holding(tuple(holding["gpus"]), float(holding["share"]), float(holding["since"]))
            for job, holding in record.items()
        }

    def _write(self, holdings: Mapping[str, Holding]) -> None:
        plain = {
            job: {"gpus": list(holding.gpus), "share": holding.share, "since": holding.since}
            for job, holding in holdings.items()
        }
        launcher.write_json(str(self._folder / RECORD), plain)


def _is_over(job: str, holding: Holding) -> bool:
    """Return whether a training job needs its GPUs no more: it has ended, or will never start."""
    if has_ended(job):
        return True
    if was_started(job):
        return False
    if not Path(launcher.control_path(job, launcher.LAUNCH)).exists():
        return time.time() - holding.since > START_SECONDS
    return Path(launcher.control_path(job, launcher.STOP)).exists() and not is_supervised(job)
