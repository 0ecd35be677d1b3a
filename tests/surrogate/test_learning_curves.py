"""What a curve says about its end: against least squares, on curves whose end is known, and on the odd ones."""

from __future__ import annotations

import numpy as np
import pytest

from alfine.surrogate import learning_curves
from alfine.surrogate.learning_curves import (
    EndedCurve,
    as_observation,
    comparable,
    ended_curves,
    features,
    final_values,
    predict_final_values,
)
from tests.building import history, one_job

REPORTS = 20


def decaying(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """From a common height down to an end of their own, with a little noise."""
    ends = rng.normal(size=count)
    way = np.exp(-np.arange(REPORTS) / 5.0)
    way = (way - way[-1]) / (way[0] - way[-1])
    return [end + (3.0 - end) * way + 0.02 * rng.standard_normal(REPORTS) for end in ends]


def test_the_prediction_is_that_of_least_squares_with_the_prior_as_further_rows():
    rng = np.random.default_rng(0)
    whole, parts, t = decaying(rng, 9), decaying(rng, 4), 6
    guesses = rng.normal(size=9), rng.normal(size=4)
    found = predict_final_values(whole, parts, t, guesses)
    z, asked = features(whole, t), features(parts, t)
    z, asked = np.column_stack([z, guesses[0] - z[:, 0]]), np.column_stack([asked, guesses[1] - asked[:, 0]])
    rest = np.array([curve[-1] - curve[t - 1] for curve in whole])
    rows = np.vstack([np.column_stack([np.ones(9), z - z.mean(0)]), np.sqrt(learning_curves.RIDGE) * np.eye(6)])
    b = np.linalg.lstsq(rows, np.concatenate([rest, np.zeros(6)]), rcond=None)[0]
    assert found.mean == pytest.approx(asked[:, 0] + np.column_stack([np.ones(4), asked - z.mean(0)]) @ b)
    assert found.freedom == 2 * learning_curves.PRIOR_WEIGHT + 9


def test_predictions_are_as_sure_as_they_ought_to_be():
    """Of 400 ends the stated 80 % intervals hold about 80 %, early and late."""
    rng = np.random.default_rng(1)

    def walks(count):
        return list(0.2 * rng.standard_normal((count, REPORTS)).cumsum(axis=1))

    for t in (2, 8, 15):
        inside = 0
        for _ in range(20):
            parts = walks(20)
            found = predict_final_values(walks(25), parts, t)
            inside += sum(0.1 < found.below(part[-1])[i] < 0.9 for i, part in enumerate(parts))
        assert 0.7 < inside / 400 < 0.9, t


def test_few_curves_say_less_than_many():
    rng = np.random.default_rng(2)
    part = decaying(rng, 1)
    few, many = (predict_final_values(decaying(rng, n), part, 3).variance[0] for n in (3, 40))
    assert few > 2 * many


def test_a_curve_that_turns_is_known_by_its_way():
    """Training jobs that were better once end worse: the regression learns it."""
    rng, steps = np.random.default_rng(3), np.arange(REPORTS)
    whole = [1.0 - 0.1 * steps + bend * np.maximum(0, steps - 5) ** 2 for bend in rng.uniform(0.0, 0.03, 30)]
    turned = 1.0 - 0.1 * steps + 0.025 * np.maximum(0, steps - 5) ** 2
    found = predict_final_values(whole, [turned], 12)
    assert found.mean[0] > turned[:12].min() + 1.0
    assert found.mean[0] == pytest.approx(turned[-1], abs=0.3)


def test_a_value_with_noise_and_what_is_known_in_general_make_the_prediction_again():
    mean, variance = np.array([0.4, -0.8]), np.array([0.1, 0.5])
    value, noise = as_observation(mean, variance)
    precision = 1.0 + 1.0 / noise  # N(0, 1) of configurations in general, and the observation
    assert value / noise / precision == pytest.approx(mean)
    assert 1.0 / precision == pytest.approx(variance)


def test_a_curve_that_says_nothing_becomes_a_value_with_much_noise():
    value, noise = as_observation(np.array([0.1]), np.array([2.0]))
    assert np.isfinite(value[0])
    assert noise[0] == pytest.approx(3.0)


def test_only_what_was_cut_short_is_predicted():
    rng = np.random.default_rng(4)
    found = [EndedCurve(curve, complete=True) for curve in decaying(rng, 6)]
    found += [EndedCurve(curve[:5], complete=False) for curve in decaying(rng, 2)]
    mean, variance = final_values(found)
    assert [value == each.curve[-1] for value, each in zip(mean, found, strict=True)] == [True] * 6 + [False] * 2
    assert [each > 0 for each in variance] == [False] * 6 + [True] * 2


def test_while_hardly_any_went_all_the_way_curves_end_where_enough_have_got_to():
    lengths = [9, 3, 3, 1]
    found = comparable([EndedCurve(np.arange(n, dtype=float), complete=n == 9) for n in lengths])
    assert [len(each.curve) for each in found] == [3, 3, 3, 1]
    assert [each.complete for each in found] == [True, True, True, False]


def test_curves_are_minimised_and_without_what_is_no_number():
    past = history(goal="Maximize")
    for fact in one_job(past, 3.0, reports=[1.0, float("nan"), 2.0]):
        past.record(fact)
    (only,) = ended_curves(past)
    assert only.curve.tolist() == [-1.0, -2.0, -3.0]
    assert only.complete


def test_a_stopped_training_job_is_whole_only_where_it_had_all_that_it_may_have():
    past = history(strategy="Hyperband", max_resource=3)
    for reports in ([3.0, 2.0], [3.0, 2.0, 1.0]):
        for fact in one_job(past, reports[-1], reports=reports, status="Stopped"):
            past.record(fact)
    assert [each.complete for each in ended_curves(past)] == [False, True]
