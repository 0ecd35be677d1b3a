"""Noise is told from a rough objective where configurations lie near to each other, and what is expected without it is nearer to the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from alfine.surrogate.fit import fit
from alfine.surrogate.gaussian_process import Surrogate
from alfine.surrogate.kernel import Geometry
from alfine.surrogate.noise import Noise, noise_of
from alfine.surrogate.output_scale import Scale

PLANE = Geometry(np.zeros(2, dtype=bool), np.full(2, np.inf), np.zeros(2, dtype=bool))


def bowl(points: Any) -> Any:
    return ((points - 0.4) ** 2).sum(1)


def rough(points: Any) -> Any:
    """A bowl with waves that are short, but longer than points near the optimum lie apart."""
    return bowl(points) + 0.01 * np.cos(40 * points[:, 0]) * np.cos(40 * points[:, 1] + 1)


def closing_in(n: int, seed: int = 0) -> Any:
    """Half of them all over the plane, half near the optimum."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.random((n // 2, 2)), 0.4 + 0.05 * rng.standard_normal((n - n // 2, 2))])


def found(points: Any, values: Any) -> tuple[Noise, Scale]:
    scale = Scale.of(values)
    y = scale.targets(values)
    surrogate = Surrogate.of(PLANE, fit(PLANE, points, y), points, y)
    return noise_of(surrogate, points), scale


@pytest.mark.parametrize("deviation", [0.01, 0.03])
def test_noise_is_found_with_its_size(deviation: float) -> None:
    points = closing_in(80)
    noise, scale = found(points, bowl(points) + deviation * np.random.default_rng(1).standard_normal(80))
    assert noise.chance > 0.99
    assert noise.deviation * scale.unit == pytest.approx(deviation, rel=0.4)


@pytest.mark.parametrize("objective", [bowl, rough])
def test_an_objective_without_noise_is_not_taken_for_noisy(objective: Any) -> None:
    points = closing_in(80)
    noise, _ = found(points, objective(points))
    assert noise.chance < 0.01


def test_what_is_expected_without_noise_is_nearer_to_the_truth() -> None:
    points = closing_in(80)
    values = bowl(points) + 0.02 * np.random.default_rng(1).standard_normal(80)
    noise, scale = found(points, values)
    expected = values + noise.chance * (scale.values(noise.trend) - values)
    near = bowl(points) < 0.05
    assert np.abs(expected - bowl(points))[near].mean() < 0.5 * np.abs(values - bowl(points))[near].mean()


def test_runs_of_the_same_configuration_settle_it() -> None:
    points = np.random.default_rng(3).random((20, 2))
    values = np.random.default_rng(4).random(20)
    twice = np.concatenate([points, points[:4]])
    assert found(twice, np.concatenate([values, values[:4] + 0.2]))[0].chance > 0.99
    assert found(twice, np.concatenate([values, values[:4]]))[0].chance < 0.01


def test_few_results_all_over_the_plane_settle_nothing() -> None:
    points = np.random.default_rng(5).random((12, 2))
    assert 0.01 < found(points, np.random.default_rng(6).random(12))[0].chance < 0.9


def test_targets_lead_back_to_values() -> None:
    values = np.array([0.1, 0.2, 0.5, 0.9, 3.0, 40.0])
    scale = Scale.of(values)
    assert scale.values(scale.targets(values)) == pytest.approx(values)
