"""Hooks for MXNet: those for PyTorch."""

from .pytorch import *  # noqa: F403 - the same module by another name
