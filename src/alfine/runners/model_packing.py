"""Packing the models of training jobs that have ended: small ones at once, large ones in a thread."""

from __future__ import annotations

import logging
import threading

from alfine.runners.executor import names_of
from alfine.runners.job_folder import Workspace
from alfine.runners.packing import is_packed, is_small, pack_model
from alfine.runners.protocol import News
from alfine.runners.shortages import is_shortage

logger = logging.getLogger("alfine.runners")

PACK_AT_ONCE_BYTES = 1 << 20
"""Larger models are packed in a thread, so that the engine's poll doesn't wait for them."""


class ModelPacking:
    """Packs the model of each training job once, and keeps the error where that fails.

    Args:
        news: Called when a model has been packed, or can't be, in a thread.
    """

    def __init__(self, news: News) -> None:
        self._news = news
        self._mutex = threading.Lock()
        self._errors: dict[
            str, Exception | None
        ] = {}  # by folder, of those that aren't packed; None while that is tried

    def is_settled(self, space: Workspace) -> bool:
        """Pack the model, and return whether that is done or has failed.

        Raises:
            OSError: The machine is short of something: the disk is full, for example. The next call packs again.
        """
        folder = str(space.folder)
        with self._mutex:
            if is_packed(space):
                return True
            if folder in self._errors:
                return self._has_failed(folder)
            self._errors[folder] = None
        self._pack_or_begin(space)
        with self._mutex:
            return is_packed(space) or self._has_failed(folder)

    def take_error(self, space: Workspace) -> Exception | None:
        """Return why a model can't be packed, and forget it; None where it is packed."""
        with self._mutex:
            return self._errors.pop(str(space.folder), None)

    def _pack_or_begin(self, space: Workspace) -> None:
        try:
            if is_small(space, PACK_AT_ONCE_BYTES):
                self._pack(space)
            else:
                threading.Thread(target=self._pack_aside, args=(space,), name="alfine-pack", daemon=True).start()
        except (OSError, RuntimeError) as error:  # RuntimeError: there can be no more threads
            self._note(space, error)

    def _pack_aside(self, space: Workspace) -> None:
        self._pack(space)
        self._news(*names_of(space.folder))

    def _pack(self, space: Workspace) -> None:
        try:
            pack_model(space)
        except Exception as error:  # noqa: BLE001 - the training job fails with its text
            self._note(space, error)

    def _note(self, space: Workspace, error: Exception) -> None:
        logger.warning("%s: its model can't be packed: %s", space.folder, error)
        with self._mutex:
            self._errors[str(space.folder)] = error

    def _has_failed(self, folder: str) -> bool:
        """Return whether a model can't be packed; False while a thread packs it. A shortage is raised: the next call packs again."""
        error = self._errors[folder]
        if error is not None and is_shortage(error):
            del self._errors[folder]
            raise error
        return error is not None
