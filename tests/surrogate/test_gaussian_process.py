"""The surrogate: against a dense textbook formula, scikit-learn, and finite differences."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from alfine.core.facts import Ended, Launched
from alfine.core.history import History
from alfine.core.ranges import Categorical, Continuous, Integer
from alfine.core.space import ParameterSpace
from alfine.core.spec import TuningJobSpec
from alfine.surrogate import (
    acquisition,
    chosen_observations,
    fit,
    gaussian_process,
    kernel,
    model,
    output_scale,
    threads,
)
from tests.missing import package

AT = datetime(2026, 1, 1, tzinfo=UTC)
MIXED = kernel.Geometry(np.array([False, False, True]), np.array([math.inf, 7.0, 3.0]), np.array([True, False, False]))


def mixed_points(n: int, seed: int = 0) -> Any:
    X = np.random.default_rng(seed).random((n, 3))
    X[:, 2] = (np.floor(3 * X[:, 2]) + 0.5) / 3
    return X


def a_theta(noise: float = 1e-2) -> Any:
    return np.log([0.4, 0.9, 1.3, 1.7, noise, 0.3, 1.4, 0.7, 1.0, 0.8, 1.6, 1.0])


def dense_kernel(A: Any, B: Any, theta: Any) -> Any:  # noqa: N803
    """The equation, one pair at a time."""

    def warp(u: float, j: int) -> float:
        return float(1 - (1 - u ** math.exp(theta[6 + j])) ** math.exp(theta[9 + j]))

    K = np.empty((len(A), len(B)))
    for i, x in enumerate(A):
        for j, z in enumerate(B):
            D = [(warp(x[0], 0) - warp(z[0], 0)) ** 2, (warp(x[1], 1) - warp(z[1], 1)) ** 2, float(x[2] != z[2])]
            r = math.sqrt(sum(Dj / math.exp(2 * t) for Dj, t in zip(D, theta[:3], strict=True)))
            trend = (1 + math.sqrt(5) * r + 5 * r * r / 3) * math.exp(-math.sqrt(5) * r)
            rough = (1 + math.sqrt(3) * r / kernel.RATIO) * math.exp(-math.sqrt(3) * r / kernel.RATIO)
            K[i, j] = math.exp(theta[3]) * trend + math.exp(theta[5]) * rough
    return K


def history(values: list[float], space: ParameterSpace | None = None, seed: int = 0) -> History:
    space = space or ParameterSpace({"x": Continuous(0, 1), "k": Integer(1, 9), "c": Categorical(("a", "b", "c"))})
    spec = TuningJobSpec(
        request={}, name="t", strategy="Bayesian", goal="Minimize", metric="m", space=space,
        definition=None, max_parallel=1, max_training_jobs=200, seed=seed,
        detect_convergence=False, min_resource=1,
    )  # fmt: skip
    past, rng = History(spec, AT), np.random.default_rng(seed)
    for number, value in enumerate(values, 1):
        past.record(Launched(at=AT, number=number, name=str(number), hyperparameters=space.sample(rng)))
        past.record(Ended(at=AT, number=number, status="Completed", objective=value))
    return past


def test_the_posterior_is_the_textbooks_on_five_points() -> None:
    theta, X, Q = a_theta(), mixed_points(5), mixed_points(4, seed=1)
    y = np.array([0.3, -1.0, 0.5, 1.2, -0.4])
    K = dense_kernel(X, X, theta) + math.exp(theta[4]) * np.eye(5)
    k, inverse = dense_kernel(Q, X, theta), np.linalg.inv(K)
    m = (inverse.sum(0) @ y) / inverse.sum()
    mean, variance = gaussian_process.Surrogate.of(MIXED, theta, X, y).posterior(Q)
    np.testing.assert_allclose(mean, m + k @ inverse @ (y - m), rtol=1e-7)
    np.testing.assert_allclose(
        variance, math.exp(theta[3]) + math.exp(theta[5]) - np.diag(k @ inverse @ k.T), rtol=1e-6
    )


def test_the_posterior_is_scikit_learns() -> None:
    regressor = package("sklearn.gaussian_process").GaussianProcessRegressor
    kernels = package("sklearn.gaussian_process.kernels")

    X, Q = np.random.default_rng(0).random((30, 2)), np.random.default_rng(1).random((10, 2))
    y = np.sin(5 * X[:, 0]) + X[:, 1]
    theta = np.log([0.4, 0.9, 1.7, 1e-2, 0.3, 1, 1, 1, 1])
    numeric = kernel.Geometry(np.zeros(2, bool), np.full(2, math.inf), np.zeros(2, bool))
    ours = gaussian_process.Surrogate.of(numeric, theta, X, y)
    rough = kernels.ConstantKernel(0.3) * kernels.Matern([0.4 * kernel.RATIO, 0.9 * kernel.RATIO], nu=1.5)
    both = kernels.ConstantKernel(1.7) * kernels.Matern([0.4, 0.9], nu=2.5) + rough
    theirs = regressor(both, alpha=1e-2, optimizer=None).fit(X, y - ours.mean)
    expected, deviation = theirs.predict(Q, return_std=True)
    mean, variance = ours.posterior(Q)
    np.testing.assert_allclose(mean - ours.mean, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(np.sqrt(variance), deviation, rtol=1e-5)


@pytest.mark.parametrize("own", [0.0, np.linspace(0.0, 0.5, 12)], ids=["one noise", "noise of their own"])
def test_the_gradient_of_the_posterior_density_of_theta_is_that_of_finite_differences(own: Any) -> None:
    X = mixed_points(12)
    y = np.sin(4 * X[:, 0]) + X[:, 1]
    theta, step = a_theta(), 1e-5
    _, gradient = fit.negative_log_posterior(theta, MIXED, X, y, own)
    for i in range(len(theta)):
        e = step * np.eye(len(theta))[i]
        up, down = (fit.negative_log_posterior(theta + s * e, MIXED, X, y, own)[0] for s in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-6)


def test_the_gradients_of_the_posterior_are_those_of_finite_differences() -> None:
    X, Q, step = mixed_points(12), mixed_points(3, seed=2), 1e-5
    surrogate = gaussian_process.Surrogate.of(MIXED, a_theta(), X, np.sin(4 * X[:, 0]) + X[:, 1])
    mean, variance, dmean, dvariance = surrogate.gradient(Q)
    np.testing.assert_allclose(surrogate.posterior(Q), (mean, variance), rtol=1e-10)
    fantasies = surrogate.with_fantasies(Q[:0], np.zeros((0, 1))).gradient(Q)
    np.testing.assert_allclose(fantasies[2][:, 0], dmean, rtol=1e-10)
    for j in (0, 1):
        e = step * np.eye(3)[j]
        (up, vup), (down, vdown) = surrogate.posterior(Q + e), surrogate.posterior(Q - e)
        np.testing.assert_allclose(dmean[:, j], (up - down) / (2 * step), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(dvariance[:, j], (vup - vdown) / (2 * step), rtol=1e-4, atol=1e-6)
    assert not dmean[:, 2].any()
    assert not dvariance[:, 2].any()


def test_each_fantasy_is_a_refactorisation_with_what_it_imagines() -> None:
    X, P, Q = mixed_points(9), mixed_points(3, seed=3), mixed_points(5, seed=4)
    surrogate = gaussian_process.Surrogate.of(MIXED, a_theta(), X, X[:, 0])
    normal = np.random.default_rng(0).standard_normal((3, 4))
    imagined = surrogate.with_fantasies(P, normal)
    mean, variance = imagined.posterior(Q)
    m = surrogate.mean  # a refactorisation would estimate another one
    for f in range(4):
        again = gaussian_process.Surrogate.of(MIXED, a_theta(), np.concatenate([X, P]), imagined.y[:, f])
        expected = m + again.cross(Q) @ (again.root.T @ (again.root @ (again.y - m)))
        np.testing.assert_allclose(mean[:, f], expected, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(variance, again.posterior(Q)[1], rtol=1e-6)
    assert (imagined.posterior(P)[1] < surrogate.posterior(P)[1]).all()


def test_what_is_told_with_noise_of_its_own_is_a_refactorisation() -> None:
    X, P, Q = mixed_points(9), mixed_points(3, seed=3), mixed_points(5, seed=4)
    surrogate = gaussian_process.Surrogate.of(MIXED, a_theta(), X, X[:, 0])
    values, own = np.array([0.3, -1.0, 2.0]), np.array([0.01, 0.5, 3.0])
    told, m = surrogate.with_observations(P, values, own), surrogate.mean
    again = gaussian_process.Surrogate.of(
        MIXED, a_theta(), np.concatenate([X, P]), np.concatenate([X[:, 0], values]), np.concatenate([np.zeros(9), own])
    )
    expected = m + again.cross(Q) @ (again.root.T @ (again.root @ (again.y - m)))
    np.testing.assert_allclose(told.posterior(Q)[0], expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(told.posterior(Q)[1], again.posterior(Q)[1], rtol=1e-6)
    np.testing.assert_array_equal(told.y[9:], values)


def test_what_is_left_out_is_predicted_by_the_others() -> None:
    X, own = mixed_points(9), np.linspace(0.0, 0.4, 9)
    surrogate = gaussian_process.Surrogate.of(MIXED, a_theta(), X, y := np.sin(4 * X[:, 0]), own)
    for i in range(9):
        rest = np.arange(9) != i
        others, m = gaussian_process.Surrogate.of(MIXED, a_theta(), X[rest], y[rest], own[rest]), surrogate.mean
        expected = m + others.cross(X[i : i + 1]) @ (others.root.T @ (others.root @ (y[rest] - m)))
        assert surrogate.left_out()[i] == pytest.approx(expected[0], rel=1e-6)


def test_imagining_the_expected_changes_no_mean() -> None:
    X, P, Q = mixed_points(9), mixed_points(3, seed=3), mixed_points(5, seed=4)
    surrogate = gaussian_process.Surrogate.of(MIXED, a_theta(), X, X[:, 0])
    mean, _ = surrogate.with_fantasies(P, np.zeros((3, 1))).posterior(Q)
    np.testing.assert_allclose(mean[:, 0], surrogate.posterior(Q)[0], rtol=1e-8)


def test_what_is_imagined_is_distributed_as_what_would_be_observed() -> None:
    X, P = mixed_points(9), mixed_points(3, seed=3)
    surrogate = gaussian_process.Surrogate.of(MIXED, a_theta(), X, X[:, 0])
    imagined = surrogate.with_fantasies(P, np.random.default_rng(0).standard_normal((3, 40_000))).y[9:]
    mean, variance = surrogate.posterior(P)
    np.testing.assert_allclose(imagined.mean(1), mean, atol=0.03)
    np.testing.assert_allclose(imagined.var(1), variance + surrogate.noise, rtol=0.05)


def test_a_fit_finds_which_coordinates_matter() -> None:
    X = mixed_points(40)
    y = output_scale.Scale.of(v := np.cos(6 * X[:, 0])).targets(v)
    lengths = np.exp(fit.fit(MIXED, X, y)[:3])
    assert lengths[0] < 0.5 * min(lengths[1:])


def test_a_warp_stretches_the_end_where_a_coordinate_matters() -> None:
    X = mixed_points(60)
    y = output_scale.Scale.of(v := np.exp(-20 * X[:, 0])).targets(v)
    theta = fit.fit(MIXED, X, y)
    near, far = np.diff(
        MIXED.warp(np.array([[0.0, 0.5, 0.5], [0.2, 0.5, 0.5], [0.8, 0.5, 0.5], [1.0, 0.5, 0.5]]), theta)[:, 0]
    )[[0, 2]]
    assert near > 1.5 * far


def test_roughness_is_told_from_noise_by_what_repeats() -> None:
    X = np.repeat(mixed_points(30), 2, axis=0)
    jumps = np.random.default_rng(1).standard_normal(30).repeat(2)
    chance = np.random.default_rng(2).standard_normal(60)
    rough, noisy = (np.exp(fit.fit(MIXED, X, X[:, 0] + part)) for part in (jumps, chance))
    assert rough[4] < 0.01 < rough[5]
    assert noisy[4] > 0.3 > noisy[5]


def test_duplicates_and_a_constant_objective_are_factorised() -> None:
    X = np.repeat(mixed_points(2), 10, axis=0)
    with threads.one_thread():
        theta = fit.fit(MIXED, X, np.zeros(20))
    assert np.isfinite(gaussian_process.Surrogate.of(MIXED, theta, X, np.zeros(20)).posterior(X)).all()


def test_cholesky_adds_what_jitter_a_singular_matrix_needs() -> None:
    K = np.ones((30, 30))
    L = kernel.cholesky(K)
    np.testing.assert_allclose(L @ L.T, K, atol=1e-6)


def test_cholesky_refuses_what_is_not_finite() -> None:
    with pytest.raises(FloatingPointError, match="finite"):
        kernel.cholesky(np.full((2, 2), np.nan))


@pytest.mark.parametrize("factor", [1e-9, 3.0, 1e9])
def test_targets_do_not_depend_on_the_units_of_the_objective(factor: float) -> None:
    v = np.random.default_rng(0).standard_normal(40)
    np.testing.assert_allclose(
        output_scale.Scale.of(factor * v).targets(factor * v), output_scale.Scale.of(v).targets(v), rtol=1e-9
    )


def test_one_diverged_training_job_leaves_the_others_apart() -> None:
    v = np.concatenate([np.linspace(0.1, 0.5, 20), [1e12]])
    y = output_scale.Scale.of(v).targets(v)
    assert y[19] - y[0] > 0.1


@pytest.mark.parametrize("n", [8, 9, 15, 16, 100, 200, 750])
def test_a_rung_is_reached_from_the_prior_in_ten_fits(n: int) -> None:
    rung, before = model.rung_of(n)
    assert n / 1.09 - 1 <= rung <= n
    fits = 1
    while before is not None:
        assert model.rung_of(before)[0] == before
        before, fits = model.rung_of(before)[1], fits + 1
    assert fits <= 10


def test_a_model_computed_from_an_empty_memo_is_the_same_to_the_bit() -> None:
    values = list(np.random.default_rng(3).random(45))
    whole, grown = history(values), history([])
    for fact in whole.facts:
        grown.record(fact)
        model.model_of(grown)
    points = mixed_points(20)
    warm, cold = model.model_of(grown), model.model_of(whole)
    assert warm is not None
    assert cold is not None
    assert all(
        np.array_equal(a, b)
        for a, b in zip(warm.surrogate.posterior(points), cold.surrogate.posterior(points), strict=True)
    )


def test_there_is_no_model_without_observations_or_without_hyperparameters() -> None:
    assert model.model_of(history([])) is None
    assert model.model_of(history([1.0], ParameterSpace({}))) is None


def test_subsets_hold_the_best_in_order_of_arrival() -> None:
    v = np.random.default_rng(0).random(500)
    for choose in (chosen_observations.best_and_rest, chosen_observations.best_and_latest):
        chosen = choose(v, 100)
        assert len(chosen) == 100
        assert set(np.argsort(v)[:50]) <= set(chosen)
        assert (np.diff(chosen) > 0).all()


def test_log_expected_improvement_agrees_with_numerical_integration() -> None:
    grid = np.linspace(-12, 12, 200_001)
    density = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
    for mean, s in [(0.0, 1.0), (2.0, 0.5), (-3.0, 2.0), (5.0, 1.0)]:
        integral = float((np.maximum(-(mean + s * grid), 0) * density).sum() * (grid[1] - grid[0]))
        got = acquisition.log_expected_improvement(np.array([mean]), np.array([s * s]), 0.0)
        assert got[0] == pytest.approx(math.log(integral), abs=1e-3)


def test_the_slope_of_log_h_is_that_of_finite_differences() -> None:
    z = np.array([-900.0, -30.0, -2.0, -1.0, 0.0, 0.7, 4.0, 20.0])
    step = 1e-5 * np.maximum(1, np.abs(z))
    np.testing.assert_allclose(
        acquisition.slope_of_log_h(z),
        (acquisition.log_h(z + step) - acquisition.log_h(z - step)) / (2 * step),
        rtol=1e-4,
    )


def test_log_h_falls_without_steps_where_the_formula_changes() -> None:
    for seam in (-1.0, -1000.0):
        z = seam * (1 + np.linspace(-1e-6, 1e-6, 101))
        h = acquisition.log_h(z)
        slope = np.diff(h) / np.diff(z)
        assert np.isfinite(h).all()
        assert np.abs(slope / np.median(slope) - 1).max() < 0.2


def test_the_lattice_covers_the_cube_evenly() -> None:
    points = acquisition.lattice(0, 256, np.array([0.3, 0.8]))
    assert points.min() >= 0
    assert points.max() < 1
    counts = np.histogram2d(points[:, 0], points[:, 1], bins=4, range=[[0, 1], [0, 1]])[0]
    assert counts.min() >= 12
    np.testing.assert_array_equal(acquisition.lattice(100, 5, np.array([0.3, 0.8])), points[100:105])
