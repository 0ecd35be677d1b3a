"""Callbacks that report a training to alfine and end it when told: under alfine.tune, with a Tuner, and in a script.

    def train(hp, report):
        model = xgboost.train(hp, data, 200, evals=[(valid, "valid")], callbacks=[alfine.callbacks.XGBoost(report, rounds=200)])

Each is imported when it's first used, since it needs its framework. `Reporter` needs none: it's for loops of your own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from alfine.integrations.reporter import Reporter

if TYPE_CHECKING:
    from alfine.integrations.catboost import CatBoost
    from alfine.integrations.huggingface import HuggingFace
    from alfine.integrations.keras import Keras
    from alfine.integrations.lightgbm import LightGBM
    from alfine.integrations.lightning import Lightning
    from alfine.integrations.xgboost import XGBoost

_FRAMEWORKS = {
    "CatBoost": "catboost",
    "HuggingFace": "huggingface",
    "Keras": "keras",
    "LightGBM": "lightgbm",
    "Lightning": "lightning",
    "XGBoost": "xgboost",
}

__all__ = ["CatBoost", "HuggingFace", "Keras", "LightGBM", "Lightning", "Reporter", "XGBoost"]


def __getattr__(name: str) -> Any:
    if name not in _FRAMEWORKS:
        raise AttributeError(f"module 'alfine.callbacks' has no attribute {name!r}. It has {', '.join(__all__)}.")
    value = getattr(import_module(f"alfine.integrations.{_FRAMEWORKS[name]}"), name)
    globals()[name] = value
    return value
