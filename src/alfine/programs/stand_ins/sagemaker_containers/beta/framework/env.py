"""The training job's environment."""

from ... import training_env

__all__ = ["training_env"]
