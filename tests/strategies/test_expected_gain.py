"""What a definition is expected to gain: the expected improvement of Student's t, and what becomes of it in a history."""

import math

import numpy as np
import pytest

from alfine import Continuous
from alfine.core.protocols import expected_gain_of
from alfine.strategies.expected_gain import expected_improvement, log_expected_gain
from tests.building import history, one_job

LINE = {"x": Continuous(0, 1)}


@pytest.mark.parametrize("freedom", [2, 4, 30])
def test_expected_improvement_is_that_of_samples(freedom):
    mean, s, best = np.array([0.5, -1.0, 3.0]), np.array([1.0, 0.5, 2.0]), -0.2
    drawn = np.random.default_rng(0).standard_t(freedom, 400_000)
    sampled = [np.maximum(best - (m + each * drawn), 0.0).mean() for m, each in zip(mean, s, strict=True)]
    assert np.allclose(expected_improvement(mean, s, best, freedom), sampled, rtol=0.05)


def test_with_much_freedom_it_is_that_of_a_normal_distribution():
    z = -1.5
    normal = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) + z * 0.5 * math.erfc(-z / math.sqrt(2))
    assert expected_improvement(np.array([1.5]), np.array([1.0]), 0.0, 10_000)[0] == pytest.approx(normal, rel=1e-3)


def played(values):
    past = history(space=LINE)
    for number, value in enumerate(values):
        status = "Failed" if value is None else "Completed"
        for fact in one_job(past, value, status=status, hyperparameters={"x": (0.5 + number * 0.618) % 1.0}):
            past.record(fact)
    return past


def test_a_promise_is_in_units_of_the_objective():
    values = [3.0, 1.0, 2.0, 1.5, 2.5]
    small, large = (log_expected_gain(played([scale * v for v in values]), scale * 0.5, 1.0) for scale in (1.0, 1000.0))
    assert large - small == pytest.approx(math.log(1000.0))


def test_failures_and_distance_make_it_less_and_doubt_more():
    values = [3.0, 1.0, 2.0, 1.5, 2.5]
    gain = log_expected_gain(played(values), 0.5, 1.0)
    assert log_expected_gain(played([*values, None, None, None]), 0.5, 1.0) < gain
    assert log_expected_gain(played(values), -5.0, 1.0) < gain < log_expected_gain(played(values), 0.5, 4.0)


def test_without_a_result_nothing_is_promised():
    assert log_expected_gain(played([]), 0.0, 1.0) == log_expected_gain(played([None, None]), 0.0, 1.0) == -math.inf


def test_a_strategy_of_another_package_is_asked_by_the_methods_name_of_today_or_of_before():
    class Asked:
        def expected_gain(self, history, best, variance_factor):
            return best * variance_factor

    class AskedAsBefore:
        def promise(self, history, best, doubt):
            return best * doubt

    class Silent:
        pass

    past = played([1.0])
    assert [expected_gain_of(kind(), past, 2.0, 3.0) for kind in (Asked, AskedAsBefore, Silent)] == [6.0, 6.0, None]
