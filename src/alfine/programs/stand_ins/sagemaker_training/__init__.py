"""A stand-in for the toolkit of SageMaker's containers: the training job's environment."""

from importlib import import_module

import_module("alfine_give_way").give_way(__name__)
