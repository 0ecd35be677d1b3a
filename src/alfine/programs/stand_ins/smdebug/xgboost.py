"""A hook for XGBoost, which takes callbacks of its own class only."""

from typing import Any

import xgboost

from .silent import CollectionConfig, SaveConfig, SilentHook, get_collection, get_hook, modes

__all__ = ["CollectionConfig", "Hook", "SaveConfig", "get_collection", "get_hook", "modes"]

_Callback: Any = xgboost.callback.TrainingCallback


class Hook(SilentHook, _Callback):  # type: ignore[misc]  # the library may have no types here
    """A callback that lets every round pass."""

    def before_training(self, model: Any) -> Any:
        """Return the model."""
        return model

    def after_training(self, model: Any) -> Any:
        """Return the model."""
        return model

    def before_iteration(self, *_: Any) -> bool:
        """Return False: the training goes on."""
        return False

    def after_iteration(self, *_: Any) -> bool:
        """Return False: the training goes on."""
        return False
