"""A stand-in for SageMaker Debugger: its hooks save nothing, and the training goes on as without them."""

from importlib import import_module

if not import_module("alfine_give_way").give_way(__name__):
    from .silent import CollectionConfig, ReductionConfig, SaveConfig, SaveConfigMode, modes

    __all__ = ["CollectionConfig", "ReductionConfig", "SaveConfig", "SaveConfigMode", "modes"]
