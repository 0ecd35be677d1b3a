"""Phases of a training."""

from ..silent import ModeKeys

__all__ = ["ModeKeys"]
