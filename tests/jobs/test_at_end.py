"""What becomes of running training jobs when a criterion ends the job: by every criterion, live, after a change, in replays."""

import threading
from datetime import timedelta

import pytest

import alfine
from alfine import BestObjectiveNotImproving, MaxRuntimeInSeconds, TargetObjectiveMetricValue
from alfine.core.facts import Launched, Reported, TuningJobStopAsked
from alfine.core.judge import Judge
from alfine.core.verdict import Outlook
from alfine.criteria import criterion_from_text
from alfine.jobs.home import Home
from alfine.jobs.policy_for import policy_for, replayed
from alfine.strategies.random import Random
from tests.building import SPACE, history, one_job
from tests.contracts.test_criteria import EXAMPLES

BEST = [0.6, 0.5, 0.4]  # the curve of the best: its third value is final
FRESH, CONTENDER, BEHIND = [], [0.59], [0.6, 0.55]


def met(text, at_end, outlook=None):
    """A history whose criterion has just been met (with this outlook), three training jobs running; and the verdict, the policy."""
    words = {
        "criteria": [criterion_from_text(text)],
        "price_per_hour": 0.9,
        "strategy": "Random",
        "max_training_jobs": 400,
    }
    past = history(max_parallel=4, at_end=at_end, **words)
    judge = Judge(past, policy_for(past.spec))
    for fact in one_job(past, BEST[-1], reports=BEST, seconds=0.5):
        judge.record([fact])
    for curve in (FRESH, CONTENDER, BEHIND):
        number, metric = past.launches + 1, past.spec.metric
        values = past.spec.space.sample(past.rng(99))
        facts = [Launched(at=past.now, number=number, name=str(number), hyperparameters=values)]
        facts += [Reported(at=past.now, number=number, metric=metric, step=i, value=v) for i, v in enumerate(curve, 1)]
        judge.record(facts)
    for _ in range(390):
        if judge.verdict.outlook not in (Outlook.CONTINUE, *([Outlook.DRAIN] if outlook is Outlook.STOP else [])):
            break
        judge.record(one_job(past, BEST[-1] + 0.1, seconds=0.5))
    past.now += timedelta(seconds=0.1)
    judge.judge()
    return past, judge.verdict, judge.policy


def stopped(past, verdict, policy):
    """Which of the three are stopped, by their curves."""
    numbers = {stop.number for stop in policy.decide(past, verdict).stops}
    names = {2: "fresh", 3: "contender", 4: "behind"}
    return {names[number] for number in numbers}


@pytest.mark.parametrize("at_end", ["stop", "drain", "contenders"])
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "Shadow"])
def test_each_criterion_lets_finish_what_it_should(name, at_end):
    soon = {"TargetObjectiveMetricValue": "0.4", "ConvergenceDetected": "epsilon=0.5 delta=0.9"}
    text = f"{name} {soon[name]}" if name in soon else EXAMPLES[name]
    past, verdict, policy = met(text, at_end)
    everyone = {"fresh", "contender", "behind"}
    if verdict.outlook is Outlook.DRAIN:
        assert name in ("MaxNumberOfTrainingJobs", "MaxCost", "Deadline")
        assert stopped(past, verdict, policy) == set()
    elif verdict.is_limit:
        assert stopped(past, verdict, policy) == everyone
    else:
        wanted = {"stop": everyone, "drain": set(), "contenders": {"behind"}}
        assert stopped(past, verdict, policy) == wanted[at_end]
    assert policy.decide(past, verdict).launches == ()


@pytest.mark.parametrize("text", ["MaxCost 0.004", "Deadline 12.5 active=true", "MaxRuntimeInSeconds 9"])
def test_time_and_money_drain_first_where_they_can_and_then_stop_all(text):
    past, verdict, policy = met(text, "drain", Outlook.STOP)
    assert verdict.outlook is Outlook.STOP
    assert stopped(past, verdict, policy) == {"fresh", "contender", "behind"}


@pytest.mark.parametrize(
    "limit", ["MaxRuntimeInSeconds 60", "AnyOf(MaxRuntimeInSeconds 60, TargetObjectiveMetricValue -9)"]
)
def test_a_limit_stops_what_an_earlier_verdict_let_finish(limit):
    past = history(
        max_parallel=3, at_end="drain", criteria=[TargetObjectiveMetricValue(0.4), criterion_from_text(limit)]
    )
    past.record(Launched(at=past.now, number=1, name="1", hyperparameters=past.spec.space.sample(past.rng(1))))
    judge = Judge(past, policy_for(past.spec))
    judge.record(one_job(past, 0.3))
    assert judge.verdict.criterion == "TargetObjectiveMetricValue"
    assert judge.policy.decide(past, judge.verdict).stops == ()
    past.now += timedelta(seconds=60)
    judge.judge()
    (stop,) = judge.policy.decide(past, judge.verdict).stops
    assert "60 s" in stop.reason
    assert judge.verdict.criterion == "TargetObjectiveMetricValue"  # it's still why the job ends


