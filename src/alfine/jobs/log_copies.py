"""Copies of logs beside the outputs of training jobs, for when the machine that has a log is away or lost."""

from __future__ import annotations

import logging
from pathlib import Path

from alfine.runners.log_files import piece_of
from alfine.runners.protocol import LogPiece
from alfine.runners.storage.artifacts import log_copy
from alfine.runners.storage.locations import Buckets, local
from alfine.store.records import TrainingJobRow
from alfine.store.store import Store

log = logging.getLogger("alfine.jobs.log_copies")


class LogCopies:
    """Reads the copies that hosts store (`Launch.log_uri`).

    Args:
        store: Where the training jobs are recorded.
        buckets: Where s3:// URIs lead. None: nowhere.
    """

    def __init__(self, store: Store, buckets: Buckets | None) -> None:
        self._store = store
        self._buckets = buckets

    def piece(self, row: TrainingJobRow, begin: int, most: int) -> LogPiece | None:
        """Return bytes of the copy of a training job's log; None where there is none to be read. Arguments are those of `Runner.log`."""
        spec = self._store.get(row.tuning_job_name).spec().of(row.definition)
        uri = log_copy(spec.definition.output_path, row.name, row.attempt)
        try:
            path = self._file(uri) if uri else None
        except OSError as error:  # whoever reads is told where the log itself lies
            log.warning("the copy of the log of %s can't be read at %s: %s", row.name, uri, error)
            return None
        return None if path is None else piece_of(path, begin, most)

    def _file(self, uri: str) -> Path | None:
        path = local(uri)
        if path is not None:
            return path if path.exists() else None
        if self._buckets is None:
            return None
        return next((self._buckets.file(stored) for stored in self._buckets.find(uri) if stored.uri == uri), None)
