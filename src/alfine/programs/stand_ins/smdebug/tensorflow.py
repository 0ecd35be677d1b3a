"""Hooks for TensorFlow. Keras takes callbacks of its own class only."""

import importlib.util
from typing import Any

from .silent import CollectionConfig, SaveConfig, SilentHook, get_collection, get_hook, modes

__all__ = [
    "CollectionConfig",
    "EstimatorHook",
    "KerasHook",
    "SaveConfig",
    "SessionHook",
    "get_collection",
    "get_hook",
    "modes",
]

_Callback: Any = object
if importlib.util.find_spec("tensorflow"):
    _Callback = importlib.import_module("tensorflow").keras.callbacks.Callback


class KerasHook(SilentHook, _Callback):  # type: ignore[misc]  # the library may have no types here
    """A callback without an effect."""

    def wrap_optimizer(self, optimizer: Any) -> Any:
        """Return the optimizer."""
        return optimizer


class SessionHook(SilentHook):
    """A hook of a session without an effect."""


class EstimatorHook(SessionHook):
    """A hook of an estimator without an effect."""
