"""Copies of what running training jobs have so far, stored now and then: their checkpoints, and on other machines their logs.

So a training job that is lost with its machine goes on from a checkpoint that is a minute old at most, and its log can be read.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from alfine.runners.job_folder import Workspace
from alfine.runners.launch import Launch
from alfine.runners.log_files import log_size
from alfine.runners.storage.artifacts import copy_log
from alfine.runners.storage.checkpoints import Versions, save_changed
from alfine.runners.storage.locations import Buckets

log = logging.getLogger("alfine.runners.storage.copies")

CHECKPOINT_SECONDS = 60.0
"""Time between two looks at the checkpoints of a running training job."""

LOG_SECONDS = 30.0
"""Time between two copies of the log of a running training job."""


@dataclass(slots=True)
class _Copied:
    """A training job whose checkpoints or log are copied, and what was copied last."""

    launch: Launch
    space: Workspace
    checkpoints_at: float
    log_at: float
    stored: Versions = field(default_factory=dict)
    log_bytes: int = 0
    mutex: threading.Lock = field(default_factory=threading.Lock)


class Copies:
    """Copies what running training jobs have, by one thread, which runs while there are any.

    Args:
        buckets: Where s3:// URIs lead. None: nowhere, so that nothing is copied.
        clock: Returns monotonic seconds.
    """

    def __init__(self, buckets: Buckets | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets = buckets
        self._clock = clock
        self._copied: dict[tuple[str, str], _Copied] = {}
        self._mutex = threading.Lock()
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, launch: Launch, space: Workspace) -> None:
        """Copy what a training job has, from now on until `forget`. It may be called again."""
        if self._buckets is None or not (launch.checkpoint_uri or launch.log_uri) or launch.key in self._copied:
            return
        now = self._clock()
        with self._mutex:
            self._copied[launch.key] = _Copied(launch, space, now + CHECKPOINT_SECONDS, now + LOG_SECONDS)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="alfine-copies", daemon=True)
                self._thread.start()
        self._changed.set()  # it may be due before the others

    def forget(self, launch: Launch) -> None:
        """Copy nothing more of a training job. When this returns, no copy is under way; the last ones are deliveries (deliveries.py)."""
        with self._mutex:
            copied = self._copied.pop(launch.key, None)
        if copied is not None:
            with copied.mutex:
                pass  # the thread may be about to end a copy

    def close(self) -> None:
        """Copy nothing more."""
        with self._mutex:
            self._copied.clear()
        self._changed.set()

    def copy_due(self) -> None:
        """Copy what is due by now."""
        for copied in list(self._copied.values()):
            with copied.mutex:
                if self._copied.get(copied.launch.key) is copied:
                    self._copy_checkpoints(copied)
                    self._copy_log(copied)

    def _run(self) -> None:
        while True:
            with self._mutex:
                if not self._copied:
                    self._thread = None
                    return
                due = min(min(copied.checkpoints_at, copied.log_at) for copied in self._copied.values())
            self._changed.wait(max(0.0, due - self._clock()))
            self._changed.clear()
            self.copy_due()

    def _copy_checkpoints(self, copied: _Copied) -> None:
        launch = copied.launch
        if self._clock() < copied.checkpoints_at:
            return
        if launch.checkpoint_uri and self._buckets is not None:
            try:
                save_changed(self._buckets, launch.checkpoint_uri, copied.space, copied.stored)
            except Exception as error:  # noqa: BLE001 - they are copied again in a minute, and when the training job has ended
                log.warning("training_job=%s: its checkpoints can't be copied yet: %s", launch.name, error)
        copied.checkpoints_at = self._clock() + CHECKPOINT_SECONDS

    def _copy_log(self, copied: _Copied) -> None:
        launch = copied.launch
        if self._clock() < copied.log_at:
            return
        size = log_size(copied.space.log)
        if launch.log_uri and self._buckets is not None and size != copied.log_bytes:
            try:
                copy_log(self._buckets, launch, copied.space)
                copied.log_bytes = size
            except Exception as error:  # noqa: BLE001 - it is copied again in half a minute, and when the training job has ended
                log.warning("training_job=%s: its log can't be copied yet: %s", launch.name, error)
        copied.log_at = self._clock() + LOG_SECONDS
