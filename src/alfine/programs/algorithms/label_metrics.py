"""Metrics of predicted classes and values, as scikit-learn defines them, by numpy alone: importing scikit-learn takes a second.

Each takes the labels and what was predicted for them. Where nothing could be divided by, a score is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Labels = Any
"""A vector of numbers."""

Counts = tuple[Any, Any, Any]
"""For each class: how often it was predicted rightly, how often it was predicted, and how often it is the label."""

POSITIVE = 1
"""The class that is looked for, where there are two."""


def accuracy(labels: Labels, classes: Labels) -> float:
    """Return the share of labels that were predicted."""
    return float(np.mean(np.asarray(labels) == np.asarray(classes)))


def balanced_accuracy(labels: Labels, classes: Labels) -> float:
    """Return the mean recall of the classes among the labels."""
    right, _, there = _counts(labels, classes)
    known = there > 0
    return float(np.mean(right[known] / there[known]))


def precision(right: Any, predicted: Any, there: Any) -> Any:
    """Return the share of what was predicted that is right."""
    del there
    return _share(right, predicted)


def recall(right: Any, predicted: Any, there: Any) -> Any:
    """Return the share of what is there that was predicted."""
    del predicted
    return _share(right, there)


def f1(right: Any, predicted: Any, there: Any) -> Any:
    """Return the harmonic mean of precision and recall."""
    return _share(2 * right, predicted + there)


def macro(score: Callable[..., Any]) -> Callable[[Labels, Labels], float]:
    """Return the metric that is the mean of a score over all classes."""
    return lambda labels, classes: float(np.mean(score(*_counts(labels, classes))))


def micro(score: Callable[..., Any]) -> Callable[[Labels, Labels], float]:
    """Return the metric that is a score of the counts of all classes together."""
    return lambda labels, classes: float(score(*(count.sum() for count in _counts(labels, classes))))


def of_two(score: Callable[..., Any]) -> Callable[[Labels, Labels], float]:
    """Return the metric that is the score of class 1. It raises ValueError for labels of more than two classes."""

    def metric(labels: Labels, classes: Labels) -> float:
        if len(known := np.unique(np.concatenate([labels, classes]))) > 2:
            raise ValueError(f"the metric is one of two classes, and there are {len(known)}.")
        is_right = (np.asarray(labels) == POSITIVE) & (np.asarray(classes) == POSITIVE)
        counts = (is_right, np.asarray(classes) == POSITIVE, np.asarray(labels) == POSITIVE)
        return float(score(*(each.sum() for each in counts)))

    return metric


def mse(labels: Labels, values: Labels) -> float:
    """Return the mean squared error."""
    return float(np.mean((np.asarray(labels, float) - values) ** 2))


def r2(labels: Labels, values: Labels) -> float:
    """Return the coefficient of determination; for labels that are all the same 1 where they were predicted, else 0."""
    labels = np.asarray(labels, float)
    left, all_of_it = np.sum((labels - values) ** 2), np.sum((labels - labels.mean()) ** 2)
    return float(1 - left / all_of_it) if all_of_it else float(left == 0)


def _counts(labels: Labels, classes: Labels) -> Counts:
    known, index = np.unique(np.concatenate([labels, classes]), return_inverse=True)
    label, predicted = np.split(index, 2)
    count = len(known)
    right = np.bincount(label[label == predicted], minlength=count)
    return right, np.bincount(predicted, minlength=count), np.bincount(label, minlength=count)


def _share(part: Any, whole: Any) -> Any:
    return part / np.maximum(whole, 1)
