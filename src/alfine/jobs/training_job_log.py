"""Logs of training jobs, read through the runners: a log lies on the machine where its training job ran."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from alfine.core.arns import name_as_created
from alfine.core.errors import NotFound
from alfine.core.facts import is_terminal
from alfine.core.spec import DEFINITION, FUNCTION
from alfine.jobs.log_copies import LogCopies
from alfine.jobs.log_search import LogMatches, find_lines
from alfine.runners.job_folder import Workspace
from alfine.runners.launch import Launch
from alfine.runners.log_files import PART_BYTES, LogPart, start_of_last
from alfine.runners.protocol import LogPiece, Runner
from alfine.runners.storage.locations import Buckets
from alfine.store import queries
from alfine.store.records import TrainingJobRow
from alfine.store.store import Store

LOCAL = "process"
"""The runner that reads the logs of all training jobs of this machine: they lie in the same folders, whichever runner ran them."""


def workspace_of(folder: Path, row: TrainingJobRow) -> Workspace:
    """Return the folder of a training job that ran on this machine; `folder` holds those of all tuning jobs."""
    return Workspace(folder / name_as_created(row.tuning_job_name) / row.name)


class TrainingJobLogs:
    """Reads the logs of the training jobs of one store.

    Args:
        store: Where they are recorded.
        runners: Returns the runners, by name.
        buckets: Where s3:// URIs lead, and where copies of logs may be. None: nowhere.
    """

    def __init__(
        self, store: Store, runners: Callable[[], Mapping[str, Runner]], buckets: Buckets | None = None
    ) -> None:
        self._store = store
        self._runners = runners
        self._copies = LogCopies(store, buckets)

    def piece(self, row: TrainingJobRow, begin: int, most: int) -> LogPiece:
        """Return bytes of the log of a training job; none where it has no log. Arguments are those of `Runner.log`.

        A log that a node of a cluster has written into this home is read here, also while the cluster is away. Of a log on a machine that
        can't be asked the copy is read that was stored last, if there is one.

        Raises:
            NotFound: It lies on a machine that can't be asked at present, and no copy can be read.
            OSError: It can't be read here at present.
        """
        try:
            return self._piece(row, begin, most)
        except NotFound:
            copy = self._copies.piece(row, begin, most)
            if copy is None:
                raise
            return copy

    def _piece(self, row: TrainingJobRow, begin: int, most: int) -> LogPiece:
        launch = Launch(
            tuning_job=name_as_created(row.tuning_job_name),
            name=row.name,
            attempt=row.attempt,
            node=row.node,
            slot=row.slot,
        )
        runners = self._runners()
        runner = runners[row.runner or LOCAL]
        if not getattr(runner, "remote", False):
            return runner.log(launch, begin, most)
        here = runners[LOCAL].log(replace(launch, node=None, slot=None), begin, most)
        if here.size:
            return here
        try:
            piece = runner.log(launch, begin, most)
        except OSError as error:
            raise NotFound(f"The log of {row.name} can't be read at present: {error}.") from error
        if piece.is_gone and is_terminal(row.status):
            raise NotFound(
                f"The log of {row.name} is no longer on its node, which removes old folders of training jobs that have ended ([ray] "
                "ended_size and ended_age), and no copy of it can be read."
            )
        return piece

    def of(self, name: str, begin: int, most: int) -> LogPiece:
        """Return bytes of the log of the training job of that name: see `piece`.

        Args:
            name: The training job.
            begin: Where they begin.
            most: How many, at most.

        Raises:
            NotFound: There is no such training job.
            OSError: The log can't be read at present.
        """
        return self.piece(self._row(name), begin, most)

    def size(self, row: TrainingJobRow) -> int:
        """Return the size of a log in bytes; 0 where there is none, or nobody can tell at present."""
        try:
            return self.piece(row, 0, 0).size
        except NotFound:
            return 0

    def part(self, name: str, begin: int = 0, lines: int | None = None) -> LogPart:
        """Return a part of a training job's log.

        Args:
            name: The training job.
            begin: Where the part begins, in bytes.
            lines: How many of the last lines the part is instead, wherever it begins.

        Raises:
            NotFound: There is no such training job, or it has no log.
            OSError: The log can't be read at present.
        """
        row = self._row(name)
        if lines is not None:
            begin = start_of_last(io.BufferedReader(_LogFile(self, row)), lines)
        piece = self.piece(row, begin, PART_BYTES)
        if begin > piece.size:  # it was truncated since: go on at its new start
            piece = self.piece(row, 0, PART_BYTES)
        return LogPart(name, row.status, piece.path, piece.begin, piece.data, is_terminal(row.status))

    def search(self, name: str, text: str, begin: int = 0) -> LogMatches:
        """Return the lines of a training job's log that have a text: see `find_lines`.

        Args:
            name: The training job.
            text: The text.
            begin: Where the search begins, in bytes.

        Raises:
            NotFound: There is no such training job, or it has no log.
            OSError: The log can't be read at present.
        """
        return find_lines(partial(self.piece, self._row(name)), text, begin)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a training job's log, as far as it is now, piece by piece. Errors are those of `part`; they come before the first piece."""
        row = self._row(name)
        return self._pieces(row, self.piece(row, 0, 0).size)

    def _pieces(self, row: TrainingJobRow, size: int) -> Iterator[bytes]:
        begin = 0
        while begin < size and (data := self.piece(row, begin, min(PART_BYTES, size - begin)).data):
            yield data
            begin += len(data)

    def _row(self, name: str) -> TrainingJobRow:
        try:
            with self._store.reading() as connection:
                row, request = queries.training_job_and_request(connection, name)
        except NotFound as error:
            message = (
                f"There is no training job called {name}. `alfine training-jobs NAME` lists those of a tuning job."
            )
            raise NotFound(message) from error
        if FUNCTION in (request.get(DEFINITION, {}).get("StaticHyperParameters") or {}):
            raise NotFound(f"{name} ran a Python function in the process that called it, so it has no log of its own.")
        return row


class _LogFile(io.RawIOBase):
    """A log as a file that can be read and sought in."""

    def __init__(self, logs: TrainingJobLogs, row: TrainingJobRow) -> None:
        self._logs, self._row, self._at = logs, row, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        above = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}
        self._at = offset + (above[whence] if whence in above else self._logs.size(self._row))
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # RawIOBase takes any buffer
        data = self._logs.piece(self._row, self._at, len(buffer)).data
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
