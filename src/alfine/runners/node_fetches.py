"""Fetches the code and the data of training jobs on their node, before they are started there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from alfine.runners.launch import Launch
from alfine.runners.node_cache import CacheLimits, NodeCache
from alfine.runners.storage.locations import S3_URI, Buckets

Inputs = Callable[[Launch, Path, Buckets | None], Launch]
"""Fetches what a launch names at s3:// URIs, and returns the launch with file:// URIs; it is given the folder of training jobs, too."""

FETCHES = "its node fetches its code and its data."
"""The reason why a training job doesn't run yet."""


def names_objects(launch: Launch) -> bool:
    """Return whether a launch names code or data that its node has to fetch."""
    return any(uri.startswith(S3_URI) for uri in (launch.source.uri if launch.source else "", *_uris(launch)))


def without_inputs(launch: Launch) -> Launch:
    """Return a launch for what needs no inputs: to observe and to stop it. One without anything to fetch stays as it is."""
    return replace(launch, source=None, channels=()) if names_objects(launch) else launch


def _uris(launch: Launch) -> tuple[str, ...]:
    return tuple(channel.uri for channel in launch.channels)


class Fetches:
    """Fetches inputs, for each training job in a thread.

    Args:
        inputs: Fetches them. None: nothing can be fetched.
        root: The folder for training jobs.
        buckets: Where s3:// URIs lead.
        news: Called when a training job was started, or can't be.
        limits: The limits of what is kept.
    """

    def __init__(
        self,
        inputs: Inputs | None,
        root: Path,
        buckets: Buckets | None,
        news: Callable[[str, str], None],
        limits: CacheLimits,
    ) -> None:
        self._inputs, self._root, self._buckets, self._news = inputs, root, buckets, news
        self.cache = NodeCache(root, limits)
        self._running: dict[tuple[str, str], threading.Thread] = {}
        self._troubles: dict[tuple[str, str], Exception] = {}
        self._mutex = threading.Lock()

    def begin(self, launch: Launch, start: Callable[[Launch], None]) -> None:
        """Fetch the inputs of a training job, and start it then; once, however often it is asked for.

        Args:
            launch: The training job.
            start: Starts it.

        Raises:
            ValueError: Nothing can be fetched here.
        """
        if self._inputs is None:
            raise ValueError(f"{launch.name} names code or data at s3:// URIs, which this node can't fetch.")
        with self._mutex:
            if launch.key not in self._running:
                self._troubles.pop(launch.key, None)
                arguments = (self._inputs, launch, start)
                self._running[launch.key] = threading.Thread(target=self._fetch, args=arguments, daemon=True)
                self._running[launch.key].start()

    def is_fetching(self, launch: Launch) -> bool:
        """Return whether the inputs of a training job are being fetched; raise what has kept them from it, once."""
        with self._mutex:
            trouble = self._troubles.pop(launch.key, None)
            if trouble is None:
                return launch.key in self._running
        raise trouble

    def _fetch(self, inputs: Inputs, launch: Launch, start: Callable[[Launch], None]) -> None:
        trouble: Exception | None = None
        try:
            with self.cache.using(launch.tuning_job):
                start(inputs(launch, self._root, self._buckets))
            self.cache.sweep_if_due()
        except Exception as error:  # noqa: BLE001 - whoever asks for the training job is told, and starts it again
            trouble = error
        with self._mutex:
            if trouble is not None:
                self._troubles[launch.key] = trouble
            del self._running[launch.key]
        self._news(launch.tuning_job, launch.name)
