"""What every early stopping owes, whichever it is: the suite plays all that the tables have."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alfine.core.facts import Reported
from alfine.core.judge import Judge
from alfine.core.protocols import EarlyStopping
from alfine.jobs.policy_for import policy_for
from alfine.strategies import STRATEGIES
from tests.building import history, one_job

RULES = {
    "Auto": {"strategy": "Random", "early_stopping": "Auto"},
    "Auto, maximised": {"strategy": "Bayesian", "early_stopping": "Auto", "goal": "Maximize"},
    "Hyperband": {"strategy": "Hyperband", "min_resource": 2, "max_resource": 6},
}
values = st.one_of(st.floats(-10, 10), st.sampled_from([0.0, 1e308, -1e308, 1e-300]))
curves = st.lists(st.lists(values, min_size=1, max_size=6), min_size=1, max_size=16)
each = pytest.mark.parametrize("name", RULES)


def played(name, reports):
    """Training jobs one after another; what is to be stopped ends there, as Stopped."""
    past = history(**RULES[name])
    judge = Judge(past, policy_for(past.spec))
    for curve in reports:
        facts = one_job(past, curve[-1], reports=curve)
        told = []
        for fact in facts[:-1]:
            judge.record([fact])
            told += [fact.value] if isinstance(fact, Reported) else []
            if judge.due():
                break
        status = "Stopped" if judge.due() else "Completed"
        judge.record(one_job_end(facts[-1], told[-1], status))
    return judge


def one_job_end(fact, objective, status):
    return [type(fact)(at=fact.at, number=fact.number, status=status, objective=objective)]


def test_every_strategy_that_stops_is_in_this_suite():
    stopping = {name for name, kind in STRATEGIES.items() if issubclass(kind, EarlyStopping)}
    assert stopping <= {words["strategy"] for words in RULES.values()}


@each
@settings(max_examples=8)
@given(reports=curves)
def test_a_record_read_again_stops_the_same_at_every_fact(name, reports):
    """Nothing is remembered that the facts don't say: asked of a fresh history at each fact, the answer is the same."""
    past = played(name, reports).history
    policy = policy_for(past.spec)
    for count, (_, then) in enumerate(past.replayed(), 1):
        if isinstance(then.facts[-1], Reported) and count % 3 == 0:
            assert policy.stops(then) == policy.stops(past.upto(count)) == policy.stops(then)


@each
@settings(max_examples=8)
@given(reports=curves)
def test_only_the_training_job_that_reported_is_stopped_and_is_told_why(name, reports):
    past = played(name, reports).history
    policy = policy_for(past.spec)
    for fact, then in past.replayed():
        for stop in policy.stops(then):
            assert isinstance(fact, Reported)
            assert stop.number == fact.number in then.running
            assert stop.reason.startswith(("Stopped", "Reached MaxResource"))


@each
def test_what_goes_as_the_best_did_is_never_stopped_before_its_end(name):
    """The best curve over and over, among others: none of its copies is hopeless."""
    sign = -1.0 if "maximised" in name else 1.0
    best = [3.0, 2.0, 1.5, 1.2, 1.1]
    reports = [[sign * (v + more) for v in best] for more in (0.0, 1.0, 0.5, 0.0, 2.0, 0.0, 0.3, 0.0, 0.7, 0.0)]
    past = played(name, reports).history
    assert all(len(job.reports) == 5 for job, curve in zip(past.jobs, reports, strict=True) if curve == reports[0])
