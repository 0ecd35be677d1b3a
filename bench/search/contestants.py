"""The searches that are compared, all behind `ask() -> (handle, configuration)` and `tell(handle, value)`; values are minimised.

alfine's are asked through what its engine asks them through: a spec, a history of facts, a strategy. The peers are used as
their documentation says for mixed spaces, with their own defaults and a seed; packages are imported when a search begins.
Those whose time grows with what they know also have `observe(configurations, values)`: results from elsewhere, in a space of
numbers alone (speed.py).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from tasks import from_unit, to_unit

Configuration = dict[str, Any]


class Alfine:
    strategy = "Bayesian"

    def __init__(self, space, seed, jobs, parallel):
        from datetime import UTC, datetime

        from alfine.api.job_words import job_request
        from alfine.core.history import History
        from alfine.core.read_spec import read_spec
        from alfine.strategies import strategy_for

        self.choices = {p["name"]: {str(c): c for c in p["choices"]} for p in space if p["type"] == "cat"}
        request = job_request(
            name="search", space={p["name"]: _range(p) for p in space}, goal="Minimize", metric="loss", strategy=self.strategy,
            max_training_jobs=jobs, max_parallel=parallel, seed=seed,
        )  # fmt: skip
        self.spec = read_spec(request)
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.history = History(self.spec, self.now)
        self.asked = strategy_for(self.spec)

    def ask(self):
        from alfine.core.facts import Launched

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
        from alfine.core.facts import Ended

        self.history.record(Ended(at=self.now, number=handle, status="Completed", objective=float(value)))

    def observe(self, configurations, values):
        from alfine.core.facts import Launched

        for configuration, value in zip(configurations, values, strict=True):
            number = self.history.launches + 1
            self.history.record(Launched(at=self.now, number=number, name=str(number), hyperparameters=configuration))
            self.tell(number, value)


def _range(p):
    from alfine import Categorical, Continuous, Integer

    if p["type"] == "cat":
        return Categorical([str(c) for c in p["choices"]])
    kind = Integer if p["type"] == "int" else Continuous
    return kind(p["low"], p["high"], scaling="Logarithmic" if p["log"] else "Linear")


class AlfineRandom(Alfine):
    strategy = "Random"


class AlfineUnnamed(Alfine):
    """As Alfine, but with hyperparameters called x0, x1, …: what a search is worth whose names tell nothing, as every peer's."""

    def __init__(self, space, seed, jobs, parallel):
        self.names = {f"x{j}": p["name"] for j, p in enumerate(space)}
        super().__init__([p | {"name": f"x{j}"} for j, p in enumerate(space)], seed, jobs, parallel)

    def ask(self):
        number, configuration = super().ask()
        return number, configuration and {self.names[key]: value for key, value in configuration.items()}


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

    def observe(self, configurations, values):
        from optuna.distributions import FloatDistribution, IntDistribution
        from optuna.trial import create_trial

        kinds = {
            p["name"]: (IntDistribution if p["type"] == "int" else FloatDistribution)(p["low"], p["high"], log=p["log"])
            for p in self.space
        }
        self.study.add_trials(
            [
                create_trial(params=configuration, distributions=kinds, value=float(value))
                for configuration, value in zip(configurations, values, strict=True)
            ]
        )


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

    def observe(self, configurations, values):
        self.optimizer.tell([[c[p["name"]] for p in self.space] for c in configurations], [float(v) for v in values])


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

    def observe(self, configurations, values):
        from ConfigSpace import Configuration as Config
        from smac.runhistory.dataclasses import TrialInfo, TrialValue

        for configuration, value in zip(configurations, values, strict=True):
            config = Config(self.facade.scenario.configspace, values=configuration)
            self.facade.tell(TrialInfo(config, seed=0), TrialValue(cost=float(value)))


class OptunaCmaEs(Optuna):
    """With the margin that its documentation advises for integers. Categories it can't learn: it draws them at random."""

    sampler, options = "CmaEsSampler", {"with_margin": True, "warn_independent_sampling": False}


