"""The buckets of a home: alfine's own in its folder, or a real S3."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from alfine.runners.node_cache import ANY, BUCKETS, CacheLimits
from alfine.runners.storage.locations import Stored
from alfine.store.config import S3

if TYPE_CHECKING:
    from alfine.programs.data.buckets.local_buckets import LocalBuckets
    from alfine.runners.storage.remote_buckets import RemoteBuckets


def node_buckets(folder: str, settings: S3) -> HomeBuckets:
    """Return the buckets behind an endpoint, on a node that doesn't see the home.

    Args:
        folder: The folder of the node's training jobs. Variables in it are those of the node.
        settings: The service.
    """
    return HomeBuckets(Path(os.path.expandvars(folder)).expanduser() / BUCKETS, settings)


class HomeBuckets:
    """The buckets of a home, in its folder or behind an endpoint; opened when a job first names one, which most never do.

    Args:
        folder: The home's folder.
        settings: The service.
        limits: The limits of the objects that are downloaded into the home.
    """

    def __init__(self, folder: Path, settings: S3, limits: CacheLimits = ANY) -> None:
        self._folder = folder
        self._settings = settings
        self._limits = limits
        self.roots: tuple[Path, ...] = ()

    @property
    def place(self) -> str:
        return self._store.place

    @cached_property
    def _store(self) -> LocalBuckets | RemoteBuckets:
        if self._settings.endpoint:
            from alfine.runners.storage.remote_buckets import RemoteBuckets

            return RemoteBuckets(self._settings, self._folder / "cache" / "s3", limits=self._limits)
        from alfine.programs.data.buckets.bucket_store import BucketStore
        from alfine.programs.data.buckets.local_buckets import LocalBuckets

        return LocalBuckets(BucketStore(self._folder / "buckets"))

    def find(self, uri: str) -> list[Stored]:
        return self._store.find(uri)

    def file(self, stored: Stored) -> Path:
        return self._store.file(stored)

    def refusal(self, uri: str) -> str | None:
        return self._store.refusal(uri)

    def put(self, uri: str, file: BinaryIO) -> None:
        self._store.put(uri, file)

    def remove(self, uri: str) -> None:
        self._store.remove(uri)
