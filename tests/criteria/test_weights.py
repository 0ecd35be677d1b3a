"""The weights of ConvergenceDetected are those that bench/stopping/fit.py finds in the signals that it keeps."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from alfine.criteria.improvement import WEIGHTS

FILE = Path(__file__).parents[2] / "bench" / "stopping" / "fit.py"
spec = importlib.util.spec_from_file_location("stopping_fit", FILE)
fit = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = fit
spec.loader.exec_module(fit)


@pytest.fixture(scope="module")
def looks():
    return fit.kept()


def test_the_constants_are_the_fit(looks):
    theta, _, _ = fit.fitted_weights([each for each in looks if each.search["fitted"]])
    assert list(WEIGHTS.values()) == pytest.approx(list(theta), abs=1e-3)


def test_no_task_is_on_both_sides(looks):
    fitted, held_out = ({each.group() for each in looks if each.search["fitted"] is side} for side in (True, False))
    assert not fitted & held_out


def test_the_promise_holds_where_it_is_made_on_tasks_not_fitted_on(looks):
    held_out = [each for each in looks if not each.search["fitted"]]
    p = [fit.probabilities(np.array(list(WEIGHTS.values())), each) for each in held_out]
    stops = np.array([fit.stop(each, q, 200, 0.05) for each, q in zip(held_out, p, strict=True)])
    made = stops[stops[:, 3] > 0]
    assert len(made) > 100
    assert (made[:, 1] > 1.0).mean() < 0.1, "5 % are promised; so many searches show it to within some 4 points"


def test_a_search_stops_at_the_first_look_below_delta():
    look = fit.Looks(
        search={"task": "bowl/0"}, signals=np.zeros((4, 1)), ended=np.array([10, 20, 30, 10]), budget=np.array([50, 50, 50, 100]),
        usual=np.ones(4, bool), loss=np.array([3.0, 2.0, 0.5, 9.0]), excess=np.zeros(4),
    )  # fmt: skip
    assert fit.stop(look, np.array([0.5, 0.04, 0.01, 0.01]), 50, 0.05)[:2] == (0.4, 2.0)
    assert fit.stop(look, np.array([0.5, 0.4, 0.3, 0.01]), 50, 0.05)[:2] == (1.0, 0.0)
