"""A stand-in for the code of SageMaker's XGBoost container."""

from importlib import import_module

import_module("alfine_give_way").give_way(__name__)
