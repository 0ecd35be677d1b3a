"""alfine: hyperparameter tuning that knows when to stop.

How it works: facts are written to the store; the history is read from it; a pure function of the history decides; the
engine carries the decision out and writes the new facts. Everything else is an adapter around that.

To read the package, begin with core/ranges, core/space, core/spec, core/history, core/protocols and core/policy; then one file of
strategies, one of criteria, and jobs/engine.

The names below are the public ones. They are imported when they are first used, so that `import alfine` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from alfine._version import __version__

if TYPE_CHECKING:
    from alfine.api.compare import compare as compare
    from alfine.api.job import Job as Job
    from alfine.api.tune import attach as attach
    from alfine.api.tune import change as change
    from alfine.api.tune import tune as tune
    from alfine.api.tuner import Tuner as Tuner
    from alfine.core.errors import AlfineError as AlfineError
    from alfine.core.errors import InvalidSpec as InvalidSpec
    from alfine.core.errors import MissingExtra as MissingExtra
    from alfine.core.facts import Ended as Ended
    from alfine.core.facts import Launched as Launched
    from alfine.core.facts import Reported as Reported
    from alfine.core.facts import Started as Started
    from alfine.core.facts import StopAsked as StopAsked
    from alfine.core.history import History as History
    from alfine.core.ranges import Categorical as Categorical
    from alfine.core.ranges import Continuous as Continuous
    from alfine.core.ranges import Integer as Integer
    from alfine.core.training_job import TrainingJob as TrainingJob
    from alfine.core.verdict import Outlook as Outlook
    from alfine.core.verdict import Verdict as Verdict
    from alfine.criteria.combinations import AllOf as AllOf
    from alfine.criteria.combinations import AnyOf as AnyOf
    from alfine.criteria.combinations import AtLeast as AtLeast
    from alfine.criteria.convergence import ConvergenceDetected as ConvergenceDetected
    from alfine.criteria.deadline import Deadline as Deadline
    from alfine.criteria.marginal_value import MarginalValue as MarginalValue
    from alfine.criteria.max_cost import MaxCost as MaxCost
    from alfine.criteria.max_number_of_training_jobs import MaxNumberOfTrainingJobs as MaxNumberOfTrainingJobs
    from alfine.criteria.max_runtime_in_seconds import MaxRuntimeInSeconds as MaxRuntimeInSeconds
    from alfine.criteria.not_before import NotBefore as NotBefore
    from alfine.criteria.plateau import BestObjectiveNotImproving as BestObjectiveNotImproving
    from alfine.criteria.shadow import Shadow as Shadow
    from alfine.criteria.steady import Steady as Steady
    from alfine.criteria.target import TargetObjectiveMetricValue as TargetObjectiveMetricValue
    from alfine.figures.chart import Chart as Chart
    from alfine.figures.plots import Plots as Plots
    from alfine.integrations import callbacks as callbacks
    from alfine.integrations import optuna as optuna
    from alfine.integrations import raytune as raytune
    from alfine.integrations import sklearn as sklearn
    from alfine.jobs.home import Home as Home

_MODULES = {
    "AlfineError": "core.errors",
    "AllOf": "criteria.combinations",
    "AnyOf": "criteria.combinations",
    "AtLeast": "criteria.combinations",
    "BestObjectiveNotImproving": "criteria.plateau",
    "Categorical": "core.ranges",
    "Continuous": "core.ranges",
    "Chart": "figures.chart",
    "ConvergenceDetected": "criteria.convergence",
    "Deadline": "criteria.deadline",
    "Ended": "core.facts",
    "History": "core.history",
    "Home": "jobs.home",
    "Integer": "core.ranges",
    "InvalidSpec": "core.errors",
    "Job": "api.job",
    "Launched": "core.facts",
    "MarginalValue": "criteria.marginal_value",
    "MaxCost": "criteria.max_cost",
    "MaxNumberOfTrainingJobs": "criteria.max_number_of_training_jobs",
    "MaxRuntimeInSeconds": "criteria.max_runtime_in_seconds",
    "MissingExtra": "core.errors",
    "NotBefore": "criteria.not_before",
    "Outlook": "core.verdict",
    "Reported": "core.facts",
    "Plots": "figures.plots",
    "Shadow": "criteria.shadow",
    "Started": "core.facts",
    "Steady": "criteria.steady",
    "StopAsked": "core.facts",
    "TargetObjectiveMetricValue": "criteria.target",
    "TrainingJob": "core.training_job",
    "Tuner": "api.tuner",
    "Verdict": "core.verdict",
    "attach": "api.tune",
    "change": "api.tune",
    "compare": "api.compare",
    "tune": "api.tune",
}

_INTEGRATIONS = {
    "callbacks": "integrations.callbacks",
    "optuna": "integrations.optuna",
    "raytune": "integrations.raytune",
    "sklearn": "integrations.sklearn",
}
"""alfine inside of other tools: modules that import the tool, so that `from alfine import *` leaves them out."""

__all__ = [*_MODULES, "__version__"]  # noqa: PLE0604 - names, all of them


def __getattr__(name: str) -> Any:
    value: Any
    if name in _INTEGRATIONS:
        value = import_module(f"alfine.{_INTEGRATIONS[name]}")
    elif name in _MODULES:
        value = getattr(import_module(f"alfine.{_MODULES[name]}"), name)
    else:
        raise AttributeError(f"module 'alfine' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
