"""The laws of the house (docs/architecture.md), each a test."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alfine
from alfine.core.errors import IllegalTransition
from alfine.core.facts import TRANSITIONS, Ended, StopAsked
from alfine.core.judge import Judge
from alfine.core.verdict import Outlook
from alfine.jobs.home import Home
from alfine.jobs.policy_for import policy_for, replayed
from tests.building import SPACE, history, one_job

objectives = st.lists(st.one_of(st.none(), st.floats(-100, 100)), min_size=1, max_size=20)
CRITERIA = [alfine.BestObjectiveNotImproving(4), alfine.TargetObjectiveMetricValue(-50), alfine.ConvergenceDetected()]


@settings(max_examples=20)
@given(values=objectives)
def test_law_1_same_history_same_decision(values):
    past = history(values, criteria=CRITERIA, max_training_jobs=30, max_parallel=3)
    policy = policy_for(past.spec)
    verdict = policy.verdict(past)
    assert policy.decide(past, verdict) == policy.decide(past, verdict)
    fresh = past.upto(len(past.facts))
    assert policy.decide(past, verdict) == policy_for(fresh.spec).decide(fresh, policy.verdict(fresh))


@settings(max_examples=20)
@given(values=objectives, data=st.data())
def test_law_2_the_past_knows_nothing_of_the_future(values, data):
    past = history(values)
    count = data.draw(st.integers(0, len(past.facts)))
    known = past.upto(count)
    assert known.facts == past.facts[:count]
    assert len(known.observations()[1]) == sum(
        isinstance(fact, Ended) and fact.objective is not None and math.isfinite(fact.objective) for fact in known.facts
    )


def test_law_2_replaying_a_jobs_own_policy_names_the_same_criterion_at_the_same_fact(tmp_path):
    def objective(hyperparameters):
        return round(hyperparameters["eta"], 1)

    words = {"strategy": "Random", "max_training_jobs": 60, "max_parallel": 3, "criteria": CRITERIA, "progress": False}
    for seed in range(3):
        job = alfine.tune(objective, SPACE, home=tmp_path, seed=seed, **words)
        again = replayed(job.history)
        assert again.verdict.criterion == job.verdict.criterion
        judge = Judge(job.history.under(job.history.spec), policy_for(job.history.spec))
        judge.record(job.history.facts)
        assert judge.judged_at is not None
        assert again.history.launches <= job.history.launches


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_law_3_values_survive_the_cube_and_suggestions_lie_in_their_space(seed):
    past = history(seed=seed, strategy="Random")
    suggestion = policy_for(past.spec).strategy.ask(past)
    past.spec.space.check(suggestion.hyperparameters)
    again = past.spec.space.from_unit(past.spec.space.to_unit(suggestion.hyperparameters))
    assert (again["depth"], again["booster"]) == (
        suggestion.hyperparameters["depth"],
        suggestion.hyperparameters["booster"],
    )
    assert again["eta"] == pytest.approx(suggestion.hyperparameters["eta"], rel=1e-12)


@settings(max_examples=20)
@given(values=objectives, cuts=st.lists(st.integers(1, 7), min_size=30, max_size=30))
def test_law_4_how_facts_were_grouped_into_polls_changes_no_verdict(values, cuts):
    record = history(values, criteria=CRITERIA, max_training_jobs=15)
    one, many = (Judge(record.under(record.spec), policy_for(record.spec)) for _ in range(2))
    one.record(record.facts)
    rest = list(record.facts)
    for cut in cuts:
        many.record(rest[:cut])
        rest = rest[cut:]
    many.record(rest)
    assert (one.verdict, one.judged_at) == (many.verdict, many.judged_at)


# Law 5 (start twice is one training job; a kill costs nothing) is held by tests/contracts of the runners and by
# tests/end_to_end/test_kill.py, where real processes are killed.


def test_law_6_no_status_changes_outside_the_table():
    for before, allowed in TRANSITIONS.items():
        for after in TRANSITIONS:
            if after in allowed or after == "InProgress":
                continue
            past = history()
            facts = one_job(past, 1.0, status=before if before in ("Completed", "Failed", "Stopped") else "Completed")
            for fact in facts[:2] if before in ("InProgress", "Stopping") else facts:
                past.record(fact)
            if before == "Stopping":
                past.record(StopAsked(at=past.now, number=1, reason="law"))
            change = (
                StopAsked(at=past.now, number=1, reason="law")
                if after == "Stopping"
                else Ended(at=past.now, number=1, status=after)
            )
            with pytest.raises(IllegalTransition):
                past.record(change)


@settings(max_examples=30)
@given(values=objectives)
def test_law_6_nothing_is_launched_after_a_verdict_other_than_continue(values):
    past = history(values, criteria=CRITERIA, max_training_jobs=10, max_parallel=2)
    policy = policy_for(past.spec)
    decision = policy.decide(past, policy.verdict(past))
    assert not decision.launches or decision.verdict.outlook is Outlook.CONTINUE
    assert past.launches + len(decision.launches) <= max(10, past.launches)


def test_law_7_describe_shows_only_what_was_recorded(tmp_path):
    job = alfine.tune(
        lambda hyperparameters: 1.0, SPACE, home=tmp_path, name="law", max_training_jobs=2, strategy="Random"
    )
    with Home(tmp_path) as home:
        told = home.service.describe("law")
    assert "FailureReason" not in told
    assert "ConvergenceDetectedTime" not in told["TuningJobCompletionDetails"]
    assert sum(told["TrainingJobStatusCounters"].values()) == len(job.training_jobs) == 2


def test_law_8_recording_a_training_job_costs_the_same_work_however_many_there_were():
    """Counted in Python calls, not in seconds: the 300th training job makes as many as the 100th."""
    import gc
    import sys

    past = history(strategy="Random", max_training_jobs=2000)
    judge = Judge(past, policy_for(past.spec))

    def calls_of_one_more():
        count = 0

        def tracer(frame, event, argument):
            nonlocal count
            count += event == "call"

        point = judge.policy.strategy.ask(past).hyperparameters
        facts = one_job(past, 1.0, hyperparameters=point)
        # A collection in between would count too: Hypothesis is told of each, in Python.
        gc.disable()
        sys.setprofile(tracer)
        try:
            judge.record(facts)
        finally:
            sys.setprofile(None)
            gc.enable()
        return count

    counts = [calls_of_one_more() for _ in range(300)]
    assert counts[299] == counts[99]


def test_law_8_a_decision_about_several_launches_takes_the_same_memory_however_many_there_were():
    """Each launch of a decision sees those before it; the history isn't copied for them. Counted in bytes, not in seconds."""
    import tracemalloc

    past = history(strategy="Random", max_training_jobs=5000, max_parallel=8)
    policy = policy_for(past.spec)

    def bytes_of_a_decision():
        policy.decide(past, policy.verdict(past))  # what is remembered is there
        tracemalloc.start()
        try:
            assert len(policy.decide(past, policy.verdict(past)).launches) == 8
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    taken = []
    for count in (100, 1000):
        while past.ended < count:
            for fact in one_job(past, 1.0):
                past.record(fact)
        taken.append(bytes_of_a_decision())
    assert taken[1] < taken[0] + 5000