def test_a_limit_with_a_floor_stops_nothing_before_the_floor_and_one_that_is_enough_alone_counts_as_itself():
    limits = ["NotBefore(AnyOf(MaxRuntimeInSeconds 5), seconds=60)", "AtLeast(1, MaxRuntimeInSeconds 60, MaxCost 900)"]
    words = {"criteria": [TargetObjectiveMetricValue(0.4), *map(criterion_from_text, limits)], "price_per_hour": 1.0}
    past = history(max_parallel=3, at_end="drain", **words)
    past.record(Launched(at=past.now, number=1, name="1", hyperparameters=past.spec.space.sample(past.rng(1))))
    judge = Judge(past, policy_for(past.spec))
    judge.record(one_job(past, 0.3, seconds=10.0))
    assert judge.verdict.criterion == "TargetObjectiveMetricValue"
    assert judge.policy.decide(past, judge.verdict).stops == ()
    past.now += timedelta(seconds=60)
    judge.judge()
    assert len(judge.policy.decide(past, judge.verdict).stops) == 1


def test_the_users_stop_spares_nobody():
    past, _, policy = met("MaxNumberOfTrainingJobs 5", "drain")
    past.record(TuningJobStopAsked(at=past.now))
    assert stopped(past, policy.verdict(past), policy) == {"fresh", "contender", "behind"}


# -- live ------------------------------------------------------------------------------------------------------------


class Scene:
    """Training jobs that wait for each other: the first two report and wait, the third meets the target and ends the job.

    After `release` the waiting ones report a last value. They end sooner when they are asked to.
    """

    def __init__(self, *, released=False):
        self.started, self.release, self.lock, self.count = threading.Barrier(3), threading.Event(), threading.Lock(), 0
        if released:
            self.release.set()

    def __call__(self, hyperparameters, report):
        with self.lock:
            self.count += 1
            number = self.count
        self.started.wait(30)
        if number == 3:
            return 0.1
        step = 0
        while not report(step, 0.5 if number == 1 else 0.05 + 1.0 / (1 + step)) and not self.release.wait(0.01):
            step += 1
        if not self.release.is_set():
            return None  # asked to end: what it reported last counts
        report(step + 1, 0.5 if number == 1 else 0.05)
        return None


WORDS = {"metric": "loss", "strategy": "Random", "max_training_jobs": 9, "max_parallel": 3, "name": "scene", "seed": 1}


def play(tmp_path, scene, *, progress=False, **words):
    words = {"criteria": [TargetObjectiveMetricValue(0.1)], **WORDS, **words}
    return alfine.tune(scene, {"eta": SPACE["eta"]}, home=tmp_path, progress=progress, **words)


def same_end(job):
    """A replay of the job's own criteria gives what happened."""
    again = replayed(job.history)
    return (
        again.verdict.criterion == job.verdict.criterion
        and (again.training_jobs, again.best.number) == (job.history.launches, job.best.number)
        and again.training_seconds == pytest.approx(job.training_seconds)
    )


def test_stop_ends_them_and_their_last_value_counts(tmp_path):
    job = play(tmp_path, Scene())
    statuses = sorted(each.status for each in job.training_jobs)
    assert statuses == ["Completed", "Stopped", "Stopped"]
    assert all(each.objective is not None for each in job.training_jobs)
    assert (job.status, job.verdict.criterion, job.best.objective) == ("Completed", "TargetObjectiveMetricValue", 0.1)
    assert same_end(job)


def release_after_the_verdict(scene):
    """For `progress`: lets the scene go on once the job's end has been decided."""
    return lambda job: scene.release.set() if job.verdict.outlook is not Outlook.CONTINUE else None


def test_drain_lets_them_finish_and_a_later_one_may_be_the_best(tmp_path):
    scene = Scene()
    job = play(tmp_path, scene, at_end="drain", progress=release_after_the_verdict(scene))
    assert [each.status for each in job.training_jobs] == ["Completed"] * 3
    assert (job.history.launches, job.best.objective) == (3, 0.05)
    assert job.verdict.criterion == "TargetObjectiveMetricValue"
    assert same_end(job)


def test_those_that_may_win_finish_and_those_behind_are_stopped(tmp_path):
    """The best came without a curve: who has a value no better than its result is behind."""

    class Ahead(Scene):
        def __call__(self, hyperparameters, report):
            with self.lock:
                self.count += 1
                number = self.count
            self.started.wait(30)
            if number == 3:
                return 0.1
            while not report(0, 0.5 if number == 1 else 0.07) and not self.release.wait(0.01):
                pass
            return None

    scene, behind = Ahead(), []

    def progress(job):
        behind[:] = [each for each in job.training_jobs if each.stop_reason]
        if behind and all(not each.running for each in behind):
            scene.release.set()

    job = play(tmp_path, scene, at_end="contenders", progress=progress)
    assert sorted((each.status, each.objective) for each in job.training_jobs) == [
        ("Completed", 0.07),
        ("Completed", 0.1),
        ("Stopped", 0.5),
    ]
    assert job.best.objective == 0.07
    assert same_end(job)


