"""Priors by name: where good values of well-known hyperparameters mostly lie, before anything has run.

An initial design that covers a wide space evenly spends most of its training jobs where nobody who has tuned such a model would
look: half of a learning rate's six decades diverge or don't learn. So the first training job takes the middle of every interval
below. Every further point of the initial design is drawn, coordinate by coordinate, from

    SHARE N(m, s²) on [0, 1]  +  (1 - SHARE) uniform        m, s: middle and half the width of the interval, on the range's scale

by the inverse of its distribution function, applied to the evenly spread sequence, so that the points stay spread. A known category
gets SHARE more than its equal share. Only the initial design uses these priors: a wrong one costs a part of it, and afterwards the
results decide.

The intervals of one family of models apply: of the family that knows the most of the space's names. Where two families know equally
many, for example of {learning_rate} alone, no prior applies. The intervals are common knowledge, taken from the defaults and tuning
guides of the libraries and of SageMaker's built-in algorithms; none was fitted to a benchmark. docs/explanation/search.md says what
they gain.

Reference: Souza et al. 2021, «Bayesian optimization with a prior for the optimum».
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alfine.core.axis import Array
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical
from alfine.core.space import ParameterSpace

SHARE = 0.5
"""Weight of the interval's normal distribution, against the uniform one."""

LEAST_SPREAD = 0.12
"""Least standard deviation of a prior, as a share of the axis."""

PLACES = np.linspace(0.0, 1.0, 257)
"""Points of an axis at which distribution functions are tabulated."""

Known = tuple[float, float] | str
"""Prior of a hyperparameter: an interval of good numbers, or a good category as text."""

TREES_LEARNING_RATE, NETS_LEARNING_RATE = (0.02, 0.3), (3e-4, 3e-2)