class CatCma:
    """What Optuna's documentation advises instead of its CmaEsSampler where there are categories, from the package cmaes.

    Its default standard deviations and population; log scales are the user's to apply, so every number is given in the unit
    interval on its scale, integers as the list of their places there.
    """

    def __init__(self, space, seed, jobs, parallel):
        from cmaes import CatCMAwM

        self.space = space
        self.kinds = {kind: [j for j, p in enumerate(space) if p["type"] == kind] for kind in ("float", "int", "cat")}
        self.optimizer = CatCMAwM(
            x_space=[[0.0, 1.0] for _ in self.kinds["float"]] or None,
            z_space=[places(space, j) for j in self.kinds["int"]] or None,
            c_space=[len(space[j]["choices"]) for j in self.kinds["cat"]] or None,
            seed=seed,
        )
        self.generation = []

    def ask(self):
        solution, point = self.optimizer.ask(), np.empty(len(self.space))
        for kind, values in (("float", solution.x), ("int", solution.z)):
            if self.kinds[kind]:
                point[self.kinds[kind]] = values
        for j, one_hot in zip(self.kinds["cat"], solution.c if self.kinds["cat"] else [], strict=True):
            point[j] = int(np.argmax(one_hot))
        return solution, decoded(self.space, point)

    def tell(self, handle, value):
        self.generation.append((handle, value))
        if len(self.generation) == self.optimizer.population_size:
            self.optimizer.tell(self.generation)
            self.generation = []


class BayesOpt:
    """bayes_opt maximises; five random configurations first, as its `maximize` has it; categories are typed.

    Its kernel has one length scale for all hyperparameters and it scales nothing: numbers are given in the unit interval.
    """

    def __init__(self, space, seed, jobs, parallel):
        from bayes_opt import BayesianOptimization

        self.space = space
        bounds = {p["name"]: tuple(str(c) for c in p["choices"]) if p["type"] == "cat" else (0.0, 1.0) for p in space}
        self.optimizer = BayesianOptimization(
            f=None, pbounds=bounds, random_state=seed, verbose=0, allow_duplicate_points=True
        )
        self.first = self.optimizer.random_sample(5)

    def ask(self):
        given = self.first.pop(0) if self.first else self.optimizer.suggest()
        point = [
            [str(c) for c in p["choices"]].index(given[p["name"]]) if p["type"] == "cat" else given[p["name"]]
            for p in self.space
        ]
        return given, decoded(self.space, point)

    def tell(self, handle, value):
        self.optimizer.register(params=handle, target=-float(value))

    def observe(self, configurations, values):
        self.first = []
        for configuration, value in zip(configurations, values, strict=True):
            self.tell(dict(zip(configuration, to_unit(self.space, configuration), strict=True)), value)


