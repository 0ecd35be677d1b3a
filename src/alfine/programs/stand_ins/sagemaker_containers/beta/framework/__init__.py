"""The names that scripts import for training and, though nothing is hosted here, for hosting."""

from typing import Any

from ... import training_env

__all__ = ["content_types", "encoders", "env", "modules", "training_env", "transformer", "worker"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from importlib import import_module

        return import_module(f".{name}", __name__)
    raise AttributeError(name)
