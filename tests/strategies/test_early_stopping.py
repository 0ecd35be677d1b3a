import numpy as np
import pytest

from alfine.core.judge import Judge
from alfine.jobs.policy_for import policy_for
from alfine.strategies.hyperband import CROWD
from alfine.surrogate.learning_curves import LEAST_CURVES
from tests.building import history, one_job

STEPS = np.arange(10)


def curve(end, start=3.0):
    """From `start` down to `end`, the slower the later."""
    way = (np.exp(-STEPS / 3.0) - np.exp(-STEPS[-1] / 3.0)) / (1 - np.exp(-STEPS[-1] / 3.0))
    return [float(v) for v in end + (start - end) * way]


ENDS = (0.5, 0.9, 0.2, 0.7, 0.4, 0.3, 1.0, 0.6)
WHOLE = [curve(end, 3.0 + 0.1 * (-1) ** i) for i, end in enumerate(ENDS)]


def judged(curves, **words):
    past = history(early_stopping="Auto", **words)
    judge = Judge(past, policy_for(past.spec))
    for each in curves:
        judge.record(one_job(past, each[-1], reports=each))
    return judge


def with_reports(judge, reports):
    judge.record(one_job(judge.history, None, reports=reports)[:-1])
    return judge


def test_a_training_job_that_will_hardly_end_best_is_stopped():
    judge = with_reports(judged(WHOLE), curve(1.6)[:6])
    (stop,) = judge.due()
    assert stop.number == len(WHOLE) + 1
    assert (
        "by the curves of 8 training jobs, that is its chance of ending better than 0.2, the best so far."
        in stop.reason
    )
    assert stop.reason.startswith("Stopped early: chance of the best ")


def test_one_that_may_end_best_goes_on_though_it_is_behind_now():
    """The median rule would stop it: it's worse than all others were after as many emissions."""
    slow = [[v + 1.0 * (i < 6) for i, v in enumerate(curve(end - 0.6))] for end in ENDS[:4]]
    judge = with_reports(judged([*slow, *WHOLE]), [v + 1.0 for v in curve(-0.2)[:4]])
    assert judge.due() == ()


def test_one_that_has_reported_as_often_as_the_others_is_at_its_end_and_completes():
    assert with_reports(judged(WHOLE), [*curve(0.1)[:9], 9.0]).due() == ()
    assert len(with_reports(judged(WHOLE), [*curve(0.1)[:8], 9.0]).due()) == 1


def test_nobody_is_stopped_before_enough_have_ended_by_themselves():
    assert with_reports(judged(WHOLE[: LEAST_CURVES - 1]), [99.0, 99.0]).due() == ()


def test_training_jobs_that_were_stopped_are_no_measure():
    judge = judged(WHOLE[: LEAST_CURVES - 1])
    judge.record(one_job(judge.history, 0.1, reports=[0.1, 0.1], status="Stopped"))
    assert with_reports(judge, [99.0, 99.0]).due() == ()


def test_one_emission_each_says_nothing_about_curves():
    assert with_reports(judged([[1.0], [2.0], [3.0], [4.0], [5.0]]), [99.0]).due() == ()


def test_maximising_stops_the_low_ones():
    judge = judged([[-v for v in each] for each in WHOLE], goal="Maximize")
    assert len(with_reports(judge, [-v for v in curve(1.6)[:6]]).due()) == 1


def test_each_emission_is_judged_even_when_many_arrive_at_once():
    assert len(with_reports(judged(WHOLE), [*curve(1.6)[:6], 0.1]).due()) == 1


def test_a_training_job_that_has_ended_is_not_stopped_any_more():
    judge = judged(WHOLE)
    judge.record(one_job(judge.history, 9.0, reports=[9.0, 9.0, 9.0]))
    assert judge.due() == ()


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_a_record_read_again_leads_to_the_same_stops(strategy):
    rng = np.random.default_rng(0)
    curves = [curve(rng.normal(), 3 + 0.3 * rng.normal())[: rng.integers(3, 11)] for _ in range(15)]
    judge = judged(WHOLE, strategy=strategy)
    for each in curves:
        with_reports(judge, each)
    again = history(early_stopping="Auto", strategy=strategy)
    other = Judge(again, policy_for(again.spec))
    other.record(judge.history.facts)
    assert other.due() == judge.due() != ()


def hyperband(**words):
    past = history(strategy="Hyperband", **words)
    return Judge(past, policy_for(past.spec))


def test_hyperband_lets_the_best_third_of_a_crowd_pass_a_rung():
    judge = hyperband(max_resource=9)
    for value in range(CROWD):
        with_reports(judge, [float(value)])
    assert [stop.number for stop in judge.due()] == [CROWD]
    with_reports(judge, [1.5])
    assert [stop.number for stop in judge.due()] == [CROWD]
    with_reports(judge, [5.5])
    assert [stop.number for stop in judge.due()] == [CROWD, CROWD + 2]
    assert judge.due()[1].reason == (
        "Stopped at rung 1: objective 5.5 is number 8 of the 14 training jobs that reached it; the best 4 go on."
    )


def test_hyperband_goes_by_curves_as_soon_as_some_went_all_the_way():
    judge = hyperband(min_resource=3, max_resource=10)
    for each in WHOLE:
        judge.record(one_job(judge.history, each[-1], reports=each, status="Stopped"))
    with_reports(judge, curve(1.6)[:2])
    with_reports(judge, curve(1.6)[:6])
    (stop,) = judge.due()
    assert stop.number == len(WHOLE) + 2
    assert "its chance of ending better than" in stop.reason


def test_hyperband_stops_a_training_job_that_has_had_everything():
    past = history(strategy="Hyperband", max_resource=3)
    judge = Judge(past, policy_for(past.spec))
    judge.record(one_job(past, 1.0, reports=[3.0, 2.0, 1.0])[:-1])
    assert "Reached MaxResource" in judge.due()[0].reason
