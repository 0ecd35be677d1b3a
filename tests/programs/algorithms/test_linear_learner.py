"""The losses of linear-learner: the gradients are those of the losses."""

from __future__ import annotations

import numpy as np
import pytest

from alfine.programs.algorithms.linear.losses import losses
from alfine.programs.algorithms.linear.parameters import LearnerParameters
from alfine.programs.algorithms.linear_learner import LOSSES

STEP = 1e-6


@pytest.mark.parametrize(
    ("kind", "loss"), [(kind, loss) for kind, names in LOSSES.items() for loss in names if loss != "auto"]
)
def test_the_gradient_of_a_loss_is_its_slope(kind, loss):
    words = LearnerParameters(predictor_type=kind, loss=loss, num_classes="3", quantile="0.8")
    random, outputs = np.random.default_rng(1), words.outputs
    scores = random.normal(size=(50, outputs))
    labels = random.normal(size=50) if kind == "regressor" else random.integers(0, max(outputs, 2), 50).astype(float)
    _, gradient = losses(words, scores, labels)
    for output, step in enumerate(STEP * np.eye(outputs)):
        higher, lower = (losses(words, scores + sign * step, labels)[0] for sign in (1, -1))
        assert gradient[:, output] == pytest.approx((higher - lower) / (2 * STEP), abs=1e-6)


def test_every_loss_is_zero_where_there_is_nothing_to_lose():
    labels = np.array([0.0, 1.0])
    for loss in LOSSES["regressor"][1:]:
        assert losses(LearnerParameters(predictor_type="regressor", loss=loss), labels[:, None], labels)[
            0
        ] == pytest.approx(0)
    for loss in LOSSES["binary_classifier"][1:]:
        sure = np.array([[-50.0], [50.0]])
        assert losses(LearnerParameters(predictor_type="binary_classifier", loss=loss), sure, labels)[
            0
        ] == pytest.approx(0)
