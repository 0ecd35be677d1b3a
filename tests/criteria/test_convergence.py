"""ConvergenceDetected: what it promises, what it must not depend on, and what it says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from alfine.core.errors import InvalidSpec
from alfine.core.facts import Ended, Launched
from alfine.core.history import History
from alfine.core.ranges import Categorical, Continuous
from alfine.core.space import ParameterSpace
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook, Verdict
from alfine.criteria import improvement
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.forecast import forecast_of
from alfine.criteria.improvement import read_evidence, remaining

AT = datetime(2026, 1, 1, tzinfo=UTC)
PLANE = ParameterSpace({"x": Continuous(0.0, 1.0), "z": Continuous(0.0, 1.0)})


def recorded(
    points: Any,
    values: Sequence[float | None],
    *,
    space: ParameterSpace = PLANE,
    goal: str = "Minimize",
    jobs: int | None = 200,
) -> History:
    """points: (n, d) of the cube; None is a failed training job."""
    spec = TuningJobSpec(
        request={}, name="t", strategy="Bayesian", goal=goal, metric="m", space=space,
        definition=None, max_parallel=1, max_training_jobs=jobs, seed=5,
        detect_convergence=False, min_resource=1,
    )  # fmt: skip
    history = History(spec, AT)
    for number, (point, value) in enumerate(zip(points, values, strict=True), 1):
        hyperparameters = space.from_unit(np.asarray(point))
        history.record(Launched(at=AT, number=number, name=str(number), hyperparameters=hyperparameters))
        status = "Failed" if value is None else "Completed"
        history.record(Ended(at=AT, number=number, status=status, objective=value))
    return history


def narrowing(n: int, d: int = 2) -> Any:
    """A search that closes in on (.3, .3, …) as good strategies do."""
    rng = np.random.default_rng(0)
    width = 0.75 ** np.maximum(0, np.arange(n) - 8)
    return np.clip(0.3 + width[:, None] * (rng.random((n, d)) - 0.3), 0, 1)


def bowl(points: Any) -> Any:
    return 0.2 + ((points - 0.3) ** 2).sum(1)


def p_of(history: History, **settings: Any) -> float:
    return float(ConvergenceDetected(**settings).check(history).evidence["probability_of_improvement"])


def first_stop(history: History) -> int | None:
    for fact, past in history.replayed():
        if isinstance(fact, Ended) and ConvergenceDetected().check(past).outlook is Outlook.STOP:
            return past.ended
    return None


def test_a_solved_bowl_stops_within_100_training_jobs() -> None:
    points = narrowing(100)
    stopped = first_stop(recorded(points, bowl(points)))
    assert stopped is not None
    assert stopped >= 10


def test_a_search_that_improves_steadily_never_stops() -> None:
    points = np.random.default_rng(1).random((120, 2))
    points[:, 0] = 1 - np.arange(120) / 120
    assert first_stop(recorded(points, 0.1 + points[:, 0], jobs=120)) is None


def test_noise_around_a_constant_stops() -> None:
    rng = np.random.default_rng(2)
    assert first_stop(recorded(rng.random((100, 2)), 1.0 + 1e-4 * rng.standard_normal(100))) is not None


def test_a_constant_objective_stops() -> None:
    assert first_stop(recorded(np.random.default_rng(0).random((60, 2)), [0.5] * 60)) is not None


def test_an_objective_of_a_few_steps_stops() -> None:
    points = narrowing(80)
    assert first_stop(recorded(points, np.round(10 * bowl(points)) / 10)) is not None


@pytest.mark.parametrize("factor", [1e-6, 7.0, 1e6])
def test_the_units_of_the_objective_do_not_matter(factor: float) -> None:
    points = narrowing(40)
    expected = p_of(recorded(points, bowl(points)))
    assert p_of(recorded(points, factor * bowl(points))) == pytest.approx(expected, abs=0.01)


def test_neither_does_its_sign_with_its_goal() -> None:
    points = narrowing(40)
    expected = p_of(recorded(points, bowl(points)))
    assert p_of(recorded(points, -bowl(points), goal="Maximize")) == expected


def test_neither_do_the_names_of_the_hyperparameters() -> None:
    points, other = narrowing(40), ParameterSpace({"q": Continuous(0.0, 1.0), "r": Continuous(0.0, 1.0)})
    expected = p_of(recorded(points, bowl(points)))
    assert p_of(recorded(points, bowl(points), space=other)) == expected


def test_a_larger_epsilon_is_improved_on_less_probably() -> None:
    history = recorded(points := np.random.default_rng(4).random((40, 2)), bowl(points))
    probabilities = [p_of(history, epsilon=epsilon) for epsilon in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)]
    assert probabilities == sorted(probabilities, reverse=True)


def test_a_cap_makes_epsilon_a_share_of_the_spread_at_most() -> None:
    points = np.random.default_rng(4).random((40, 2))
    history = recorded(points, 100 + bowl(points))
    free, capped = (ConvergenceDetected(cap=cap).check(history).evidence["epsilon"] for cap in (None, 0.1))
    assert free == pytest.approx(1.0, rel=0.01)
    assert capped < 0.1


def test_a_used_up_budget_is_left_to_the_limit_of_training_jobs() -> None:
    points = narrowing(40)
    verdict = ConvergenceDetected().check(recorded(points, bowl(points), jobs=40))
    assert verdict.outlook is Outlook.CONTINUE
    assert verdict.evidence["remaining"] == 0


def test_the_number_still_needed_is_told() -> None:
    verdict = ConvergenceDetected().check(recorded(narrowing(6), bowl(narrowing(6))))
    assert verdict.sentence == "Convergence is judged once there are 10 objectives; so far: 6."
    assert verdict.outlook is Outlook.CONTINUE


def test_failed_training_jobs_are_no_results() -> None:
    values = [None if i % 2 else 1.0 for i in range(18)]
    assert (
        ConvergenceDetected()
        .check(recorded(np.random.default_rng(0).random((18, 2)), values))
        .sentence.endswith("so far: 9.")
    )


def test_the_evidence_is_plain_numbers() -> None:
    points = narrowing(30)
    verdict = ConvergenceDetected().check(recorded(points, bowl(points)))
    assert all(value is None or type(value) in (int, float) for value in verdict.evidence.values())
    assert {
        "probability_of_improvement", "epsilon", "epsilon_relative", "expected_residual_improvement",
        "delta", "finished", "since_improvement", "forecast_training_jobs", "remaining",
    } <= set(verdict.evidence)  # fmt: skip


def test_it_says_how_likely_an_improvement_is_and_when_it_expects_to_complete() -> None:
    points = np.random.default_rng(0).random((15, 2))
    sentence = ConvergenceDetected().check(recorded(points, bowl(points))).sentence
    assert "% chance that the remaining 185 training jobs improve the best by more than" in sentence
    assert "completes below 5 %, expected at about training job" in sentence


def test_at_the_end_it_says_what_it_promises() -> None:
    points = narrowing(100)
    verdict = ConvergenceDetected().check(recorded(points, -bowl(points), goal="Maximize"))
    assert verdict.outlook is Outlook.STOP
    assert verdict.sentence.startswith(
        "With probability >= 95 % the best found, -0.2, is within 0.002 (1 %) of the best"
    )
    assert verdict.sentence.endswith("within its budget of 200 training jobs.")


def test_the_forecast_is_of_the_same_probability_and_of_the_first_time_that_it_is_low_enough() -> None:
    points = np.random.default_rng(0).random((30, 2))
    evidence, _ = read_evidence(recorded(points, bowl(points)), 170)
    eps = ConvergenceDetected().epsilon_of(evidence)
    ahead = improvement.score_ahead(evidence, eps, evidence.since(eps) + np.arange(171))
    assert ahead[0] == pytest.approx(improvement.logit(evidence.probability(eps)))
    h = improvement.jobs_until(evidence, eps, 0.05)
    assert 0 < h < 170
    assert ahead[h] < improvement.logit(0.05) <= ahead[:h].min()


def test_the_forecast_comes_about_true_when_nothing_improves() -> None:
    points = np.random.default_rng(0).random((30, 2))
    values = bowl(points)
    history = recorded(points, values)
    said = forecast_of(history, [ConvergenceDetected()]).training_jobs
    assert said is not None
    more = np.random.default_rng(1).random((170, 2))
    for number, (point, value) in enumerate(zip(more, np.maximum(bowl(more), min(values)), strict=True), 31):
        where = PLANE.from_unit(point)
        history.record(Launched(at=AT, number=number, name=str(number), hyperparameters=where))
        history.record(Ended(at=AT, number=number, status="Completed", objective=float(value)))
        if ConvergenceDetected().check(history).outlook is Outlook.STOP:
            break
    assert said[0] <= history.ended - 30 <= said[2]


def test_the_residual_improvement_lies_between_nothing_and_the_grid() -> None:
    points = np.random.default_rng(0).random((30, 2))
    evidence, _ = read_evidence(recorded(points, bowl(points)), 170)
    assert 0 < evidence.expected_residual_improvement() < 0.3 * evidence.spread


def test_without_a_limit_the_budget_is_as_much_again_and_50_at_least() -> None:
    assert remaining(recorded(narrowing(20), bowl(narrowing(20)), jobs=None)) == 50
    assert remaining(recorded(narrowing(80), bowl(narrowing(80)), jobs=None)) == 80


def test_the_same_history_gets_the_same_verdict_from_an_empty_memo() -> None:
    points = narrowing(30)
    whole = recorded(points, bowl(points))
    for fact, past in whole.replayed():
        if isinstance(fact, Ended):
            grown = ConvergenceDetected().check(past)
    assert ConvergenceDetected().check(whole) == grown


def test_a_surrogate_that_fails_is_told_and_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise np.linalg.LinAlgError("singular")

    monkeypatch.setattr(improvement, "_prospects", broken)
    verdict = ConvergenceDetected().check(recorded(p := np.random.default_rng(0).random((20, 2)), bowl(p)))
    assert "without the surrogate, which failed: singular" in verdict.sentence
    assert (verdict.evidence["probability_of_improvement"] > 0, verdict.evidence["noise"]) == (True, 0.0)


def awkward() -> dict[str, History]:
    rng = np.random.default_rng(0)
    P, one = rng.random((30, 2)), ParameterSpace({"x": Continuous(0.0, 1.0)})
    cat = ParameterSpace({"c": Categorical(tuple("abcdefghijkl")), "e": Categorical(tuple("abcdefghijkl"))})
    v = bowl(P)
    return {
        "no result": recorded(P[:0], []),
        "one result": recorded(P[:1], v[:1]),
        "all failed": recorded(P, [None] * 30),
        "nan and infinity": recorded(P, [math.nan, math.inf, -math.inf, *v[3:]]),
        "duplicates": recorded(np.repeat(P[:3], 10, axis=0), np.repeat(v[:3], 10)),
        "one hyperparameter": recorded(P[:, :1], v, space=one),
        "categories alone": recorded(P, v, space=cat),
        "best of 0": recorded(P, v - v.min()),
        "changing sign": recorded(P, v - np.median(v)),
        "all 0": recorded(P, [0.0] * 30),
        "an absurd value": recorded(P, [1e300, -1.0, *v[2:]]),
        "tiny": recorded(P, 1e-300 * v),
        "750 results": recorded(Q := rng.random((750, 2)), bowl(Q), jobs=1000),
    }


@pytest.mark.parametrize("case", list(awkward()))
def test_awkward_histories_get_a_verdict(case: str) -> None:
    verdict = ConvergenceDetected().check(awkward()[case])
    assert isinstance(verdict, Verdict)
    p = verdict.evidence["probability_of_improvement"]
    assert p is None or 0 <= p <= 1
    assert "without the surrogate" not in verdict.sentence


def test_its_settings_survive_the_request() -> None:
    request: dict[str, Any] = {}
    ConvergenceDetected(epsilon=0.02, cap=0.1).to_request(request)
    config = request["HyperParameterTuningJobConfig"]["TuningJobCompletionCriteria"]
    assert config == {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}
    spec = TuningJobSpec(
        request=request, name="t", strategy="Random", goal="Minimize", metric="m", space=PLANE, definition=None,
        max_parallel=1, detect_convergence=True, min_resource=1, seed=0,
        settings={"ConvergenceDetected": request["Tags"][0]["Value"]},
    )  # fmt: skip
    assert ConvergenceDetected.from_spec(spec) == ConvergenceDetected(epsilon=0.02, cap=0.1)


@pytest.mark.parametrize(
    "settings", [{"epsilon": 0}, {"delta": 1.0}, {"delta": math.nan}, {"cap": -1}, {"epsilon": "x"}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match=next(iter(settings))):
        ConvergenceDetected(**settings)


def noisy(deviation: float, n: int = 200) -> History:
    """A search that closes in on the optimum of a bowl and then stays about it."""
    rng = np.random.default_rng(7)
    width = np.maximum(0.75 ** np.maximum(0, np.arange(n) - 8), 0.1)[:, None]
    points = np.clip(0.3 + width * rng.standard_normal((n, 2)), 0, 1)
    return recorded(points, bowl(points) + deviation * rng.standard_normal(n))


def test_in_noise_half_of_it_matters_at_least() -> None:
    evidence, _ = read_evidence(noisy(0.02, 60), 140)
    assert evidence.noise == pytest.approx(0.02, rel=0.4)
    assert ConvergenceDetected().epsilon_of(evidence) == 0.5 * evidence.noise
    quiet, _ = read_evidence(noisy(0.0, 60), 140)
    assert quiet.noise == 0.0
    assert quiet.expected == pytest.approx(quiet.values, abs=1e-3 * quiet.spread)


def test_lucky_results_are_no_improvement() -> None:
    """The best of noisy results comes ever again; what is expected without noise stays."""
    history = noisy(0.02, 60)
    evidence, _ = read_evidence(history, 140)
    lucky = int(np.argmin(evidence.values))
    assert evidence.expected[lucky] - evidence.values[lucky] > 0.01
    truth = bowl(history.observations()[0])
    assert np.abs(evidence.expected - truth).mean() < 0.6 * np.abs(evidence.values - truth).mean()


def test_noise_delays_the_end_of_a_solved_search_little() -> None:
    stopped = first_stop(noisy(0.02))
    assert stopped is not None
    assert stopped <= 100
