"""The searches that are compared, all behind `ask() -> (handle, configuration)` and `tell(handle, value)`; values are minimised.

alfine's are asked through what its engine asks them through: a spec, a history of facts, a strategy. The peers are used as
their documentation says for mixed spaces, with their own defaults and a seed; packages are imported when a search begins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tasks import from_unit

Configuration = dict[str, Any]


class Alfine:
    strategy = "Bayesian"

    def __init__(self, space, seed, jobs, parallel):
        from datetime import UTC, datetime

        from alfine.core.history import History
        from alfine.core.spec import TuningJobSpec
        from alfine.job_request import job_request
        from alfine.strategies import strategy_for

        self.choices = {p["name"]: {str(c): c for c in p["choices"]} for p in space if p["type"] == "cat"}
        request = job_request(
            name="search", space={p["name"]: _range(p) for p in space}, goal="Minimize", metric="loss", strategy=self.strategy,
            max_training_jobs=jobs, max_parallel=parallel, seed=seed,
        )  # fmt: skip
        self.spec = TuningJobSpec.from_request(request)
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.history = History(self.spec, self.now)
        self.asked = strategy_for(self.spec)

    def ask(self):
        from alfine.core.history import Launched

        suggestion = self.asked.ask(self.history)
        if suggestion is None:
            return None, None
        number = self.history.launches + 1
        self.history.record(
            Launched(at=self.now, number=number, name=str(number), hyperparameters=suggestion.hyperparameters)
        )
        own = {k: self.choices[k][str(v)] if k in self.choices else v for k, v in suggestion.hyperparameters.items()}
        return number, own

    def tell(self, handle, value):
        from alfine.core.history import Ended

        self.history.record(Ended(at=self.now, number=handle, status="Completed", objective=float(value)))


def _range(p):
    from alfine import Categorical, Continuous, Integer

    if p["type"] == "cat":
        return Categorical([str(c) for c in p["choices"]])
    kind = Integer if p["type"] == "int" else Continuous
    return kind(p["low"], p["high"], scaling="Logarithmic" if p["log"] else "Linear")


class AlfineRandom(Alfine):
    strategy = "Random"


class Uniform:
    """Random search that owes nothing to anyone."""

    def __init__(self, space, seed, jobs, parallel):
        self.space, self.rng = space, np.random.default_rng(seed)

    def ask(self):
        return None, from_unit(self.space, self.rng.random(len(self.space)))

    def tell(self, handle, value):
        pass


class Optuna:
    """`options` go to the sampler; its own defaults are Optuna's."""

    sampler, options = "TPESampler", {}

    def __init__(self, space, seed, jobs, parallel):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        self.study = optuna.create_study(sampler=getattr(optuna.samplers, self.sampler)(seed=seed, **self.options))

    def ask(self):
        trial, configuration = self.study.ask(), {}
        for p in self.space:
            if p["type"] == "cat":
                configuration[p["name"]] = trial.suggest_categorical(p["name"], p["choices"])
            else:
                suggest = trial.suggest_int if p["type"] == "int" else trial.suggest_float
                configuration[p["name"]] = suggest(p["name"], p["low"], p["high"], log=p["log"])
        return trial, configuration

    def tell(self, handle, value):
        self.study.tell(handle, value)


class OptunaGP(Optuna):
    sampler, options = "GPSampler", {"deterministic_objective": False}


class ScikitOptimize:
    def __init__(self, space, seed, jobs, parallel):
        from skopt import Optimizer
        from skopt import space as ranges

        self.space = space
        kinds = {"cat": lambda p: ranges.Categorical([str(c) for c in p["choices"]]),
                 "int": lambda p: ranges.Integer(p["low"], p["high"], prior="log-uniform" if p["log"] else "uniform"),
                 "float": lambda p: ranges.Real(p["low"], p["high"], prior="log-uniform" if p["log"] else "uniform")}  # fmt: skip
        self.optimizer = Optimizer([kinds[p["type"]](p) for p in space], base_estimator="GP", random_state=seed)

    def ask(self):
        point = self.optimizer.ask()
        named = zip(self.space, point, strict=True)
        return point, {
            p["name"]: {str(c): c for c in p["choices"]}[v]
            if p["type"] == "cat"
            else v.item()
            if hasattr(v, "item")
            else v
            for p, v in named
        }

    def tell(self, handle, value):
        self.optimizer.tell(handle, value)


class Smac:
    def __init__(self, space, seed, jobs, parallel):
        import logging
        import tempfile
        from pathlib import Path

        import ConfigSpace as C
        from smac import HyperparameterOptimizationFacade as Facade
        from smac import Scenario

        logging.disable(logging.CRITICAL)
        self.space, self.seed = space, seed
        made = C.ConfigurationSpace(seed=seed)
        for p in space:
            if p["type"] == "cat":
                made.add(C.CategoricalHyperparameter(p["name"], [str(c) for c in p["choices"]]))
            else:
                kind = C.UniformIntegerHyperparameter if p["type"] == "int" else C.UniformFloatHyperparameter
                made.add(kind(p["name"], p["low"], p["high"], log=p["log"]))
        scenario = Scenario(
            made, n_trials=jobs, deterministic=True, seed=seed, output_directory=Path(tempfile.mkdtemp())
        )
        self.facade = Facade(scenario, lambda config, seed=0: 0.0, overwrite=True, logging_level=False)

    def ask(self):
        trial = self.facade.ask()
        given = dict(trial.config)
        return trial, {
            p["name"]: {str(c): c for c in p["choices"]}[given[p["name"]]] if p["type"] == "cat" else given[p["name"]]
            for p in self.space
        }

    def tell(self, handle, value):
        from smac.runhistory.dataclasses import TrialValue

        self.facade.tell(handle, TrialValue(cost=float(value)))


CONTESTANTS = {
    "alfine Bayesian": Alfine,
    "alfine Random": AlfineRandom,
    "uniform": Uniform,
    "Optuna TPE": Optuna,
    "Optuna GP": OptunaGP,
    "scikit-optimize GP": ScikitOptimize,
    "SMAC3": Smac,
}