def test_time_that_runs_out_stops_what_was_let_finish(tmp_path):
    job = play(tmp_path, Scene(), at_end="drain", max_runtime_seconds=2)
    assert sorted(each.status for each in job.training_jobs) == ["Completed", "Stopped", "Stopped"]
    assert (job.status, job.verdict.criterion) == ("Completed", "TargetObjectiveMetricValue")
    assert any("of at most 2.0 s" in (each.stop_reason or "") for each in job.training_jobs)


def test_a_search_that_breaks_stops_what_runs(tmp_path, monkeypatch):
    ask = Random.ask

    def ask_three_times(strategy, history):
        if history.launches == 3:
            raise KeyError("no idea")
        return ask(strategy, history)

    monkeypatch.setattr(Random, "ask", ask_three_times)
    scene = Scene()
    words = {"criteria": [], "at_end": "drain"}
    job = play(tmp_path, scene, progress=release_after_the_verdict(scene), **words)
    assert sorted(each.status for each in job.training_jobs) == ["Completed", "Stopped", "Stopped"]
    assert (job.status, job.verdict.criterion) == ("Failed", "InternalFailure")
    assert job.verdict.sentence == "alfine could not decide what to do next: KeyError: 'no idea'"


@pytest.mark.parametrize(("before", "after"), [(None, "drain"), ("drain", "stop")])
def test_a_change_while_the_job_runs_holds_at_its_end(tmp_path, before, after):
    scene = Scene()

    def progress(job):
        if job.history.launches == 3 and not changed:
            changed.append(True)
            alfine.change("scene", home=tmp_path, at_end=after)
            gate.set()
        if after == "drain" and job.verdict.outlook is not Outlook.CONTINUE:
            scene.release.set()

    changed, gate = [], threading.Event()

    def held(hyperparameters, report):
        assert gate.wait(30)  # nobody goes on before the change
        return scene(hyperparameters, report)

    job = play(tmp_path, held, at_end=before, progress=progress)
    wanted = ["Completed"] * 3 if after == "drain" else ["Completed", "Stopped", "Stopped"]
    assert sorted(each.status for each in job.training_jobs) == wanted
    assert same_end(job)  # the replay honours the change


def test_a_change_while_the_last_ones_finish_stops_them(tmp_path):
    changed = []

    def progress(job):
        if job.verdict.outlook is not Outlook.CONTINUE and not changed:
            changed.append(True)
            alfine.change("scene", home=tmp_path, at_end="stop")

    job = play(tmp_path, Scene(), at_end="drain", progress=progress)
    assert sorted(each.status for each in job.training_jobs) == ["Completed", "Stopped", "Stopped"]
    assert (job.status, job.verdict.criterion) == ("Completed", "TargetObjectiveMetricValue")
    assert same_end(job)


# -- replays of other criteria ---------------------------------------------------------------------------------------


def test_a_replay_counts_what_would_have_been_stopped_or_let_finish():
    past = history(max_parallel=2, max_training_jobs=9)
    metric, values = past.spec.metric, past.spec.space.sample(past.rng(5))
    past.record(Launched(at=past.now, number=1, name="1", hyperparameters=values))
    past.record(Reported(at=past.now, number=1, metric=metric, step=1, value=0.3))
    for value in (0.5, 0.6, 0.6, 0.6):
        for fact in one_job(past, value):
            past.record(fact)
    ended = one_job(past, 0.2)[-1]
    past.record(type(ended)(at=ended.at, number=1, status="Completed", objective=0.01))
    sooner = replayed(past, [BestObjectiveNotImproving(3)])
    assert (sooner.best.number, sooner.best.objective, sooner.missed) == (1, 0.3, pytest.approx(0.29))
    drained = history(max_parallel=2, max_training_jobs=9, at_end="drain")
    for fact in past.facts:
        drained.record(fact)
    later = replayed(drained, [BestObjectiveNotImproving(3)])
    assert (later.best.objective, later.missed) == (0.01, 0.0)
    cut = replayed(drained, [BestObjectiveNotImproving(3), MaxRuntimeInSeconds(2.5)])
    assert (cut.verdict.criterion, cut.best.objective) == ("MaxRuntimeInSeconds", 0.3)


def test_what_ended_a_job_is_told_though_the_last_training_jobs_took_it_back(tmp_path):
    """Convergence is judged with one of eleven training jobs to come, which then ends too: nothing is left that could converge."""
    words = {"max_training_jobs": 11, "max_parallel": 2, "strategy": "Random", "progress": False, "home": tmp_path}
    job = alfine.tune(lambda _: 1.0, SPACE, name="flat", criteria=[alfine.ConvergenceDetected()], **words)
    (own,) = [each for each in job.verdicts if each.criterion == "ConvergenceDetected"]
    assert job.verdict.criterion == "ConvergenceDetected"
    assert own == job.verdict
    with Home(tmp_path) as home:
        told = home.service.describe("flat")["Alfine"]
    assert told["Verdict"]["outlook"] == "STOP"
    assert [each for each in told["Verdicts"] if each["criterion"] == "ConvergenceDetected"] == [told["Verdict"]]
