"""Hooks for MXNet."""

from .silent import (
    CollectionConfig,
    ReductionConfig,
    SaveConfig,
    SaveConfigMode,
    get_collection,
    get_hook,
    modes,
)
from .silent import SilentHook as Hook

__all__ = [
    "CollectionConfig",
    "Hook",
    "ReductionConfig",
    "SaveConfig",
    "SaveConfigMode",
    "get_collection",
    "get_hook",
    "modes",
]