BOOSTED_TREES: dict[str, Known] = {
    **dict.fromkeys(("eta", "learning_rate"), TREES_LEARNING_RATE),
    **dict.fromkeys(("max_depth", "depth"), (3, 10)),
    **dict.fromkeys(("n_estimators", "num_round", "num_rounds", "num_boost_round", "iterations"), (100, 1000)),
    **dict.fromkeys(("num_leaves", "max_leaves", "max_leaf_nodes"), (15, 100)),
    **dict.fromkeys(("min_child_weight", "min_sum_hessian_in_leaf"), (0.5, 10)),
    **dict.fromkeys(("min_data_in_leaf", "min_child_samples"), (5, 50)),
    **dict.fromkeys(("subsample", "bagging_fraction"), (0.5, 1)),
    **dict.fromkeys(("colsample_bytree", "colsample_bylevel", "colsample_bynode", "feature_fraction", "rsm"), (0.4, 1)),
    **dict.fromkeys(("lambda", "reg_lambda", "lambda_l2", "l2_regularization", "l2_leaf_reg"), (0.1, 10)),
    **dict.fromkeys(("alpha", "reg_alpha", "lambda_l1"), (1e-3, 1)),
    **dict.fromkeys(("gamma", "min_split_loss", "min_gain_to_split"), (1e-3, 1)),
}
NEURAL_NETS: dict[str, Known] = {
    **dict.fromkeys(("lr", "learning_rate", "learning_rate_init"), NETS_LEARNING_RATE),
    **dict.fromkeys(("weight_decay", "decay", "wd"), (1e-5, 1e-2)),
    **dict.fromkeys(("dropout", "dropout_rate"), (0, 0.4)),
    **dict.fromkeys(("width", "hidden_size", "hidden_dim", "units", "num_units", "hidden_units"), (32, 256)),
    **dict.fromkeys(("layers", "num_layers", "n_layers", "depth"), (1, 3)),
    **dict.fromkeys(("batch", "batch_size", "mini_batch_size"), (16, 128)),
    "momentum": (0.8, 0.99),
    "beta_1": (0.85, 0.95),
    "beta_2": (0.98, 0.999),
    "optimizer": "adam",
    "activation": "relu",
}
FINE_TUNING: dict[str, Known] = {
    **dict.fromkeys(("lr", "learning_rate"), (1e-5, 3e-4)),
    **dict.fromkeys(("warmup_ratio", "warmup_proportion"), (0.03, 0.1)),
    **dict.fromkeys(("epochs", "num_train_epochs"), (2, 5)),
    **dict.fromkeys(("train_batch_size", "per_device_train_batch_size"), (8, 64)),
    **dict.fromkeys(("r", "lora_r", "lora_rank"), (8, 64)),
    "lora_alpha": (16, 64),
    "lora_dropout": (0, 0.1),
    "weight_decay": (1e-3, 0.1),
}
SUPPORT_VECTORS: dict[str, Known] = {
    "c": (0.5, 500),
    "gamma": (1e-3, 0.1),
    "epsilon": (0.01, 0.2),
    "kernel": "rbf",
    "coef0": (0, 1),
    "degree": (2, 3),
}
FORESTS: dict[str, Known] = {
    "n_estimators": (100, 1000),
    "max_features": (0.3, 0.8),
    "max_samples": (0.5, 1),
    "max_depth": (8, 30),
    "min_samples_leaf": (1, 8),
    "min_samples_split": (2, 10),
}
LINEAR_MODELS: dict[str, Known] = {
    **dict.fromkeys(("alpha", "l1", "l2"), (1e-5, 1e-2)),
    **dict.fromkeys(("eta0", "learning_rate"), (0.01, 0.3)),
    "c": (0.05, 50),
    "max_iter": (100, 1000),
    "l1_ratio": (0.1, 0.9),
    "penalty": "l2",
}
NEIGHBOURS: dict[str, Known] = {
    **dict.fromkeys(("n_neighbors", "k"), (5, 30)),
    "p": (1, 2.5),
    "weights": "distance",
}
KERNEL_RIDGE: dict[str, Known] = {
    "alpha": (1e-3, 1),
    "gamma": (1e-3, 0.1),
    "kernel": "rbf",
    "coef0": (0, 1),
    "degree": (2, 3),
}
FAMILIES: tuple[Mapping[str, Known], ...] = (
    BOOSTED_TREES, NEURAL_NETS, FINE_TUNING, SUPPORT_VECTORS, FORESTS, LINEAR_MODELS, NEIGHBOURS, KERNEL_RIDGE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NamePriors:
    """The priors of a space's coordinates, by index; coordinates without one are left out.

    Attributes:
        guess: The best guess, a place on the axis.
        distribution: The prior's distribution function at PLACES.
    """

    guess: Mapping[int, float]
    distribution: Mapping[int, Array]

    def applied(self, points: Array) -> Array:
        """Return evenly spread points (n, d) moved so that they are denser where good values mostly lie.

        Args:
            points: (n, d) points of the unit cube.
        """
        moved = points.copy()
        for j, distribution in self.distribution.items():
            moved[:, j] = np.interp(points[:, j], distribution, PLACES)
        return moved

    def best_guess(self, point: Array) -> Array:
        """Return the point (d,) with the best guess in every coordinate that has a prior.

        Args:
            point: (d,) for the coordinates without a prior.
        """
        guess = point.copy()
        guess[list(self.guess)] = list(self.guess.values())
        return guess


def name_priors(space: ParameterSpace) -> NamePriors:
    """Return the priors of a space by the names of its hyperparameters; most names have none.

    Args:
        space: The search space.
    """
    family = _family(space)
    guess, distribution = {}, {}
    for j, (name, r) in enumerate(space.ranges.items()):
        known = family.get(_bare_name(name))
        if known is None:
            continue
        stretch = 1.0 if space.structure is None else float(space.structure.stretch[j])
        prior = _of_category(r, known) if isinstance(r, Categorical) else _of_number(r, known)
        if prior is None:
            continue
        guess[j], informed = prior[0] * stretch, np.interp(PLACES / stretch, PLACES, prior[1])
        distribution[j] = SHARE * informed + (1.0 - SHARE) * PLACES
    return NamePriors(guess, distribution)


def _bare_name(name: str) -> str:
    """Return the name that `--Learning-Rate`, `model__learning_rate` and `learning_rate` share."""
    return name.lower().replace("-", "_").strip("_").rpartition("__")[2]


def _family(space: ParameterSpace) -> Mapping[str, Known]:
    """Return the family that knows the most of the names; an empty one where no family or several do."""
    counts = [sum(_fits(r, family.get(_bare_name(name))) for name, r in space.ranges.items()) for family in FAMILIES]
    most = max(counts)
    return FAMILIES[counts.index(most)] if most and counts.count(most) == 1 else {}


def _fits(r: Range, known: Known | None) -> bool:
    return known is not None and isinstance(known, str) == isinstance(r, Categorical)


def _of_number(r: Range, known: Known) -> tuple[float, Array] | None:
    """Return the middle of the interval and the distribution function of the normal distribution, cut to the axis.

    Where the interval lies outside the range, the middle is the nearer end.
    """
    if isinstance(known, str):
        return None
    low, high = (r.to_unit(end) for end in known)
    middle, spread = (low + high) / 2, max(LEAST_SPREAD, (high - low) / 2)
    upto = np.array([math.erf((u - middle) / (spread * math.sqrt(2))) for u in PLACES])
    return middle, (upto - upto[0]) / (upto[-1] - upto[0])


def _of_category(r: Categorical, known: Known) -> tuple[float, Array] | None:
    """Return the known category's place and the distribution function that is uniform over its cell; None without that category."""
    if not isinstance(known, str) or not r.contains(known):
        return None
    place, half = r.to_unit(known), 0.5 / len(r.values)
    return place, np.clip((PLACES - (place - half)) / (2 * half), 0.0, 1.0)
