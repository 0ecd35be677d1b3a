"""The best few are run again before the job says which is best: by the engine, by hand, in parallel, restarted, replayed."""

import threading
from datetime import timedelta

import numpy as np
import pytest

import alfine
from alfine import (
    BestObjectiveNotImproving,
    ConvergenceDetected,
    MaxCost,
    MaxRuntimeInSeconds,
    TargetObjectiveMetricValue,
)
from alfine.core.errors import InvalidSpec
from alfine.core.facts import Changed, Ended, Launched, TuningJobStopAsked
from alfine.core.history import History
from alfine.core.judge import Judge
from alfine.core.policy import repeats_due
from alfine.core.read_spec import read_spec
from alfine.core.settings import Repeats
from alfine.core.verdict import Outlook
from alfine.criteria.forecast import forecast_of
from alfine.criteria.improvement import remaining
from alfine.jobs.analysis.replay_report import replay_report
from alfine.jobs.home import Home
from alfine.jobs.policy_for import policy_for, replayed
from tests.building import EPOCH, SPACE, history, one_job, request, several, spec

AGAIN = {"best": 3, "times": 4}
WORDS = {"metric": "loss", "strategy": "Random", "seed": 3, "name": "again", "progress": False}


def noisy(seed=0, noise=0.3):
    rng, lock = np.random.default_rng(seed), threading.Lock()

    def objective(hyperparameters):
        with lock:
            return (hyperparameters["eta"] - 0.3) ** 2 + noise * rng.standard_normal()

    return objective


def tune(home, objective=None, **words):
    target = objective or noisy()
    return alfine.tune(target, {"eta": SPACE["eta"]}, home=home, **{**WORDS, "repeats": AGAIN, **words})


def means(job):
    """Mean objective by first training job, of those that were run again."""
    history = job.history
    return {
        first: np.mean([history.job(first).objective, *(each.objective for each in again)])
        for first, again in history.repeated.items()
    }


def first_results(job, count):
    found = [each for each in job.history.jobs if each.repeats is None]
    return {each.number for each in sorted(found, key=lambda each: each.objective)[:count]}


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize(
    ("criteria", "limit"),
    [([], 30), ([BestObjectiveNotImproving(6)], 60), ([TargetObjectiveMetricValue(0.0)], 60)],
)
def test_the_best_by_first_results_are_run_again_and_the_best_mean_wins(tmp_path, parallel, criteria, limit):
    job = tune(tmp_path, criteria=criteria, max_training_jobs=limit, max_parallel=parallel)
    assert job.status == "Completed"
    assert job.verdict.criterion == (type(criteria[0]).__name__ if criteria else "MaxNumberOfTrainingJobs")
    assert {*job.history.repeated} == first_results(job, 3)
    assert {len(each) for each in job.history.repeated.values()} == {4}
    assert job.best.number == min(means(job), key=means(job).get)
    assert job.history.launches <= limit
    if not criteria:
        assert (job.history.searched, job.history.launches) == (18, 30)  # room was kept
    searched = [each for each in job.history.jobs if each.repeats is None]
    again = [each for each in job.history.jobs if each.repeats is not None]
    assert max(each.ended_at for each in searched) <= min(each.created_at for each in again)


def test_every_face_names_the_same_best(tmp_path):
    job = tune(tmp_path, noisy(2), max_training_jobs=40, criteria=[BestObjectiveNotImproving(10)])
    assert job.best.number != job.history.best_first_result.number  # else this shows nothing
    with Home(tmp_path) as home:
        described = home.service.describe("again")
        assert described["BestTrainingJob"]["TrainingJobName"] == job.best.name
        assert next(iter(home.service.list()))["BestObjective"] == job.best_objective
        told = described["Alfine"]["Repeats"]
        assert {each["TrainingJobName"]: each["Mean"] for each in told["Contenders"]} == {
            job.history.job(number).name: pytest.approx(mean) for number, mean in means(job).items()
        }
        assert described["Alfine"]["Best"]["Runs"] == 5
        assert described["TuningJobCompletionDetails"]["NumberOfTrainingJobsObjectiveNotImproving"] >= 10
    assert job.verdict.evidence["not_improving"] == 10  # verdicts are of the search
    assert [each.evidence["launched"] for each in job.verdicts if "Max" in each.criterion] == [job.history.searched]


