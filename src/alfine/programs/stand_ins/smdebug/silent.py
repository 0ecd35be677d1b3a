"""Hooks that save nothing, and what they are configured with."""

from enum import Enum
from typing import Any


class ModeKeys(Enum):
    """Phases of a training."""

    TRAIN = 1
    EVAL = 2
    PREDICT = 3
    GLOBAL = 4


modes = ModeKeys


class SilentHook:
    """A hook: each of its methods returns its first argument, as `wrap_optimizer` must, and does nothing else."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    @classmethod
    def create_from_json_file(cls, *_: Any, **__: Any) -> Any:
        """Return a hook, without looking for a configuration."""
        return cls()

    hook_from_config = create_from_json_file

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _first


def _first(*given: Any, **_: Any) -> Any:
    return given[0] if given else None


class _Configuration:
    """Takes any settings, and has no effect."""

    def __init__(self, *_: Any, **settings: Any) -> None:
        self.__dict__.update(settings)


class SaveConfig(_Configuration):
    """The times at which a hook would save."""


class SaveConfigMode(_Configuration):
    """The times at which a hook would save in one phase."""


class ReductionConfig(_Configuration):
    """The values of a tensor that a hook would save."""


class CollectionConfig(_Configuration):
    """The tensors that a hook would save."""


def get_hook(*_: Any, **__: Any) -> SilentHook:
    """Return a hook: some scripts don't check whether there is one."""
    return SilentHook()


def get_collection(*_: Any, **__: Any) -> SilentHook:
    """Return a collection that takes everything and keeps nothing."""
    return SilentHook()
