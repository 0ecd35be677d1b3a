"""Installing and importing the user's code. Here alfine has done both before the script starts."""

from importlib import import_module

__all__ = ["import_module"]
