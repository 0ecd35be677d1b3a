"""A stand-in for the older toolkit of SageMaker's containers."""

from importlib import import_module
from typing import Any


def training_env() -> Any:
    """Return the training job's environment."""
    return import_module("sagemaker_training.environment").Environment()


import_module("alfine_give_way").give_way(__name__)
