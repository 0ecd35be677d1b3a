"""The best result was lucky, too: its estimate and interval against known truths."""

import numpy as np
import pytest

from alfine import Categorical, Continuous, Tuner
from alfine.core.history import History
from alfine.surrogate.best_estimate import estimate, quantile
from tests.building import EPOCH, history, one_job, spec

CUBE = {name: Continuous(0.0, 1.0) for name in ("a", "b", "c")}


def truth(x):
    return 3.0 * sum((x[name] - centre) ** 2 for name, centre in zip("abc", (0.3, 0.6, 0.5), strict=True))


def searched(count, noise, seed, objective=truth, sign=1.0, **words):
    """Random search of a noisy objective."""
    past, rng = History(spec(space=CUBE, seed=seed, strategy="Random", **words), EPOCH), np.random.default_rng(seed)
    for _ in range(count):
        x = past.spec.space.sample(past.rng())
        for fact in one_job(past, sign * (objective(x) + noise * rng.standard_normal()), hyperparameters=x):
            past.record(fact)
    return past


@pytest.mark.parametrize(("count", "noise"), [(20, 0.3), (60, 0.3), (60, 1.0), (120, 0.1)])
def test_the_interval_holds_the_truth_and_the_estimate_is_nearer_to_it_than_the_best_result(count, noise):
    held, errors, lucks = [], [], []
    for seed in range(20):
        past = searched(count, noise, seed)
        found, real = estimate(past), truth(past.incumbent.hyperparameters)
        held.append(found.low <= real <= found.high)
        errors.append(found.value - real)
        lucks.append(past.incumbent.objective - real)
    assert np.mean(held) >= 0.8
    assert np.sqrt(np.mean(np.square(errors))) < 0.6 * np.sqrt(np.mean(np.square(lucks)))
    assert np.mean(lucks) < -0.5 * noise  # the best of many is lucky
    assert abs(np.mean(errors)) < 0.4 * abs(np.mean(lucks))


def test_the_noise_is_found():
    noises = [estimate(searched(100, 0.5, seed)).noise for seed in range(6)]
    assert 0.3 < np.mean(noises) < 0.7


def test_without_noise_the_best_is_what_it_is():
    past = searched(60, 0.0, 1)
    found = estimate(past)
    assert found.low <= past.incumbent.objective + 1e-6
    assert found.high - found.low < 0.05
    assert abs(found.luck) < 0.02


def test_a_maximised_metric_is_the_mirror_image():
    small, large = estimate(searched(40, 0.3, 2)), estimate(searched(40, 0.3, 2, sign=-1.0, goal="Maximize"))
    assert large.value == pytest.approx(-small.value)
    assert (large.low, large.high) == (pytest.approx(-small.high), pytest.approx(-small.low))
    assert large.luck == pytest.approx(small.luck)
    assert small.luck > 0


def test_other_runs_of_the_best_tell_noise_from_a_rough_objective():
    def again(past, values):
        best = past.incumbent.hyperparameters
        for value in values:
            for fact in one_job(past, value, hyperparameters=best):
                past.record(fact)
        return estimate(past)

    once = estimate(searched(40, 0.4, 3))
    past = searched(40, 0.4, 3)
    real, rng = truth(past.incumbent.hyperparameters), np.random.default_rng(9)
    often = again(past, real + 0.4 * rng.standard_normal(12))
    assert often.runs == 13
    assert often.high - often.low < 0.7 * (once.high - once.low)
    past = searched(40, 0.4, 3)
    value = past.incumbent.objective
    same = again(past, [value] * 6)  # the same each time: what looked like noise is the objective's own roughness
    assert same.value == pytest.approx(value, abs=0.05)


def rerun(past, count, times, noise, rng):
    """The best `count` are run again, `times` each."""
    for job in sorted(past.finished, key=lambda each: each.objective)[:count]:
        for _ in range(times):
            value = truth(job.hyperparameters) + noise * rng.standard_normal() if noise else job.objective
            for fact in one_job(past, value, hyperparameters=job.hyperparameters):
                past.record(fact)
    return past


def test_runs_that_come_out_the_same_each_time_show_that_what_looked_like_noise_was_a_fixed_seed():
    """Neighbours differ as much as by noise, at any distance: the results are of the configuration itself all the same."""
    for seed in range(5):
        past = searched(60, 0.3, seed)
        best = past.incumbent.objective
        assert estimate(past).noise > 0.1
        found = estimate(rerun(past, 3, 2, 0.0, None))
        assert found.value == pytest.approx(best, abs=0.01)
        assert found.noise < 0.01


def test_the_interval_holds_the_truth_once_the_best_few_were_run_again():
    held, widths = [], []
    for seed in range(20):
        past = rerun(searched(60, 0.3, seed), 3, 4, 0.3, np.random.default_rng(seed + 100))
        found, real = estimate(past), truth(past.incumbent.hyperparameters)
        held.append(found.low <= real <= found.high)
        widths.append(found.high - found.low)
    assert np.mean(held) >= 0.8
    assert np.mean(widths) < 2.5 * 0.3


def test_too_few_objectives_or_equal_ones_say_nothing():
    assert estimate(history()) is None
    assert estimate(history([1.0] * 9)) is None
    assert estimate(history([1.0] * 30)) is None
    assert estimate(history(range(12))) is not None


def test_it_is_a_function_of_the_facts():
    past = searched(30, 0.3, 4)
    assert estimate(past) == estimate(past.upto(len(past.facts)))


def test_categories_alone_are_enough():
    past = History(spec(space={"kind": Categorical(list("xyz"))}, strategy="Random"), EPOCH)
    rng = np.random.default_rng(0)
    for n in range(60):
        for fact in one_job(past, (n % 3) + 0.5 * rng.standard_normal(), hyperparameters={"kind": "xyz"[n % 3]}):
            past.record(fact)
    found = estimate(past)
    assert found.low <= 0.0 <= found.high
    assert found.runs == 20


def test_quantiles_of_a_mixture():
    rng = np.random.default_rng(0)
    mean, variance, weights = np.array([0.0, 3.0]), np.array([1.0, 0.25]), np.array([0.7, 0.3])
    which = rng.choice(2, 200_000, p=weights)
    drawn = mean[which] + np.sqrt(variance[which]) * rng.standard_normal(200_000)
    for share in (0.05, 0.5, 0.95):
        assert quantile(mean, variance, weights, share) == pytest.approx(np.quantile(drawn, share), abs=0.02)


def test_the_estimate_lies_in_its_interval_where_hardly_any_noise_is_left():
    for seed in range(6):
        tuner = Tuner({"x": Continuous(-1, 1)}, seed=seed, max_training_jobs=11)
        while suggestion := tuner.ask():
            tuner.tell(suggestion, round((suggestion.hyperparameters["x"] - 0.3) ** 2 + 0.4733333, 5))
        found = tuner.best_estimate
        assert found.low <= found.value <= found.high, seed
