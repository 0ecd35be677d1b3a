"""What follows from the facts of some tuning jobs, and what is decided then, is what histories.json says: results, costs, ends, replays.

`python -m tests.core.test_recorded_histories` writes the file anew; git then shows which results or decisions have changed.
"""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from alfine import (
    AllOf,
    AnyOf,
    BestObjectiveNotImproving,
    Categorical,
    Integer,
    MaxNumberOfTrainingJobs,
    MaxRuntimeInSeconds,
    TargetObjectiveMetricValue,
)
from alfine.core import cost
from alfine.core.facts import Changed, Ended, Launched, Reported, Started, StopAsked, TimePassed, TuningJobStopAsked
from alfine.core.history import History
from alfine.core.inherited import Inherited
from alfine.core.judge import Judge
from alfine.core.policy import Policy, may_win, repeats_due
from alfine.core.protocols import expected_gain_of, name_of, verdict_of
from alfine.core.read_spec import read_spec
from alfine.core.replay import finished, replay, replay_steps, search_seconds
from alfine.core.verdict import Outlook, Verdict
from alfine.jobs.policy_for import policy_for, replayed
from tests.building import EPOCH, SPACE, at, one_job, several, spec
from tests.recorded import check, refused, write

FILE = Path(__file__).with_name("histories.json")
VALUES = (5.0, 3.0, None, 4.0, 3.0, 0.0, 2.5, 6.0, 1.5, 2.0, None, 0.5, 3.5, 0.25, 7.0, 1.0)
"""Objectives of the training jobs in turn: ties, failures, zero."""

SMALL = {"n": Integer(1, 3), "c": Categorical(["u", "v"])}
RANDOM = {"strategy": "Random", "seed": 5, "price_per_hour": 3600.0}


def parent(name, objective, **texts):
    words = {"parent": "parent", "static": {}, "status": "Completed", "created_at": at(-9), "started_at": at(-8)}
    return Inherited(name=name, hyperparameters=texts, objective=objective, ended_at=at(-5), **words)


PARENTS = (parent("p1", 2.0, n="1", c="u"), parent("p2", 0.75, n="3", c="v"), parent("p3", 0.75, n="9", c="u"))


def in_two(**words):
    """Two definitions that have one objective, or, with a metric, two."""
    own = {"space": {"eta": SPACE["eta"]}}
    return read_spec(
        several({"space": SMALL, "instances": 3}, {**own, **words}, **RANDOM, max_training_jobs=9, max_parallel=2)
    )


JOBS = {
    "limit": (spec(**RANDOM, max_training_jobs=7, max_parallel=3), ()),
    "maximised, repeated": (spec(**RANDOM, goal="Maximize", max_training_jobs=12, max_parallel=2, repeats="best=2 times=2", max_runtime_seconds=900), ()),
    "repeated, failing": (spec(**RANDOM, max_training_jobs=13, repeats="best=3 times=1", criteria=[BestObjectiveNotImproving(3)]), ()),
    "repeated, cut off": (spec(**RANDOM, max_training_jobs=20, repeats="best=2 times=3", criteria=[BestObjectiveNotImproving(3)], max_runtime_seconds=34), ()),
    "target, drains": (spec(**RANDOM, max_parallel=4, at_end="drain", criteria=[TargetObjectiveMetricValue(2.9)]), ()),
    "target, contenders": (spec(**RANDOM, max_parallel=4, at_end="contenders", criteria=[TargetObjectiveMetricValue(0.1)]), ()),
    "target, stops": (spec(**RANDOM, max_parallel=4, repeats="best=1 times=2", max_training_jobs=20, criteria=[TargetObjectiveMetricValue(0.1)]), ()),
    "time": (spec(**RANDOM, max_parallel=2, max_runtime_seconds=11, at_end="drain", instances=2), ()),
    "any of": (spec(**RANDOM, max_parallel=3, at_end="drain", criteria=[AnyOf(MaxRuntimeInSeconds(9), TargetObjectiveMetricValue(0.0))]), ()),
    "all of": (spec(**RANDOM, max_parallel=3, at_end="drain", criteria=[AllOf(MaxRuntimeInSeconds(6), MaxNumberOfTrainingJobs(5))]), ()),
    "exhausted": (spec(**RANDOM, space=SMALL, max_parallel=2), ()),
    "child": (spec(**RANDOM, space=SMALL, warm_start="parent", max_parallel=2), PARENTS),
    "transfer": (spec(**RANDOM, space=SMALL, warm_start="parent", warm_start_type="TransferLearning", max_training_jobs=4), PARENTS),
    "two definitions": (in_two(), ()),
    "two objectives": (in_two(metric="auc", goal="Maximize"), ()),
    "curves": (spec(**RANDOM, max_parallel=3, max_training_jobs=9, early_stopping="Auto"), ()),
    "hyperband": (spec(seed=5, strategy="Hyperband", max_resource=4, max_parallel=2, max_training_jobs=8), ()),
}  # fmt: skip


