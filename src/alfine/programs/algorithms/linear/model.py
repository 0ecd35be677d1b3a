"""The linear model, and the normalisation of the data that it is fitted to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Data:
    """The data of a channel: features (n, d) and labels (n,)."""

    features: Array
    labels: Array


@dataclass(frozen=True, slots=True)
class Scales:
    """The normalisation during training: a feature becomes (feature - center) / width, and so does a label."""

    center: Array
    width: Array
    label_center: float
    label_width: float


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A linear model: score = features @ weights + bias.

    Attributes:
        weights: (d, outputs).
        bias: (outputs,).
        threshold: A binary classifier says yes to scores above it.
    """

    weights: Array
    bias: Array
    threshold: float = 0.0

    def scores(self, features: Array) -> Array:
        """Return the scores (n, outputs) of features (n, d)."""
        scores: Array = features @ self.weights + self.bias
        return scores

    def unscaled(self, scales: Scales) -> LinearModel:
        """Return the same model for features and labels without normalisation."""
        weights = self.weights / scales.width[:, None] * scales.label_width
        bias = self.bias * scales.label_width + scales.label_center - scales.center @ weights
        return replace(self, weights=weights, bias=bias)