def test_it_makes_the_chosen_one_better():
    """Over many noisy jobs the configuration that is chosen by its mean is truly better than the luckiest one."""
    chosen, lucky = [], []
    for seed in range(60):
        past = history(max_training_jobs=80, repeats={"best": 6, "times": 6}, space={"eta": SPACE["eta"]}, seed=seed)
        objective, rng = noisy(seed, 0.1), np.random.default_rng(seed)
        for _ in range(44):
            values = past.spec.space.sample(rng)
            for fact in one_job(past, objective(values), hyperparameters=values):
                past.record(fact)
        for job in list(repeats_due(past)):
            for fact in one_job(past, objective(job.hyperparameters), hyperparameters=job.hyperparameters):
                past.record(fact)
        chosen.append((past.incumbent.hyperparameters["eta"] - 0.3) ** 2)
        lucky.append((past.best_first_result.hyperparameters["eta"] - 0.3) ** 2)
    assert np.mean(chosen) < 0.75 * np.mean(lucky)


def test_what_was_interrupted_goes_on_where_it_was(tmp_path):
    class Crash(Exception):
        pass

    def crash(after):
        def progress(job):
            if sum(map(len, job.history.repeated.values())) >= after:
                raise Crash

        return progress

    def steady(hyperparameters):  # the same each time, so that all three jobs see the same results
        return (hyperparameters["eta"] - 0.3) ** 2

    words = {"criteria": [BestObjectiveNotImproving(5)], "max_training_jobs": 50}
    whole = tune(tmp_path / "a", steady, **words)
    for after in (1, 5, 11):
        with pytest.raises(Crash):
            tune(tmp_path / "b", steady, **words, **{**WORDS, "progress": crash(after)})
    resumed = tune(tmp_path / "b", steady, **words)
    assert [each.hyperparameters for each in resumed.history.jobs] == [
        each.hyperparameters for each in whole.history.jobs
    ]
    assert [each.repeats for each in resumed.history.jobs] == [each.repeats for each in whole.history.jobs]
    assert resumed.verdict.criterion == "BestObjectiveNotImproving"


def judged(past):
    judge = Judge(past.under(past.first_spec), policy_for(past.first_spec), policy_for)
    judge.record(past.facts)
    return judge


def run_out(past, objective, most=100):
    """Go on as the engine does, each training job at once; how many were launched."""
    count = 0
    while count < most:
        judge = judged(past)
        launches = judge.policy.decide(past, judge.verdict).launches
        if not launches:
            break
        for fact in one_job(past, objective(launches[0].hyperparameters), hyperparameters=launches[0].hyperparameters):
            past.record(fact)
        count += 1
    return count


def test_what_is_due_is_a_function_of_the_facts_alone():
    past = history([3.0, 1.0, 2.0, 5.0, 5.0, 5.0], criteria=[BestObjectiveNotImproving(3)], repeats="best=2 times=2")
    assert run_out(past, lambda _: 4.0) == 4
    assert [job.repeats for job in past.jobs[6:]] == [2, 3, 2, 3]  # one round after the other
    for count in range(len(past.facts) + 1):
        known = past.upto(count)
        again = policy_for(known.spec).decide(known, judged(past.upto(18)).verdict).launches
        if 18 <= count < len(past.facts) and not known.running:
            assert again[0].hyperparameters == past.facts[count].hyperparameters


