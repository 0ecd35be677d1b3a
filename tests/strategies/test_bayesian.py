"""The Bayesian strategy: what it suggests, and that nothing stops it from suggesting."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from alfine.core.facts import Ended, Launched
from alfine.core.history import History
from alfine.core.ranges import Categorical, Continuous, Integer
from alfine.core.space import ParameterSpace
from alfine.core.spec import TuningJobSpec
from alfine.strategies import bayesian
from alfine.strategies.bayesian import Bayesian, initial_size
from alfine.surrogate.model import model_of

AT = datetime(2026, 1, 1, tzinfo=UTC)
PLANE = ParameterSpace({"x": Continuous(0.0, 1.0), "z": Continuous(0.0, 1.0)})
MIXED = ParameterSpace(
    {
        "lr": Continuous(1e-5, 1e-1, scaling="Logarithmic"),
        "layers": Integer(1, 8),
        "units": Integer(8, 4096, scaling="Logarithmic"),
        "kind": Categorical(("a", "b", "c")),
    }
)


def empty(space: ParameterSpace, *, seed: int = 0, goal: str = "Minimize", jobs: int | None = None) -> History:
    spec = TuningJobSpec(
        request={}, name="t", strategy="Bayesian", goal=goal, metric="m", space=space,
        definition=None, max_parallel=1, max_training_jobs=jobs, seed=seed,
        detect_convergence=False, min_resource=1,
    )  # fmt: skip
    return History(spec, AT)


def launch(history: History, hyperparameters: dict[str, Any]) -> int:
    number = history.launches + 1
    history.record(Launched(at=AT, number=number, name=str(number), hyperparameters=hyperparameters))
    return number


def end(history: History, number: int, objective: float | None) -> None:
    status = "Failed" if objective is None else "Completed"
    history.record(Ended(at=AT, number=number, status=status, objective=objective))


def searched(history: History, objective: Callable[[dict[str, Any]], float | None], count: int) -> History:
    for _ in range(count):
        suggestion = Bayesian().ask(history)
        assert suggestion is not None
        history.spec.space.check(suggestion.hyperparameters)
        end(history, launch(history, suggestion.hyperparameters), objective(suggestion.hyperparameters))
    return history


def bowl(h: dict[str, Any]) -> float:
    return float((h["x"] - 0.3) ** 2 + (h["z"] - 0.7) ** 2)


def mixed(h: dict[str, Any]) -> float:
    return float(
        (math.log10(h["lr"]) + 3) ** 2 + abs(h["layers"] - 4) / 4 + (h["kind"] != "b") + math.log(h["units"]) / 9
    )


def test_it_finds_the_minimum_of_a_bowl_in_25_training_jobs() -> None:
    assert searched(empty(PLANE), bowl, 25).incumbent.objective < 1e-3


def test_it_finds_the_maximum_when_asked_to_maximise() -> None:
    assert searched(empty(PLANE, goal="Maximize"), lambda h: -bowl(h), 25).incumbent.objective > -1e-3


def test_it_finds_the_best_of_a_mixed_space() -> None:
    best = searched(empty(MIXED), mixed, 40).incumbent.hyperparameters
    assert best["kind"] == "b"
    assert abs(best["layers"] - 4) <= 1
    assert abs(math.log10(best["lr"]) + 3) < 0.3


def test_the_same_history_gets_the_same_answer_whatever_is_in_the_memo() -> None:
    history = searched(empty(MIXED), mixed, 20)
    asked = Bayesian().ask(history)
    assert Bayesian().ask(history) == asked
    assert Bayesian().ask(history.upto(len(history.facts))) == asked


def test_another_seed_gives_another_search() -> None:
    first, second = (searched(empty(PLANE, seed=seed), bowl, 3) for seed in (1, 2))
    assert first.jobs[0].hyperparameters != second.jobs[0].hyperparameters


def test_every_configuration_of_a_finite_space_is_tried_once_and_then_none() -> None:
    space = ParameterSpace({"k": Integer(1, 5), "c": Categorical(("a", "b", "c"))})
    history = searched(empty(space), lambda h: h["k"], 15)
    assert len(history.configurations) == 15
    assert Bayesian().ask(history) is None


def test_parallel_slots_get_different_points_well_apart() -> None:
    history = searched(empty(PLANE), bowl, 12)
    points = []
    for _ in range(6):
        suggestion = Bayesian().ask(history)
        launch(history, suggestion.hyperparameters)
        points.append(PLANE.to_unit(suggestion.hyperparameters))
    gaps = [np.abs(a - b).max() for i, a in enumerate(points) for b in points[:i]]
    assert min(gaps) > 1e-4


def test_it_does_not_come_back_to_where_it_was() -> None:
    history = searched(empty(PLANE), lambda h: round(bowl(h), 2), 50)
    points = history.observations()[0]
    gaps = [np.linalg.norm(points[:i] - point, axis=1).min() for i, point in enumerate(points) if i]
    assert np.quantile(gaps, 0.1) > 0.005


def test_it_never_waits_for_results() -> None:
    history = empty(PLANE)
    for _ in range(20):
        launch(history, Bayesian().ask(history).hyperparameters)
    assert len({tuple(job.hyperparameters.values()) for job in history.jobs}) == 20


def test_with_hundreds_running_it_suggests_what_none_of_them_is() -> None:
    history = searched(empty(PLANE), bowl, 12)
    rng = np.random.default_rng(0)
    for _ in range(400):
        launch(history, PLANE.sample(rng))
    asked = PLANE.to_unit(Bayesian().ask(history).hyperparameters)
    assert np.linalg.norm(history.pending() - asked, axis=1).min() > 1e-3


def test_it_keeps_away_from_where_training_jobs_fail() -> None:
    history = searched(empty(PLANE), lambda h: None if h["x"] > 0.5 else bowl(h), 40)
    late = [job.status for job in history.jobs[20:]]
    assert late.count("Failed") <= 3
    assert history.incumbent.objective < 1e-3


def test_it_finds_the_best_beside_a_region_that_fails() -> None:
    history = searched(empty(PLANE), lambda h: None if h["x"] < 0.4 else bowl(h), 30)
    assert history.incumbent.objective < 0.011  # 0.01 at x = 0.4


def test_it_goes_on_when_every_training_job_failed() -> None:
    assert searched(empty(PLANE), lambda _: None, 15).ended == 15


@pytest.mark.parametrize("value", [0.0, -1e300, 1e-300])
def test_it_goes_on_when_the_objective_is_constant(value: float) -> None:
    assert searched(empty(MIXED), lambda _: value, 15).ended == 15


def test_it_goes_on_when_one_value_is_absurd() -> None:
    history = searched(empty(PLANE), lambda h: 1e30 if h["x"] > 0.8 else bowl(h), 25)
    assert history.incumbent.objective < 1e-2


def test_it_falls_back_to_a_random_point_when_the_numerics_break(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise np.linalg.LinAlgError("singular")

    history = searched(empty(PLANE), bowl, 10)
    monkeypatch.setattr(bayesian, "_search", broken)
    assert Bayesian().ask(history) is not None


def test_one_hyperparameter_is_enough() -> None:
    space = ParameterSpace({"x": Continuous(0.0, 1.0)})
    assert searched(empty(space), lambda h: abs(h["x"] - 0.42), 18).incumbent.objective < 1e-2


def test_categories_alone_are_enough() -> None:
    space = ParameterSpace({name: Categorical(tuple("abcdefgh")) for name in "pqrst"})
    history = searched(empty(space), lambda h: sum(value != "c" for value in h.values()), 50)
    assert history.incumbent.objective <= 1
    assert len(history.configurations) == 50


def test_the_initial_design_is_at_most_a_quarter_of_the_budget() -> None:
    assert initial_size(empty(MIXED, jobs=20).spec) == 5
    assert initial_size(empty(MIXED).spec) == 6
    assert initial_size(empty(MIXED, jobs=4).spec) == 4


@pytest.mark.parametrize("running", [0, 4])
@pytest.mark.parametrize("failing", [False, True])
def test_the_gradient_of_the_acquisition_is_that_of_finite_differences(failing: bool, running: int) -> None:  # noqa: FBT001
    history = searched(empty(PLANE), lambda h: None if failing and h["x"] > 0.6 else bowl(h), 12)
    surrogate = model_of(history).surrogate
    labels = bayesian._labelled(surrogate, history)
    assert (labels is not None) == failing
    rng, step = np.random.default_rng(0), 1e-6
    imagined = surrogate.with_fantasies(rng.random((running, 2)), rng.standard_normal((running, 3)))
    acquisition = bayesian._Acquisition(imagined, imagined.posterior(imagined.X)[0].min(0), labels)
    points = rng.random((5, 2))
    gradient = acquisition.gradient(points)
    for j in range(2):
        e = step * np.eye(2)[j]
        difference = (acquisition(points + e) - acquisition(points - e)) / (2 * step)
        np.testing.assert_allclose(gradient[:, j], difference, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("running", [0, 4])
@pytest.mark.parametrize("failing", [False, True])
def test_the_acquisition_is_what_samples_of_the_posterior_say(failing: bool, running: int) -> None:  # noqa: FBT001
    """Improvement over each fantasy's incumbent, on average over fantasies and samples, times P(success) as often as CAUTION says."""
    history = searched(empty(PLANE), lambda h: None if failing and h["x"] > 0.6 else bowl(h), 6)
    surrogate = model_of(history).surrogate
    labels = bayesian._labelled(surrogate, history)
    rng = np.random.default_rng(0)
    imagined = surrogate.with_fantasies(rng.random((running, 2)), rng.standard_normal((running, 3)))
    best = imagined.posterior(imagined.X)[0].min(0)
    acquisition = bayesian._Acquisition(imagined, best, labels)
    points = bayesian._ranked(acquisition, rng.random((300, 2)))[:6]
    mean, variance = imagined.posterior(points)
    normal = rng.standard_normal((200_000, 1))
    said = [np.maximum(best - (m + math.sqrt(v) * normal), 0.0).mean() for m, v in zip(mean, variance, strict=True)]
    if labels is not None:
        label, doubt = labels.posterior(points)
        succeeded = label + np.sqrt(doubt + bayesian.FAILURE_NOISE) * normal > 0
        said *= succeeded.mean(0) ** bayesian.CAUTION
    np.testing.assert_allclose(np.exp(acquisition(points)), said, rtol=0.03)