class Played:
    """A tuning job whose training jobs end one after the other, as the policy decides: an engine without processes."""

    def __init__(self, job, parents):
        self.past = History(job, EPOCH, parents)
        self.judge = Judge(self.past, policy_for(job), policy_for)
        self.judge.judge()
        self.said = []

    def decide(self):
        """Carry out what is decided, until nothing more is: launches and stops."""
        decided = self.judge.policy.decide(self.past, self.judge.verdict)
        stops = {stop.number: stop.reason for stop in (*decided.stops, *self.judge.due())}
        for number, reason in stops.items():
            self.judge.record([StopAsked(at=self.past.now, number=number, reason=reason)])
        for each in decided.launches:
            number = self.past.launches + 1
            words = {"name": f"#{number}", "hyperparameters": each.hyperparameters, "definition": each.definition}
            self.judge.record([Launched(at=self.past.now, number=number, **words)])
            if number != 6:  # it never starts
                self.judge.record([Started(at=self.past.now + timedelta(seconds=0.5), number=number)])
        assert not self.judge.policy.decide(self.past, self.judge.verdict).launches, "every slot was filled"
        told = f"{decided.verdict.criterion} {decided.verdict.outlook}"
        if not self.said or stops or told != self.said[-1]["verdict"] or not decided.launches:
            self.said.append(
                {"after": self.past.ended, "verdict": told, "launched": self.past.launches, "stops": stops}
            )

    def end(self):
        """End the training job that runs longest, after two of its reports and one of another one."""
        first, *others = self.past.running.values()
        value = VALUES[(first.number - 1) % len(VALUES)]
        for job in (first, *others[-1:], first):
            metric = self.past.spec.of(job.definition).metric
            reported = VALUES[(job.number + len(job.reports)) % len(VALUES)] or 8.0
            words = {"metric": metric, "step": len(job.reports) + 1, "value": reported}
            self.judge.record([Reported(at=self.past.now + timedelta(seconds=0.25), number=job.number, **words)])
        status = "Stopped" if first.status == "Stopping" else "Failed" if value is None else "Completed"
        end = self.past.now + timedelta(seconds=1 + first.number % 3)
        self.judge.record([Ended(at=end, number=first.number, status=status, objective=value)])

    def all(self):
        for _ in range(40):
            self.decide()
            if not self.past.running:
                break
            self.end()
            self.judge.look(self.past.now + timedelta(seconds=0.25))
        return self


def best(job):
    return job and f"{job.name} {job.objective:g}"


def amount(of):
    """Compute seconds, and money where there is a price."""
    return of and f"{of.compute_seconds:g} s" + ("" if of.money is None else f", {of.money:g} USD")


def results(past):
    """All that a history says of itself. A curve is the best first result by the training job that has ended."""
    incumbent, first, overall = map(best, (past.incumbent, past.best_first_result, past.overall_best))
    counts = {"launches": past.launches, "searched": past.searched, "ended": past.ended, "turn": past.turn}
    total, search, instances = past.training_seconds, search_seconds(past), cost.compute_seconds(past)
    return {
        "counts": {**counts, "configurations": len(past.configurations), "elapsed": past.elapsed_seconds},
        "best": {"incumbent": incumbent, "first result": first, "overall": overall, "value": past.best_value},
        "curve": {job.number: value for job, value in past.best_curve()},
        "contenders": {job.number: past.runs(job) for job in past.contenders()},
        "repeated": {number: [job.number for job in again] for number, again in past.repeated.items()},
        "due": [job.number for job in repeats_due(past)],
        "bound": amount(cost.bound(past.spec)),
        "spent": amount(cost.spent(past)),
        "spent on search": amount(cost.spent_on_search(past)),
        "saved": amount(cost.saved(past)),
        "seconds": {"all": total, "search": search, "times instances": instances},
        "drawn": past.rng(3, 1).random(),
    }


