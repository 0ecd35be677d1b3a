"""Stores what training jobs leave, each in a thread of its own, so that a large model delays nobody else.

The end of a training job isn't recorded before its model and its checkpoints are stored: only then is it Completed. After a crash in
between, its end is observed again and the same is stored again.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alfine.core.spec import TuningJobSpec
from alfine.programs.data import checkpoints
from alfine.programs.data.artifacts import artifact, deliver
from alfine.programs.data.locations import Buckets, may_pass
from alfine.runners.job_folder import Workspace
from alfine.runners.log_files import note_in_log
from alfine.runners.protocol import FAILURE_LIMIT, News, Observation, names_of
from alfine.runners.shortages import is_shortage

log = logging.getLogger("alfine.programs.data.uploads")


@dataclass(slots=True)
class ArtifactUpload:
    """The upload of what one training job left.

    Attributes:
        seen: The observation of the training job's end.
        done: Whether it has ended. The attributes below hold from then on.
        sent: Whether there was a place to store something.
        trouble: Why the training job has failed because of the upload; "" where it hasn't.
        broken: An error that may pass, so that the upload is to be tried again.
    """

    seen: Observation
    done: bool = False
    sent: bool = False
    trouble: str = ""
    broken: Exception | None = None


class ArtifactUploads:
    """The uploads that have begun, by the training job's folder. They go on when the engine reads a tuning job anew.

    Args:
        buckets: Where s3:// URIs lead.
        news: Called from the upload's thread when it has ended.
    """

    def __init__(self, buckets: Buckets | None, news: News) -> None:
        self._buckets = buckets
        self._news = news
        self._begun: dict[Path, ArtifactUpload] = {}

    def of(self, folder: Path) -> ArtifactUpload | None:
        """Return the upload of the training job in a folder, or None where none has begun."""
        return self._begun.get(folder)

    def begin(self, spec: TuningJobSpec, name: str, folder: Path, seen: Observation) -> ArtifactUpload:
        """Begin to store what a training job left. Where nothing is to be stored, the upload is done at once.

        Args:
            spec: The specification of its definition.
            name: Its name.
            folder: Its folder.
            seen: The observation of its end.
        """
        upload = self._begun[folder] = ArtifactUpload(seen)
        definition = spec.definition
        place = checkpoints.place_of(spec, name)
        model = artifact(definition.output_path, name, packed=definition.packs_model)
        if self._buckets is None or (place is None and model is None):
            upload.done = True
            return upload
        arguments = (upload, spec, name, Workspace(folder))
        try:
            threading.Thread(target=self._deliver, args=arguments, name=f"alfine-deliver-{name}", daemon=True).start()
        except RuntimeError as error:  # there can be no more threads at present
            del self._begun[folder]
            raise OSError(errno.EAGAIN, f"The upload of the model can't begin: {error}") from error
        return upload

    def settle(self, folder: Path) -> None:
        """Forget an upload that is done.

        Raises:
            Exception: The error because of which the upload is to be tried again.
        """
        upload = self._begun.pop(folder)
        if upload.broken is not None:
            raise upload.broken

    def discard(self, folder: Path) -> None:
        """Forget the upload of the training job in a folder, whether it is done or not."""
        self._begun.pop(folder, None)

    def forget(self, folder: Path) -> None:
        """Forget the uploads of a tuning job's training jobs; folder: that of the tuning job."""
        for begun in [begun for begun in list(self._begun) if begun.parent == folder]:
            self.discard(begun)

    def _deliver(self, upload: ArtifactUpload, spec: TuningJobSpec, name: str, space: Workspace) -> None:
        definition, place = spec.definition, checkpoints.place_of(spec, name)

        def send() -> None:
            upload.sent = deliver(self._buckets, definition.output_path, name, space, packed=definition.packs_model)

        steps = {"Artifact": send, "Checkpoint": lambda: checkpoints.save(self._buckets, place, space)}
        try:
            troubles = [trouble for what, step in steps.items() if (trouble := _trouble(what, step))]
        except Exception as error:  # noqa: BLE001 - `settle` raises it in the engine's thread
            upload.broken = error
        else:
            upload.trouble = " ".join(troubles)[:FAILURE_LIMIT]
        if upload.trouble:  # its FailureReason may be another one: that its script failed
            log.warning("training_job=%s: %s", name, upload.trouble)
            note_in_log(space.log, upload.trouble)
        upload.done = True
        self._news(*names_of(space.folder))


def _trouble(what: str, step: Callable[[], None]) -> str:
    """Store something, and return why that will never be possible; "" where it is stored. Raise what may pass."""
    try:
        step()
    except OSError as error:
        if may_pass(error) or is_shortage(error):
            raise
        return f"ClientError: {what} upload failed: {error}"
    return ""
