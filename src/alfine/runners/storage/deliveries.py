"""Stores what training jobs leave, each in a thread of its own, so that a large model delays nobody else.

The end of a training job isn't told before its model and its checkpoints are stored: only then is it Completed. After a crash in
between, its end is observed again and the same is stored again.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from alfine.runners.ended_folders import note_stored
from alfine.runners.job_folder import Workspace
from alfine.runners.launch import Launch
from alfine.runners.log_files import note_in_log
from alfine.runners.protocol import FAILURE_LIMIT, News
from alfine.runners.shortages import is_shortage
from alfine.runners.storage import checkpoints
from alfine.runners.storage.artifacts import copy_log, deliver
from alfine.runners.storage.locations import Buckets, may_pass

log = logging.getLogger("alfine.runners.storage.deliveries")


@dataclass(slots=True)
class Delivery:
    """The delivery of what one training job left.

    Attributes:
        done: Whether it has ended. The attributes below hold from then on.
        stored: Whether there was a place to store something.
        trouble: Why the training job has failed because of it; "" where it hasn't.
        broken: An error that may pass, so that the delivery is to be tried again.
    """

    done: bool = False
    stored: bool = False
    trouble: str = ""
    broken: Exception | None = None


class Deliveries:
    """The deliveries that have begun, by training job. They go on when an engine reads its tuning job anew.

    Args:
        buckets: Where s3:// URIs lead. None: nowhere, so that nothing is stored.
        news: Called from a delivery's thread when it has ended.
    """

    def __init__(self, buckets: Buckets | None, news: News) -> None:
        self._buckets = buckets
        self._news = news
        self._begun: dict[tuple[str, str], Delivery] = {}

    def of(self, launch: Launch, space: Workspace) -> Delivery:
        """Return the delivery of a training job that has ended; it begins with the first call. A done one is forgotten by this.

        Args:
            launch: The training job.
            space: Its folder.

        Raises:
            OSError: There can be no more threads at present.
            Exception: The error because of which the next call begins it again.
        """
        delivery = self._begun.get(launch.key) or self._begin(launch, space)
        if delivery.done:
            self._begun.pop(launch.key, None)
            if delivery.broken is not None:
                raise delivery.broken
        return delivery

    def _begin(self, launch: Launch, space: Workspace) -> Delivery:
        delivery = Delivery()
        if self._buckets is None or not (launch.output_uri or launch.checkpoint_uri or launch.log_uri):
            delivery.done = True
            return delivery
        self._begun[launch.key] = delivery
        arguments = (self._buckets, delivery, launch, space)
        name = f"alfine-deliver-{launch.name}"
        try:
            threading.Thread(target=self._deliver, args=arguments, name=name, daemon=True).start()
        except RuntimeError as error:  # there can be no more threads at present
            del self._begun[launch.key]
            raise OSError(errno.EAGAIN, f"The upload of the model can't begin: {error}") from error
        return delivery

    def _deliver(self, buckets: Buckets, delivery: Delivery, launch: Launch, space: Workspace) -> None:
        def send() -> None:
            if launch.output_uri:
                deliver(buckets, launch.output_uri, space, packed=launch.model_packed)
                delivery.stored = True

        def save() -> None:
            if launch.checkpoint_uri:
                checkpoints.save(buckets, launch.checkpoint_uri, space, shared=launch.checkpoints_shared)

        try:
            steps: dict[str, Callable[[], None]] = {"Artifact": send, "Checkpoint": save}
            troubles = [trouble for what, step in steps.items() if (trouble := _trouble(what, step))]
            delivery.trouble = " ".join(troubles)[:FAILURE_LIMIT]
            if delivery.trouble:  # its FailureReason may be another one: that its script failed
                log.warning("training_job=%s: %s", launch.name, delivery.trouble)
                note_in_log(space.log, delivery.trouble)
            if launch.log_uri and _keep_log(buckets, launch, space) and not delivery.trouble:
                note_stored(space.folder)
        except Exception as error:  # noqa: BLE001 - `of` raises it in the thread of whoever asks
            delivery.broken = error
        delivery.done = True
        self._news(*launch.key)


def _keep_log(buckets: Buckets, launch: Launch, space: Workspace) -> bool:
    """Store the whole log, and return whether it is stored. A training job doesn't fail for want of this copy: its log lies on its machine."""
    try:
        copy_log(buckets, launch, space)
    except OSError as error:
        log.warning("training_job=%s: its log isn't copied to %s: %s", launch.name, launch.log_uri, error)
        return False
    return True


def _trouble(what: str, step: Callable[[], None]) -> str:
    """Store something, and return why that will never be possible; "" where it is stored. Raise what may pass."""
    try:
        step()
    except OSError as error:
        if may_pass(error) or is_shortage(error):
            raise
        return f"ClientError: {what} upload failed: {error}"
    return ""