def played(name):
    """What was decided, and the results half-way and at the end."""
    game = Played(*JOBS[name]).all()
    past = game.past
    half = past.upto(len(past.facts) // 2)
    observed, values = half.of(half.spec.ranked).observations()
    shown = half.of("a") if half.spec.parts else half
    running = list(half.running.values())
    return {
        "decided": game.said,
        "judged": {"at": game.judge.judged_at, "facts": len(past.facts), "repeating": game.judge.repeating},
        "verdict": game.judge.verdict.sentence,
        "verdicts": [verdict.sentence for verdict in game.judge.verdicts],
        "half": {**results(half), "may win": {job.number: may_win(half, job) for job in running}},
        "points": {
            "observed": observed[-2:],
            "values": values[-4:],
            "pending": shown.pending(),
            "failed": shown.failed(),
        },
        "end": results(past),
    }


CRITERIA = {
    "own": [],
    "plateau": [BestObjectiveNotImproving(3)],
    "target": [TargetObjectiveMetricValue(2.0)],
    "time": [MaxRuntimeInSeconds(5.5)],
    "number": [MaxNumberOfTrainingJobs(3)],
    "number, then time": [MaxNumberOfTrainingJobs(3), MaxRuntimeInSeconds(5.5)],
    "never": [TargetObjectiveMetricValue(-9.0)],
}


COLUMNS = (
    *("outlook", "criterion", "facts", "training jobs", "saved", "launches", "ended", "seconds", "saved seconds"),
    *("missed", "best"),
)
"""Of the rows that `shown` returns."""


def shown(found):
    counts = found.facts, found.training_jobs, found.saved_training_jobs, found.history.launches, found.history.ended
    seconds = found.training_seconds, found.saved_training_seconds
    return [str(found.verdict.outlook), found.verdict.criterion, *counts, *seconds, found.missed, best(found.best)]


def replay_of(past, criteria):
    return shown(replayed(past, criteria))


def replays(name):
    past = Played(*JOBS[name]).all().past
    told = []
    end = finished(replay_steps(past, policy_for(past.spec)), told.append)
    return {
        "columns": COLUMNS,
        **{key: refused(partial(replay_of, past, criteria)) for key, criteria in CRITERIA.items()},
        "throughout": shown(end),
        "told": {"first": told[0], "last": told[-1], "times": len(told)},
    }


class Nothing:
    """A strategy of another package that has nothing to try."""

    def ask(self, history):
        return None


def odd_replays():
    """Records that begin late, that are empty, that still run, and of a strategy that has nothing left to try."""
    job = spec(**RANDOM, max_training_jobs=9, max_runtime_seconds=5)
    late, empty, running = (History(job, EPOCH) for _ in range(3))
    late.now = at(10)
    for past in (late, running):
        for fact in (*one_job(past, 3.0), *one_job(past, 2.0)[: 4 if past is late else -1]):
            past.record(replace(fact, number=min(2, past.launches + isinstance(fact, Launched))))
    running.now = at(20)
    empty.record(TuningJobStopAsked(at=at(1)))
    found = {
        f"{name}, {criteria}": replay_of(past, criteria)
        for name, past in {"late": late, "empty": empty, "running": running}.items()
        for criteria in ([], [MaxRuntimeInSeconds(15)], [TargetObjectiveMetricValue(-9.0)])
    }
    policy = replace(policy_for(JOBS["limit"][0]), strategy=Nothing())
    for name, count in {"ended": 3, "running": 2}.items():
        past = History(JOBS["limit"][0], EPOCH)
        for fact in one_job(past, 3.0)[:count]:
            past.record(fact)
        found[f"nothing left, {name}"] = shown(replay(past, policy))
        found[f"nothing left, {name}, own"] = shown(replay(past, policy, changed=lambda _: policy))
        found[f"nothing left, {name}, verdict"] = policy.decide(past, policy.verdict(past)).verdict.as_dict()
    return {"columns": COLUMNS, **found}


def many_slots():
    """Free slots for more training jobs than one decision launches."""
    past = History(spec(**RANDOM, max_parallel=150, max_training_jobs=140), EPOCH)
    policy = policy_for(past.spec)
    one = Policy(strategy=policy.strategy, criteria=())
    given = {"of 150": policy, "of one, as by default": one}
    return {name: len(each.decide(past, policy.verdict(past)).launches) for name, each in given.items()}


class Moment:
    """A criterion of another package that ends a job ten seconds after its creation, and neither earlier nor later."""

    def __init__(self, *again):
        self.again, self.asked = again, []

    def check(self, history):
        self.asked.append(history.elapsed_seconds)
        outlook = Outlook.STOP if history.elapsed_seconds == 10 else Outlook.CONTINUE
        again = next((at(seconds) for seconds in self.again if seconds >= history.elapsed_seconds), None)
        return Verdict(outlook=outlook, criterion="Moment", sentence=f"{self.asked[-1]:g} s", ask_again_at=again)


def moments():
    """When criteria are asked while time passes, and what is kept of it."""
    found = {}
    for again, wait in product(((), (10,), (4, 4, 10), (12,), (20,)), ("look", "record", "pass")):
        past, moment = History(spec(max_training_jobs=3), EPOCH), Moment(*again)
        judge = Judge(past, replace(policy_for(past.spec), criteria=(moment,)))
        judge.judge()
        looked = []
        if wait == "look":
            looked = [type(fact).__name__ for fact in (*judge.look(at(6)), *judge.look(at(20)))]
        elif wait == "record":
            judge.record(one_job(past, 1.0, seconds=20))
        else:
            judge.pass_time(at(10))
            judge.pass_time(at(4))
        words = {"verdict": judge.verdict.sentence, "latest": [verdict.sentence for verdict in judge.verdicts]}
        ends = {"judged at": judge.judged_at, "now": past.elapsed_seconds, "facts": len(past.facts), "looked": looked}
        found[f"names {again}, {wait}"] = {"asked": moment.asked, **words, **ends, "repeating": judge.repeating}
    return found


# -- single facts ------------------------------------------------------------------------------------------------------


def changed():
    """A job that was stopped, was changed and goes on: what each fact makes of it, and replays of it."""
    game = Played(*JOBS["limit"])
    for _ in range(4):
        game.decide()
        game.end()
    seen, past = [], game.past
    more = spec(**RANDOM, max_training_jobs=11, max_parallel=3, repeats="best=2 times=1")
    for fact in (
        TuningJobStopAsked(at=past.now),
        TimePassed(at=past.now + timedelta(seconds=2)),
        Changed(at=past.now + timedelta(seconds=3), spec=more),
        TimePassed(at=past.now),
    ):
        game.judge.record([fact])
        verdict = f"{game.judge.verdict.criterion} {game.judge.verdict.outlook}"
        state = {
            "judged at": game.judge.judged_at,
            "elapsed": past.elapsed_seconds,
            "verdicts": len(game.judge.verdicts),
        }
        kept = {"stop requested": past.stop_requested_at is not None, "settings": len(past.spec.settings)}
        seen.append({"fact": type(fact).__name__, "verdict": verdict, **state, **kept})
    first = game.said[:]
    game.all()
    past.record(TuningJobStopAsked(at=past.now))
    policy = policy_for(past.spec)
    return {
        "facts": seen,
        "decided before": len(first),
        "decided": game.said,
        "results": results(past),
        "columns": COLUMNS,
        "replays": {name: replay_of(past, criteria) for name, criteria in CRITERIA.items()},
        "throughout": shown(replay(past, policy)),
        "as it was": shown(replay(past, policy, changed=policy_for)),
        "launches by facts": {len(each.facts): each.launches for _, each in past.replayed()},
    }


def others():
    """Copies of a history, to ask a strategy for the next training job: what they have, and that the history itself stays."""
    found = {}
    for name in ("repeated, failing", "child", "two definitions"):
        past = Played(*JOBS[name]).all().past.upto(14)
        definition = past.spec.definition.name
        point = dict(past.jobs[0].hyperparameters)
        before = [results(past), past.pending()]
        copies = {"one": past.with_launch(point, definition)}
        copies["three"] = copies["one"].with_launch(point, definition)
        copies["three"].record_hypothetical(point, definition)
        if not past.spec.parts:
            copies |= {"two elsewhere": past.with_running([point, point])}
            copies |= {"one of a stream": past.with_running([point], stream=99)}
        for launched, each in copies.items():
            part = each.of(definition)
            counts = {"turn": each.turn, "launches": each.launches, "of its definition": part.launches}
            found[f"{name}, {launched}"] = {
                **counts,
                "hypothetical": each.hypothetical,
                "stream": each.stream,
                "last": each.jobs[-1].name,
                "drawn": each.rng().random(),
                "configurations": len(each.configurations),
                "repeated": {first: [job.number for job in again] for first, again in each.repeated.items()},
                "running": sorted(each.running),
                "pending": part.pending()[:, 0],
            }
        assert before[0] == results(past)
        assert np.array_equal(before[1], past.pending())
        assert not past.hypothetical
    return found


def ties():
    """Results of zero, results alike, and seeds of any length."""
    zero = History(JOBS["child"][0], EPOCH, PARENTS)
    again = History(spec(max_training_jobs=20), EPOCH)
    points = [{"eta": eta, "depth": 3, "booster": "dart"} for eta in (0.1, 0.2, 0.1, 0.2)]
    for past, values in ((zero, (1.0, 0.0, 0.5, 0.0)), (again, (1.0, 2.0, 5.0, 2.0))):
        for value, point in zip(values, points, strict=True):
            own = {"n": 1 + int(value), "c": "u"} if past is zero else point
            for fact in one_job(past, value, hyperparameters=own):
                past.record(fact)
    before = best(again.incumbent)
    again.record(Changed(at=again.now, spec=spec(max_training_jobs=20, repeats="best=2 times=1")))
    seeds = [History(replace(JOBS["limit"][0], seed=seed), EPOCH) for seed in (1000, 2**64 + 1000, 2**63, -1)]
    failed = History(again.spec, EPOCH)
    for value, point in zip((1.0, 2.0, None, None), (*points[:2], *points[1::-1]), strict=True):
        for fact in one_job(failed, value, hyperparameters=point, status="Completed" if value else "Failed"):
            failed.record(fact)
    drawn = [past.rng(1).random() for past in seeds]
    return {
        "zero": results(zero),
        "before repeats": before,
        "repeats": results(again),
        "failed repeats": results(failed),
        "drawn by seed": drawn,
    }


def room():
    """As many repeats as the largest number of training jobs leaves room for, in rounds; and with more running than slots."""
    past, due = History(spec(**RANDOM, max_training_jobs=10, instances=2, repeats="best=2 times=2"), EPOCH), []
    for value in (3.0, 1.0, 2.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0):
        for fact in one_job(past, value):
            past.record(fact)
        due.append([job.number for job in repeats_due(past)])
    policy = policy_for(past.spec)
    few = past.upto(24)
    verdict = MaxNumberOfTrainingJobs(6).check(few)
    free = [len(policy.decide(few, verdict).launches)]
    for _ in range(2):
        for fact in one_job(few, None, hyperparameters=few.jobs[1].hyperparameters)[:2]:
            few.record(fact)
        free.append(len(policy.decide(few, verdict).launches))
    spent = {}
    for seconds in (0.5, 2.5):
        few.now += timedelta(seconds=seconds)
        search = {"on search": amount(cost.spent_on_search(few)), "search seconds": search_seconds(few)}
        spent[f"{seconds} s later"] = {"spent": amount(cost.spent(few)), **search}
    return {"due after each": due, "launches, of one slot": free, **spent}


def changed_parts():
    """A change of a job with several definitions reaches each of them."""
    past = History(JOBS["two definitions"][0], EPOCH)
    past.record(Changed(at=at(1), spec=in_two(metric="auc")))
    part = past.of("b").spec
    metrics = {"job": past.spec.metric, "changed": part.metric, "first": past.first_spec.parts["b"].metric}
    return {"metrics": metrics, "its share": part.max_training_jobs, "the same": past.spec.parts["b"] is part}


def refusals():
    """What can't follow what was recorded."""
    past = History(spec(max_training_jobs=3), EPOCH)
    launch, start, end = one_job(past, 1.0)
    said = [refused(partial(past.record, replace(launch, number=number))) for number in (0, 2)]
    facts = (launch, start, StopAsked(at=at(1), number=1, reason="a"), StopAsked(at=at(1), number=1, reason="b"))
    later = (*facts, end, replace(end, status="Failed"), replace(launch, number=1), replace(start, number=2))
    for fact in later:
        counts = {"launches": past.launches, "facts": len(past.facts), "running": sorted(past.running)}
        said.append({"fact": type(fact).__name__, "refused": refused(partial(past.record, fact)), "before": counts})
    odd = [
        [status, objective]
        for status in ("Completed", "Stopped", "Failed")
        for objective in (float("nan"), 1e301, -1e301, 0.0)
    ]
    for status, objective in odd:
        for fact in one_job(
            past, objective, status=status, hyperparameters={"eta": 0.1, "depth": 3, "booster": "dart"}
        ):
            past.record(fact)
    empty = one_job(past, None, status="Failed")
    past.record(replace(empty[0], hyperparameters={}))
    past.record(empty[-1])
    best_one = {"best": past.incumbent.number, "stopped for": past.job(1).stop_reason}
    counts = {"failed with a place": len(past.failed()), "configurations": len(past.configurations)}
    return {"said": said, "values": past.observations()[1], **best_one, **counts}


def bounds():
    """The most that a job can cost, by each limit, and what ending early saves."""
    words = [
        {}, {"max_runtime_seconds": 100}, {"max_training_jobs": 5}, {"max_training_jobs": 5, "max_training_job_seconds": 7},
        {"max_runtime_seconds": 100, "max_training_jobs": 5, "max_training_job_seconds": 7, "max_parallel": 3, "instances": 2, "price_per_hour": 7.2},
        {"max_runtime_seconds": 10, "max_training_jobs": 5, "max_training_job_seconds": 70, "price_per_hour": 0.0},
    ]  # fmt: skip
    limited = {"max_training_job_seconds": 30, "instances": 4}, {"max_training_job_seconds": 50}
    of_two = [read_spec(several(*pair, max_training_jobs=10)) for pair in (limited, (limited[0], {}), ({}, {}))]
    names = ["of two, both limited", "of two, one limited", "of two, none limited"]
    found = {str(each): spec(**each) for each in words} | dict(zip(names, of_two, strict=True))
    bound = {
        name: {
            "bound": amount(cost.bound(each)),
            "instances": cost.most_instances(each),
            "longest": cost.longest_seconds(each),
        }
        for name, each in found.items()
    }
    saved = {
        f"{limit} allowed, 3 launched, {ended} ended": amount(
            cost.saved_by(spec(max_training_jobs=limit), 60.0, ended, 3)
        )
        for limit in (None, 5, 2)
        for ended in (0, 1, 3)
    }
    priced = amount(cost.saved_by(spec(max_training_jobs=5, price_per_hour=3600.0), 60.0, 2, 3))
    return {**bound, **saved, "with a price": priced}


class Old:
    """A strategy and a criterion of other packages, written for an earlier version."""

    is_limit = True
    verdict_name = "OldName"

    def promise(self, history, best, variance_factor):
        return best * variance_factor

    def check(self, history):
        if history.launches:
            raise KeyError("x")
        return TargetObjectiveMetricValue(1.0).check(history)


class New(Old):
    is_limit = False

    def expected_gain(self, history, best, variance_factor):
        return best + variance_factor


def plug_ins():
    none, one = History(JOBS["limit"][0], EPOCH), Played(*JOBS["limit"])
    one.decide()
    given = {"old": Old(), "new": New(), "neither": object()}
    return {
        "expected gains": {name: expected_gain_of(each, none, 2.0, 3.0) for name, each in given.items()},
        "names": [name_of(each) for each in (Old(), New(), MaxNumberOfTrainingJobs(3))],
        "verdicts": [verdict_of(each, past).as_dict() for each in (Old(), New()) for past in (none, one.past)],
    }


CASES = {
    **{f"{case.__name__} {name}": partial(case, name) for case in (played, replays) for name in JOBS},
    **{
        case.__name__: case
        for case in (
            moments,
            odd_replays,
            many_slots,
            changed,
            others,
            ties,
            room,
            changed_parts,
            refusals,
            bounds,
            plug_ins,
        )
    },
}


@pytest.mark.parametrize("name", CASES)
def test_histories_and_decisions_are_the_recorded_ones(name):
    check(FILE, name, CASES[name])


if __name__ == "__main__":
    write(FILE, CASES)
