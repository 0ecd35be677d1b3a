from alfine.core.replay import Judge
from alfine.early_stopping import LEAST_CURVES
from alfine.policy import policy_for
from tests.building import history, one_job


def judged(curves, **words):
    past = history(early_stopping="Auto", **words)
    judge = Judge(past, policy_for(past.spec))
    for curve in curves:
        judge.record(one_job(past, curve[-1], reports=curve))
    return judge


def with_reports(judge, reports):
    judge.record(one_job(judge.history, None, reports=reports)[:-1])
    return judge


GOOD = [[3.0, 2.0, 1.0]] * LEAST_CURVES


def test_a_training_job_worse_than_the_median_of_averages_is_stopped():
    judge = with_reports(judged(GOOD), [2.9, 2.6])
    (stop,) = judge.due()
    assert stop.number == LEAST_CURVES + 1
    assert "objective was 2.6 at emission 2, worse than 2.5, the median of the running averages of 10" in stop.reason


def test_one_that_is_as_good_goes_on():
    assert with_reports(judged(GOOD), [3.0, 2.5]).due() == ()


def test_nobody_is_stopped_before_enough_have_completed():
    assert with_reports(judged(GOOD[1:]), [99.0, 99.0]).due() == ()


def test_maximising_stops_the_low_ones():
    assert len(with_reports(judged([[1.0, 2.0, 3.0]] * LEAST_CURVES, goal="Maximize"), [0.5, 0.5]).due()) == 1


def test_each_emission_is_judged_even_when_many_arrive_at_once():
    assert len(with_reports(judged(GOOD), [2.0, 9.0, 0.1]).due()) == 1


def test_a_training_job_that_has_ended_is_not_stopped_any_more():
    judge = judged(GOOD)
    judge.record(one_job(judge.history, 9.0, reports=[9.0, 9.0, 9.0]))
    assert judge.due() == ()


def test_hyperband_lets_the_best_third_pass_a_rung():
    past = history(strategy="Hyperband", max_resource=9)
    judge = Judge(past, policy_for(past.spec))
    for value in (1.0, 2.0, 3.0):
        judge.record(one_job(past, value, reports=[value])[:-1])
    assert [stop.number for stop in judge.due()] == [2, 3]


def test_hyperband_stops_a_training_job_that_has_had_everything():
    past = history(strategy="Hyperband", max_resource=3)
    judge = Judge(past, policy_for(past.spec))
    judge.record(one_job(past, 1.0, reports=[3.0, 2.0, 1.0])[:-1])
    assert "Reached MaxResource" in judge.due()[0].reason
