"""Random search spreads its training jobs, and each by itself is uniform."""

import numpy as np
import pytest

from alfine import Categorical, Continuous, Integer
from alfine.core.facts import Launched
from alfine.strategies import strategy_for
from tests.building import history

CUBE = {f"x{j}": Continuous(0, 1, scaling="Linear") for j in range(8)}


def drawn(count, **words):
    """Configurations of a random search, all launched side by side."""
    past = history(strategy="Random", **words)
    strategy = strategy_for(past.spec)
    for number in range(1, count + 1):
        point = strategy.ask(past).hyperparameters
        past.record(Launched(at=past.now, number=number, name=str(number), hyperparameters=point))
    return [job.hyperparameters for job in past.jobs]


@pytest.mark.parametrize("seed", range(5))
def test_no_axis_is_left_open(seed):
    for name in CUBE:
        places = np.sort([point[name] for point in drawn(24, space=CUBE, seed=seed)])
        gaps = np.diff(places, append=places[0] + 1.0)
        assert gaps.max() < 0.12, "independent draws leave 0.17 on average"


def test_each_training_job_by_itself_is_uniform():
    third = np.array([list(drawn(3, space=CUBE, seed=seed)[2].values()) for seed in range(200)])
    assert np.allclose(third.mean(0), 0.5, atol=4 * np.sqrt(1 / 12 / 200))
    assert np.allclose(third.var(0), 1 / 12, atol=0.02)


def test_categories_and_integers_come_about_equally_often():
    space = {"kind": Categorical([*"abcd"]), "n": Integer(1, 5), "x": Continuous(0, 1)}
    found = drawn(40, space=space)
    for name, count in (("kind", 4), ("n", 5)):
        times = np.unique([point[name] for point in found], return_counts=True)[1]
        assert len(times) == count
        assert np.abs(times - 40 / count).max() <= 2


def test_as_many_hyperparameters_as_may_be_tuned_move_apart():
    space = {f"x{j}": Continuous(0, 1, scaling="Linear") for j in range(30)}
    points = np.array([list(point.values()) for point in drawn(50, space=space)])
    agreement = np.corrcoef(points.T) - np.eye(30)
    assert np.abs(agreement).max() < 0.6, "independent draws: 0.44 on average"
