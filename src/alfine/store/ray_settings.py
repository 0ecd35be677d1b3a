"""The table [ray] of alfine.toml: the cluster on which training jobs run, and what an instance of each type is there."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.runners.node_cache import ANY, CacheLimits
from alfine.runners.on_ray.messages import ClusterSettings
from alfine.runners.on_ray.shapes import LOCAL, Shape
from alfine.store.cache_limits import cache_limits
from alfine.store.home_files import JOBS

UNITS = {"": 1} | {
    f"{prefix}{ending}": base**power
    for power, prefix in enumerate("KMGT", 1)
    for ending, base in (("iB", 1024), ("B", 1000))
}
"""Bytes of the units in which memory may be given."""

MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")
"""The form of an amount of memory: «16GiB»."""

KEYS = ("cpus", "gpus", "memory", "resources")
"""Keys of the table of an instance type."""


@dataclass(frozen=True, kw_only=True)
class Ray:
    """The table [ray]: a Ray cluster for training jobs (runner «ray»).

    Attributes:
        address: The cluster's address: «10.0.0.5:6379» on a machine of the cluster, «ray://10.0.0.5:10001» from outside. Empty:
            there is none, and no training job runs on Ray.
        namespace: The namespace of its actors. Two homes may share one.
        folder: The folder on each node in which training jobs have theirs. Empty: this home's folder, which all nodes share.
        shared_home: Whether every node sees this home's folder, and the files that jobs name, at the same paths. False: nodes fetch code
            and data from s3:// by themselves; that needs `folder`, and `[s3] endpoint`.
        pending_seconds: How long a training job may wait for its resources before it fails.
        leash_seconds: A training job is taken for lost when nobody could ask its node for this time; the node ends it then, too.
        keep_seconds: How long a slot without a training job keeps its resources, unless KeepAlivePeriodInSeconds says otherwise.
        cache_size: The size, such as "100 GB", that a node keeps of fetched code and data for later training jobs; "": any.
        cache_age: The age, such as "30d", up to which it keeps what wasn't used; "": any.
        ended_size: The size that a node keeps of folders of training jobs that have ended and are stored elsewhere; "": any.
        ended_age: The age up to which it keeps folders of training jobs that have ended; "": any. Those with the only copy of a model, an
            output or checkpoints stay.
        instances: The resources of an instance, by instance type: cpus, gpus, memory, resources.

    Raises:
        InvalidSpec: A value can't be understood.
    """

    address: str = ""
    namespace: str = "alfine"
    folder: str = ""
    shared_home: bool = True
    pending_seconds: float = 86400.0
    leash_seconds: float = 600.0
    keep_seconds: float = 60.0
    cache_size: str = "100 GB"
    cache_age: str = "30d"
    ended_size: str = "100 GB"
    ended_age: str = "30d"
    instances: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = [
            Fault(f"[ray] {name}", f"{amount!r} must be a number of seconds above 0.")
            for name, amount in (("pending_seconds", self.pending_seconds), ("leash_seconds", self.leash_seconds))
            if not 0 < amount < math.inf
        ]
        if not 0 <= self.keep_seconds < math.inf:
            faults.append(Fault("[ray] keep_seconds", f"{self.keep_seconds!r} must be a number of seconds from 0 on."))
        if not self.shared_home and not self.folder:
            message = "is empty, but with shared_home = false each node needs a folder of its own for training jobs."
            faults.append(Fault("[ray] folder", message))
        for limits in ("limits", "ended_limits"):
            try:
                getattr(self, limits)
            except InvalidSpec as error:
                faults += error.faults
        for name, table in self.instances.items():
            faults += _instance_faults(table, f'[ray.instances."{name}"]')
        if faults:
            raise InvalidSpec(faults)

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The resources of each instance type, with «local»: one CPU, unless the settings say otherwise."""
        return {LOCAL: Shape(), **{name: _shape(table) for name, table in self.instances.items()}}

    @cached_property
    def limits(self) -> CacheLimits:
        """The limits of what a node keeps of fetched code and data."""
        return cache_limits(self.cache_size, self.cache_age, "[ray] cache")

    @cached_property
    def ended_limits(self) -> CacheLimits:
        """The limits of what a node keeps of folders of training jobs that have ended."""
        return cache_limits(self.ended_size, self.ended_age, "[ray] ended")

    def cluster(self, home: Path, records: str = "") -> ClusterSettings:
        """Return what the process that talks to Ray needs to know.

        Args:
            home: The folder that is used where `folder` is empty. Then [retention] says what is removed there, and nodes remove nothing.
            records: Identifies the database of the home.
        """
        jobs = home.absolute() / JOBS
        is_apart = bool(self.folder) and Path(os.path.expandvars(self.folder)).expanduser() != jobs
        return ClusterSettings(
            address=self.address,
            namespace=self.namespace,
            folder=self.folder or str(jobs),
            pending_seconds=self.pending_seconds,
            keep_seconds=self.keep_seconds,
            limits=ANY if self.shared_home else self.limits,
            ended_limits=self.ended_limits if is_apart else ANY,
            records=records,
        )


def _shape(table: dict[str, Any]) -> Shape:
    own = table.get("resources", {})
    return Shape(
        cpus=float(table.get("cpus", 1)),
        gpus=float(table.get("gpus", 0)),
        memory=_bytes(table.get("memory", 0)) or 0,
        resources=tuple(sorted((name, float(amount)) for name, amount in own.items())),
    )


def _instance_faults(table: Any, where: str) -> Iterator[Fault]:
    if not isinstance(table, dict):
        yield Fault(where, f"{table!r} must be a table with {', '.join(KEYS)}.")
        return
    yield from (Fault(where, f"there is no {key!r} here. Use {', '.join(KEYS)}.") for key in table if key not in KEYS)
    own = table.get("resources", {})
    if not isinstance(own, dict):
        yield Fault(f"{where} resources", f"{own!r} must be a table of numbers.")
        own = {}
    for name, amount in [*((name, table[name]) for name in ("cpus", "gpus") if name in table), *own.items()]:
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < math.inf:
            yield Fault(f"{where} {name}", f"{amount!r} must be a number from 0 on.")
    if "memory" in table and _bytes(table["memory"]) is None:
        yield Fault(f"{where} memory", f"{table['memory']!r} must be as «16GiB», or a number of bytes.")


def _bytes(given: Any) -> int | None:
    if isinstance(given, int) and not isinstance(given, bool):
        return given if given >= 0 else None
    match = MEMORY.fullmatch(given) if isinstance(given, str) else None
    return int(float(match[1]) * UNITS[match[2]]) if match and match[2] in UNITS else None