def test_the_luckiest_loses_to_the_proven_and_one_that_fails_again_is_out():
    def after(*again):
        past = history([3.0, 1.0, 1.2, 5.0], max_training_jobs=10, repeats="best=2 times=2")
        for number, value in again:
            values = past.job(number).hyperparameters
            status = "Completed" if value is not None else "Failed"
            for fact in one_job(past, value, hyperparameters=values, status=status):
                past.record(fact)
        return past

    assert after().incumbent.number == 2
    assert after((2, 2.0)).incumbent.number == 2  # the other hasn't been run again yet
    assert after((2, 2.0), (3, 1.0)).incumbent.number == 3
    assert after((2, 1.0), (3, None), (2, 1.5), (3, None)).incumbent.number == 2
    assert after((2, None), (3, 9.0)).incumbent.number == 3
    assert after((2, None), (3, None)).incumbent.number == 2
    assert [value for _, value in after((2, 0.1), (3, 1.0)).best_curve()] == [3.0, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_the_users_stop_time_and_money_cut_it_short():
    past = history(
        [3.0, 1.0, 2.0, 5.0, 5.0, 5.0], criteria=[BestObjectiveNotImproving(3), MaxRuntimeInSeconds(60)], repeats=9
    )
    policy, verdict = policy_for(past.spec), judged(past).verdict
    (suggestion,) = policy.decide(past, verdict).launches
    running = Launched(at=past.now, number=7, name="7", hyperparameters=suggestion.hyperparameters)
    past.record(running)
    assert policy.decide(past, verdict).stops == ()  # a repeat isn't stopped by the verdict that it follows
    past.now += timedelta(seconds=55)
    (stop,) = policy.decide(past, verdict).stops
    assert stop.number == 7
    assert "60 s" in stop.reason
    assert policy.decide(past, verdict).launches == ()
    stopped = history([3.0, 1.0], max_training_jobs=20, repeats=2)
    stopped.record(TuningJobStopAsked(at=stopped.now))
    assert policy_for(stopped.spec).decide(stopped, judged(stopped).verdict).launches == ()
    priced = {"price_per_hour": 3600.0, "criteria": [MaxCost(6.5), BestObjectiveNotImproving(3)]}
    spent = history([3.0, 1.0, 2.0, 5.0, 5.0], repeats=9, **priced)
    assert run_out(spent, lambda _: 4.0) == 1  # 6 training jobs of 1 each; one more would cost too much


def test_early_stopping_leaves_them_alone():
    past = history(max_training_jobs=30, early_stopping="Auto", repeats="best=1 times=2")
    for fact in one_job(past, 1.0, reports=[1.0] * 20):
        past.record(fact)
    for _ in range(9):
        for fact in one_job(past, 2.0, reports=[2.0] * 20):
            past.record(fact)
    worse = {"reports": [9.0] * 20, "hyperparameters": past.job(1).hyperparameters}
    again, other = one_job(past, None, **worse), one_job(past, None, reports=[9.0] * 20)

    def stops(facts):
        judge = Judge(past.upto(len(past.facts)), policy_for(past.spec))
        judge.record([fact for fact in facts if not isinstance(fact, Ended)])
        return judge.due()

    assert stops(other)
    assert not stops(again)


def test_a_replay_compares_searches(tmp_path):
    job = tune(tmp_path, criteria=[BestObjectiveNotImproving(6)], max_training_jobs=60, price_per_hour=3600)
    own = replayed(job.history)
    assert own.verdict.criterion == "BestObjectiveNotImproving"
    assert (own.training_jobs, own.saved_training_jobs, own.missed) == (job.history.searched, 0, 0.0)
    later = replayed(job.history, [ConvergenceDetected(delta=0.001)])
    assert (later.training_jobs, later.saved_training_jobs) == (job.history.searched, 0)
    rows = (
        replay_report(job.history, [])["Replays"]
        + replay_report(job.history, ["BestObjectiveNotImproving 3"])["Replays"]
    )
    assert [row["Money"] for row in rows] == [pytest.approx(row["TrainingSeconds"]) for row in rows]
    assert [row["SavedMoney"] for row in rows] == [pytest.approx(row["SavedTrainingSeconds"]) for row in rows]
    sooner = replayed(job.history, [BestObjectiveNotImproving(3)])
    assert sooner.saved_training_jobs == job.history.searched - sooner.training_jobs > 0


def test_an_ended_job_can_be_asked_to_run_its_best_again_and_to_search_on(tmp_path):
    words = {"max_training_jobs": 40, "criteria": [BestObjectiveNotImproving(6)], "repeats": None}
    first = tune(tmp_path, **words)
    assert first.history.repeated == {}
    alfine.change("again", home=tmp_path, repeats={"best": 2, "times": 3})
    second = tune(tmp_path, **words)
    assert second.history.launches == first.history.launches + 6
    assert {*second.history.repeated} == first_results(first, 2)
    alfine.change("again", home=tmp_path, criteria=[BestObjectiveNotImproving(9)])
    third = tune(tmp_path, **words)
    assert third.history.searched > second.history.searched
    assert {*third.history.repeated} >= first_results(third, 2)
    assert all(len(each) == 3 for each in third.history.repeated.values())
    assert replayed(third.history).verdict.criterion == "BestObjectiveNotImproving"
    with pytest.raises(InvalidSpec, match="would end again at once"):
        alfine.change("again", home=tmp_path, max_parallel=2)


def test_they_can_be_taken_away_from_a_job_that_runs_and_from_one_that_goes_on(tmp_path):
    def progress(job):
        if job.history.launches == 8 and not changed:
            changed.append(True)
            alfine.change("again", home=tmp_path, repeats="never")

    changed = []
    job = tune(tmp_path, max_training_jobs=20, progress=progress)
    assert (job.history.launches, job.history.searched, job.history.repeated) == (20, 20, {})
    assert job.best.number == job.history.best_first_result.number
    alfine.change("again", home=tmp_path, repeats={"best": 2, "times": 2}, max_training_jobs=24)
    proven = tune(tmp_path, max_training_jobs=20)
    assert (proven.history.launches, proven.history.searched) == (24, 20)
    alfine.change("again", home=tmp_path, repeats=0, max_training_jobs=30)
    more = tune(tmp_path, max_training_jobs=20)
    assert (more.history.launches, more.history.searched) == (30, 26)
    assert more.best.number == more.history.best_first_result.number
    assert more.verdict.evidence["ended"] == 30  # as without repeats, not as of when the last one was launched
    with pytest.raises(InvalidSpec, match="nothing to change"):
        alfine.change("again", home=tmp_path, repeats="never")


def test_a_change_marks_what_ran_before_it():
    past = history([1.0, 2.0], max_training_jobs=20)
    for fact in one_job(past, 3.0, hyperparameters=past.job(1).hyperparameters):
        past.record(fact)
    assert past.job(3).repeats is None
    past.record(Changed(at=past.now, spec=spec(max_training_jobs=20, repeats=2)))
    assert past.job(3).repeats == 1


def test_by_hand_the_tuner_asks_for_them(tmp_path):
    tuner = alfine.Tuner(
        {"eta": SPACE["eta"]},
        criteria=[BestObjectiveNotImproving(5)],
        repeats={"best": 2, "times": 3},
        strategy="Random",
    )
    objective = noisy()
    while job := tuner.ask():
        tuner.tell(job, objective(job.hyperparameters))
    assert {len(each) for each in tuner.history.repeated.values()} == {3}
    assert len(tuner.history.repeated) == 2
    assert tuner.verdict.outlook is Outlook.STOP
    assert tuner.best.number in tuner.history.repeated


def test_several_definitions_share_the_contest():
    own = {"space": {"eta": SPACE["eta"]}}
    past = History(read_spec(several(own, own, max_training_jobs=10, repeats="best=2 times=1")), EPOCH)
    for definition, value in [("a", 3.0), ("b", 1.0), ("a", 2.0), ("b", 4.0)]:
        for fact in one_job(past, value, definition=definition):
            past.record(fact)
    assert [(job.definition, job.objective) for job in repeats_due(past)] == [("b", 1.0), ("a", 2.0)]


@pytest.mark.parametrize("given", [5, "5", "times=5", "best=3 times=5", "times=5 best=3", {"best": 3, "times": 5}])
def test_it_can_be_said_in_many_ways(given):
    assert spec(repeats=given).repeats == Repeats(3, 5)


@pytest.mark.parametrize(
    "given", [0, -1, 101, True, "a few", "best=3 worst=5", {"best": 0}, {"best": 3.5}, "best=", ""]
)
def test_what_makes_no_sense_is_refused_with_the_way_to_say_it(given):
    with pytest.raises(InvalidSpec, match=r"«best=3 times=5»"):
        request(repeats=given)


def test_a_limit_without_room_for_the_search_is_refused():
    with pytest.raises(
        InvalidSpec, match="15 training jobs to run the best again leave none of the 15 that are allowed"
    ):
        spec(repeats=5, max_training_jobs=15)
    least = spec(repeats=5, max_training_jobs=16)
    assert (least.repeats, least.search_limit) == (Repeats(3, 5), 1)


def test_the_searchs_budget_is_what_is_left_for_it():
    past = history([3.0] * 12, max_training_jobs=40, repeats="best=2 times=5", criteria=[BestObjectiveNotImproving(20)])
    assert remaining(past) == 18
    found = forecast_of(past, policy_for(past.spec).criteria)
    assert found.training_jobs[2] <= 28
    assert found.training_jobs[0] >= 9 + 10  # nine more without an improvement, and then the best again
