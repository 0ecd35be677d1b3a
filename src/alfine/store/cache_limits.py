"""Limits of caches, as settings of alfine.toml name them: a size, and an age."""

from __future__ import annotations

from alfine.runners.node_cache import CacheLimits
from alfine.store.quantities import bytes_of, span_of


def cache_limits(size: str, age: str, setting: str) -> CacheLimits:
    """Return the limits that two settings name.

    Args:
        size: The size; "": any.
        age: The age; "": any.
        setting: What the names of both settings begin with, for errors.

    Raises:
        InvalidSpec: One of them can't be understood.
    """
    return CacheLimits(
        most_bytes=bytes_of(size, f"{setting}_size") if size else None,
        most_seconds=span_of(age, f"{setting}_age").total_seconds() if age else None,
    )
