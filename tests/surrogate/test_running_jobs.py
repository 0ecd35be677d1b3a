"""Running training jobs: their chance of ending best, and what the surrogate is told of them."""

from __future__ import annotations

import numpy as np
import pytest

from alfine.surrogate.learning_curves import LEAST_CURVES
from alfine.surrogate.model import model_of
from alfine.surrogate.running_jobs import chance_of_best, surrogate_with_running_curves
from tests.building import history, one_job

STEPS = np.arange(12)


def curve(end, start=3.0):
    way = (np.exp(-STEPS / 4.0) - np.exp(-STEPS[-1] / 4.0)) / (1 - np.exp(-STEPS[-1] / 4.0))
    return [float(v) for v in end + (start - end) * way]


def with_whole(ends, **words):
    past = history(**words)
    for end in ends:
        reports = curve(end, 3.0 + 0.1 * end)
        for fact in one_job(past, reports[-1], reports=reports):
            past.record(fact)
    return past


def running(past, end, emissions):
    for fact in one_job(past, None, reports=curve(end, 3.0 + 0.1 * end)[:emissions])[:-1]:
        past.record(fact)
    return past.jobs[-1]


ENDS = [0.5, 0.9, 0.2, 0.7, 0.4, 0.6, 0.3, 0.8]


def test_a_bad_curve_has_no_chance_and_a_good_one_has():
    past = with_whole(ENDS)
    bad, good = running(past, 1.5, 6), running(past, -0.5, 6)
    assert chance_of_best(past, bad).probability < 0.01
    found = chance_of_best(past, good)
    assert found.probability > 0.9
    assert (found.emissions, found.learnt_from, found.best) == (6, 8, pytest.approx(0.2))


def test_nothing_is_said_before_enough_went_all_the_way_or_longer_than_those():
    past = with_whole(ENDS[: LEAST_CURVES - 1])
    assert chance_of_best(past, running(past, 9.0, 6)) is None
    past = with_whole(ENDS)
    job = running(past, 9.0, 12)
    for fact in one_job(past, None, reports=[9.0])[2:-1]:
        past.record(type(fact)(at=fact.at, number=job.number, metric=fact.metric, step=13, value=9.0))
    assert chance_of_best(past, job) is None


def test_the_objective_s_unit_and_direction_change_nothing():
    def asked(scale, goal):
        past = history(goal=goal)
        for end in ENDS:
            reports = [scale * v + 7.0 for v in curve(end)]
            for fact in one_job(past, reports[-1], reports=reports):
                past.record(fact)
        for fact in one_job(past, None, reports=[scale * v + 7.0 for v in curve(0.25)][:4])[:-1]:
            past.record(fact)
        return chance_of_best(past, past.jobs[-1]).probability

    plain = asked(1.0, "Minimize")
    assert 0.0 < plain < 1.0
    assert asked(1e-3, "Minimize") == pytest.approx(plain, rel=1e-6)
    assert asked(-20.0, "Maximize") == pytest.approx(plain, rel=1e-6)


def test_a_record_read_again_gives_the_same_chance():
    past = with_whole(ENDS)
    job = running(past, 0.3, 3)
    again = past.upto(len(past.facts))
    assert chance_of_best(past, job) == chance_of_best(again, again.job(job.number))


def test_the_surrogate_is_told_what_a_running_curve_promises():
    past = with_whole(ENDS)
    job = running(past, 0.1, 9)
    point = past.spec.space.to_unit(job.hyperparameters)[None, :]
    before, after = model_of(past).surrogate.posterior(point), surrogate_with_running_curves(past).posterior(point)
    assert after[0][0] < before[0][0]
    assert after[1][0] < before[1][0]


def test_a_training_job_that_was_cut_short_counts_as_what_its_curve_promises():
    """Its last value is that of a curve which had far to go."""
    past = with_whole(ENDS)
    reports = curve(0.1, 3.01)[:5]
    for fact in one_job(past, reports[-1], reports=reports, status="Stopped"):
        past.record(fact)
    model = model_of(past)
    assert reports[-1] > 1.0
    assert model.surrogate.y[-1] < model.scale.targets(np.array([0.6]))[0]


def test_odd_curves_break_nothing():
    past = with_whole(ENDS)
    for reports in ([1e308, -1e308, float("nan"), 5.0], [0.0] * 5):
        for fact in one_job(past, reports[-1], reports=reports, status="Stopped"):
            past.record(fact)
    job = running(past, 0.1, 2)
    assert 0.0 <= chance_of_best(past, job).probability <= 1.0
    assert np.isfinite(surrogate_with_running_curves(past).posterior(np.full((1, 3), 0.5))[0]).all()