class BoTorch:
    """SingleTaskGP (MixedSingleTaskGP with categories) and qLogNoisyExpectedImprovement, refitted at each suggestion.

    BoTorch is a library: the loop is its tutorials', with 2 (d + 1) Sobol points first, 10 restarts from 512 raw samples,
    double precision. Models and acquisition have their defaults: standardised values, length-scale priors scaled with the
    dimension, inferred noise. Inputs are normalised on their scale, as it asks for. Between fixed categories and the
    alternating optimiser its own rule decides (more than ten combinations); integers of up to 20 values are discrete to both,
    as to the alternating one's default, longer ones are relaxed and rounded.
    """

    def __init__(self, space, seed, jobs, parallel):
        import torch

        torch.manual_seed(seed)
        torch.set_num_threads(1)
        self.space, d = space, len(space)
        self.categories = {
            j: [float(c) for c in range(len(p["choices"]))] for j, p in enumerate(space) if p["type"] == "cat"
        }
        self.discrete = {
            j: places(space, j) for j, p in enumerate(space) if p["type"] == "int" and p["high"] - p["low"] < 20
        }
        ends = [(self.discrete | self.categories).get(j, [0.0, 1.0]) for j in range(d)]
        self.bounds = torch.tensor(
            [[values[0] for values in ends], [values[-1] for values in ends]], dtype=torch.double
        )
        first = torch.quasirandom.SobolEngine(d, scramble=True, seed=seed).draw(2 * (d + 1), dtype=torch.double)
        self.first = [from_unit(space, point) for point in first.numpy()]
        self.told, self.running = [], []

    def ask(self):
        configuration = self.first.pop(0) if self.first else decoded(self.space, self.best())
        self.running.append(configuration)
        return configuration, configuration

    def tell(self, handle, value):
        self.running.remove(handle)
        self.told.append((handle, float(value)))

    def observe(self, configurations, values):
        self.first = []
        self.told += [(c, float(v)) for c, v in zip(configurations, values, strict=True)]

    def best(self):
        import torch
        from botorch.acquisition.logei import qLogNoisyExpectedImprovement
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import MixedSingleTaskGP, SingleTaskGP
        from botorch.optim import optimize_acqf, optimize_acqf_mixed, optimize_acqf_mixed_alternating
        from botorch.optim.optimize_mixed import should_use_mixed_alternating_optimizer
        from gpytorch.mlls import ExactMarginalLogLikelihood

        X = self.encoded([configuration for configuration, _ in self.told])
        Y = torch.tensor([[-value] for _, value in self.told], dtype=torch.double)  # BoTorch maximises
        model = MixedSingleTaskGP(X, Y, cat_dims=list(self.categories)) if self.categories else SingleTaskGP(X, Y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        pending = self.encoded(self.running) if self.running else None
        acquisition = qLogNoisyExpectedImprovement(model, X_baseline=X, X_pending=pending)
        kept = {"bounds": self.bounds, "q": 1, "num_restarts": 10, "raw_samples": 512}
        discrete = self.discrete | self.categories
        if not discrete:
            found, _ = optimize_acqf(acquisition, **kept)
        elif should_use_mixed_alternating_optimizer(self.discrete, self.categories):
            found, _ = optimize_acqf_mixed_alternating(
                acquisition, discrete_dims=self.discrete, cat_dims=self.categories, **kept
            )
        else:
            combinations = [dict(zip(discrete, each, strict=True)) for each in itertools.product(*discrete.values())]
            found, _ = optimize_acqf_mixed(acquisition, fixed_features_list=combinations, **kept)
        return found[0].numpy()

    def encoded(self, configurations):
        import torch

        return torch.tensor(np.array([to_unit(self.space, c) for c in configurations]), dtype=torch.double)


class Hebo:
    """HEBO's own types of hyperparameter; it draws from the global generators, so these are seeded."""

    def __init__(self, space, seed, jobs, parallel):
        import random

        import torch
        from hebo.design_space.design_space import DesignSpace
        from hebo.optimizers.hebo import HEBO

        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        self.space = space
        kinds = {("float", False): "num", ("float", True): "pow", ("int", False): "int", ("int", True): "pow_int"}
        self.optimizer = HEBO(
            DesignSpace().parse([
                {"name": p["name"], "type": "cat", "categories": [str(c) for c in p["choices"]]}
                if p["type"] == "cat"
                else {"name": p["name"], "type": kinds[p["type"], p["log"]], "lb": p["low"], "ub": p["high"]}
                for p in space
            ]),
            scramble_seed=seed,
        )  # fmt: skip

    def ask(self):
        suggested = self.optimizer.suggest(n_suggestions=1)
        given = suggested.iloc[0].to_dict()
        kinds = {"float": float, "int": int}
        return suggested, {
            p["name"]: {str(c): c for c in p["choices"]}[given[p["name"]]]
            if p["type"] == "cat"
            else min(max(kinds[p["type"]](given[p["name"]]), p["low"]), p["high"])
            for p in self.space
        }

    def tell(self, handle, value):
        self.optimizer.observe(handle, np.array([[float(value)]]))

    def observe(self, configurations, values):
        import pandas as pd

        self.optimizer.observe(pd.DataFrame(configurations), np.array(values, dtype=float)[:, None])


# -- numbers in the unit interval on their scale, for peers that leave scaling to their users ---------------------------


def places(space, j) -> list[float]:
    """The places of an integer's values in the unit interval."""
    p = space[j]
    return [to_unit([p], {p["name"]: value})[0] for value in range(p["low"], p["high"] + 1)]


def decoded(space, point) -> Configuration:
    """A point as `to_unit` gives it -> a configuration."""
    unit = [(u + 0.5) / len(p["choices"]) if p["type"] == "cat" else u for p, u in zip(space, point, strict=True)]
    return from_unit(space, unit)


CONTESTANTS = {
    "alfine Bayesian": Alfine,
    "alfine Bayesian, names hidden": AlfineUnnamed,
    "alfine Random": AlfineRandom,
    "uniform": Uniform,
    "Optuna TPE": Optuna,
    "Optuna GP": OptunaGP,
    "scikit-optimize GP": ScikitOptimize,
    "SMAC3": Smac,
    "HEBO": Hebo,
    "BoTorch qLogNEI": BoTorch,
    "CMA-ES": OptunaCmaEs,
    "CatCMA": CatCma,
    "bayes_opt": BayesOpt,
}
