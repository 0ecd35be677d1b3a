"""Tuning jobs that test_recorded_verdicts.py judges: each is a few facts, and some are looked at after every fact."""

import numpy as np

from alfine import Categorical, Integer
from alfine.core.facts import Ended, Launched, Reported, Started, StopAsked, TimePassed, TuningJobStopAsked
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.criteria.improvement import Evidence
from tests.building import EPOCH, SPACE, at, history, one_job, several, spec

CONVERGED = "ConvergenceDetected"
PLATEAU = "BestObjectiveNotImproving"


def facts(past, *events):
    """Record facts, each as (seconds, number, what, more): «launched», «started», «ended» with its objective, or «stopped»."""
    rng = past.rng(99)
    for seconds, number, what, *more in events:
        when = at(seconds)
        if what == "launched":
            point = past.spec.space.sample(rng)
            fact = Launched(at=when, number=number, name=f"job-{number:03d}", hyperparameters=point)
        elif what == "started":
            fact = Started(at=when, number=number)
        elif what == "reported":
            fact = Reported(at=when, number=number, metric=past.spec.metric, step=1, value=more[0])
        elif what == "stopped":
            fact = StopAsked(at=when, number=number, reason="It will hardly be the best.")
        elif what == "time":
            fact = TimePassed(at=when)
        else:
            status = "Failed" if more[0] is None else "Completed"
            reason = None if more[0] is not None else "It broke. . "
            fact = Ended(at=when, number=number, status=status, objective=more[0], failure_reason=reason)
        past.record(fact)
    return past


def crowded():
    """Three at a time on two instances each, for 1 USD a second; with ties, waiting, an early stop and failures."""
    past = History(spec(max_training_jobs=20, max_parallel=3, instances=2, price_per_hour=1800.0), EPOCH)
    begin = [(0, number, "launched") for number in (1, 2, 3)]
    first = [(1, 1, "started"), (2, 2, "started"), (4, 3, "started"), (5, 1, "ended", 4.0), (6, 4, "launched")]
    then = [(7, 2, "ended", 4.0), (7, 5, "launched"), (8, 4, "started"), (8, 4, "reported", 3.97), (8, 4, "stopped")]
    gap = [(9, 4, "ended", 3.97), (9.5, 0, "time"), (10, 3, "ended", None), (12, 0, "time"), (13, 5, "ended", None)]
    late = [(14, 6, "launched"), (20, 6, "started"), (22, 6, "ended", 3.0), (22, 7, "launched"), (23, 7, "started")]
    last = [(25, 0, "time"), (25, 8, "launched"), (26, 9, "launched"), (26, 9, "started"), (27, 0, "time")]
    return facts(past, *begin, *first, *then, *gap, *late, *last)


CROWDED = (
    *(f"Deadline {seconds}" for seconds in (27, 33, 45, "2026-01-01T00:00:27Z", "2026-01-01T00:00:50Z")),
    "Deadline 2025-12-31T23:59:59Z",
    *(f"Deadline {seconds} active=true" for seconds in (15, 17, 30)),
    *(f"MaxCost {amount}" for amount in (18, 22, 27.5, 33, 60)),
    *(f"MaxRuntimeInSeconds {seconds}" for seconds in (27, 40)),
    *(f"MaxNumberOfTrainingJobs {count}" for count in (1, 9, 10)),
    *(f"TargetObjectiveMetricValue {target}" for target in (4, 3.97, 3, 2)),
    *(f"{PLATEAU} 3{strict}" for strict in ("", " strict=true")),
    *(f"NotBefore(MaxCost 18, {floor})" for floor in ("6, seconds=27", "7", "seconds=28")),
    "NotBefore(Deadline 20, seconds=30)",
    "NotBefore(MaxCost 18, 12, seconds=54)",
    *(f"Steady(TargetObjectiveMetricValue 4, times={times})" for times in (2, 6)),
    "Steady(Deadline 20, times=2)",
    f"Steady({PLATEAU} 3, times=2)",
    *(
        f"Shadow({each})"
        for each in (f"{PLATEAU} 3", "MaxCost 13", "TargetObjectiveMetricValue 3.97", "Deadline 12", "MaxCost 60")
    ),
    "AtLeast(2, Deadline 28, MaxCost 18, TargetObjectiveMetricValue 3)",
    "AllOf(MaxCost 30.5, Deadline 45)",
    "AnyOf(MaxNumberOfTrainingJobs 9, TargetObjectiveMetricValue 3)",
    "AtLeast(2, AnyOf(Deadline 40, MaxCost 26), MaxRuntimeInSeconds 40, NotBefore(Deadline 20, seconds=31))",
)


def near_0():
    """The best is nearly 0, and one training job is left."""
    values = [1.0, 0.9, 0.95, 0.5, 0.7, 1e-9, 0.4, 0.3, 0.6, 0.2, 0.8]
    return history(values, max_training_jobs=12, price_per_hour=3600.0)


def of_zeros():
    """All objectives are 0, and training jobs take no time."""
    past = history(max_training_jobs=40, max_runtime_seconds=9, price_per_hour=1.0, goal="Maximize")
    for _ in range(11):
        for fact in one_job(past, 0.0, seconds=0.0):
            past.record(fact)
    return past


def used_up():
    """All training jobs of the limit have ended: the tenth objective is the last one."""
    return history([1.0 / n for n in range(1, 11)], max_training_jobs=10, price_per_hour=3600.0)


def tenth():
    """There are just enough objectives, below 0; the cap and the noise matter."""
    return history([-50.0 - n % 7 for n in range(1, 11)], max_training_jobs=30, price_per_hour=3600.0)


VALUES = (
    *(
        f"{CONVERGED}{settings}"
        for settings in ("", " delta=0.5", " epsilon=0.5 cap=0.05", " cap=1e-9", " delta=0.999")
    ),
    *(f"MarginalValue {worth}" for worth in (0.3, 5.4, 1e6)),
    *(f"TargetObjectiveMetricValue {target}" for target in (0, 1e-9, -1)),
    *(f"{PLATEAU} {n}" for n in (3, 6, 7)),
    f"{PLATEAU} 7 strict=true",
    "MaxCost 10",
    "MaxCost 12.5",
    "MaxNumberOfTrainingJobs 9",
    "MaxNumberOfTrainingJobs 14",
    "MaxRuntimeInSeconds 12",
    f"NotBefore({PLATEAU} 3, 20, seconds=30)",
)


def noisy():
    """The results clearly are noisy: four configurations again and again."""
    past = history(max_training_jobs=60, price_per_hour=3600.0)
    points = [past.spec.space.sample(past.rng(number)) for number in range(4)]
    for number in range(24):
        value = 10.0 + number % 4 + 0.01 * (number * 37 % 11)
        for fact in one_job(past, value, hyperparameters=points[number % 4], seconds=1.0 + number % 3):
            past.record(fact)
    return past


def failing():
    """None of the first four training jobs has an objective; the limit was lowered to three meanwhile."""
    return history([None, None, None, None], max_training_jobs=3, price_per_hour=1.0)


def one_failed():
    return history([None], max_training_jobs=5)


def finite():
    """A space of six configurations: five were launched, one of them runs."""
    space = {"depth": Integer(1, 3), "booster": Categorical(["a", "b"])}
    past = history(space=space, max_training_jobs=None)
    points = [{"depth": depth, "booster": booster} for depth in (1, 2, 3) for booster in "ab"]
    for number, point in enumerate(points[:5]):
        for fact in one_job(past, number % 3, hyperparameters=point)[: 2 if number == 4 else None]:
            past.record(fact)
    return past


def exhausted():
    """A space of one configuration, which has been launched."""
    past = history(space={"booster": Categorical(["a"])}, max_training_jobs=None)
    for fact in one_job(past, 1.0, hyperparameters={"booster": "a"}):
        past.record(fact)
    return past


def asked_to_stop():
    past = history([2.0, 1.0], max_training_jobs=40)
    past.record(TuningJobStopAsked(at=at(2.5)))
    return past


def far():
    """So large a limit that a forecast looks after several training jobs at once."""
    return history([3.0 + 1.0 / n for n in range(1, 13)], max_training_jobs=2500, max_parallel=4)


def tight():
    """Of six training jobs one has ended; four are reserved for repeats, and hardly any time is left."""
    words = {"max_training_jobs": 6, "repeats": "best=2 times=2", "price_per_hour": 3600.0}
    return history([2.0], max_runtime_seconds=1.75, **words)


def repeated():
    """The repeats have ended, too: nothing is left of the limit."""
    return history([2.0, 1.0, 1.5, 1.25, 1.75, 1.1], max_training_jobs=6, repeats="best=2 times=2")


def three_run():
    """Three training jobs run, two of which have nearly cost what one does on average."""
    past = history(max_training_jobs=40, max_parallel=3, price_per_hour=3600.0)
    begin = [(0, 1, "launched"), (0, 1, "started"), (10, 1, "ended", 1.0)]
    then = [(10 + number, number, "launched") for number in (2, 3, 4)]
    return facts(past, *begin, *then, (10, 2, "started"), (11, 3, "started"), (19, 4, "started"))


def two_left():
    """Ten have ended, and two are left."""
    return history([3.0 - n / 10 for n in range(10)], max_training_jobs=12, price_per_hour=3600.0)


def one_left():
    """Four of five have ended, too few for a model."""
    return history([3.0, 2.0, None, 2.5], max_training_jobs=5, price_per_hour=3600.0)


def of_others():
    """Three definitions, one of them maximised; the last two training jobs run, one of which has reported its objective."""
    first, second = {"space": SPACE, "goal": "Maximize"}, {"space": {"eta": SPACE["eta"]}, "metric": "auc"}
    past = History(read_spec(several(first, second, {"space": SPACE}, max_training_jobs=None, max_parallel=2)), EPOCH)
    for number in range(5):
        for fact in one_job(past, 2.0 + number, definition="abc"[number % 3]):
            past.record(fact)
    past.record(one_job(past, 1.0, definition="b")[0])
    for fact in one_job(past, 1.0, definition="b", reports=[0.5])[:3]:
        past.record(fact)
    return past


FALLING = np.array([9.0, 7.0, 8.0, 6.5, 6.0, 6.25, 5.0, 5.5, 5.25, 4.0, 4.25, 4.5])
RISING = np.array([1.0, 1.5, *np.linspace(2.0, 3.0, 28)])
NEAR = np.array([[-0.5, 1.0], [0.25, 0.5], [3.0, 0.01]])

EVIDENCES = {
    "early": Evidence(FALLING, FALLING, k=12, rem=5, hyperparameters=3, prospects=NEAR, noise=0.0, locality=0.5),
    "without a model": Evidence(
        FALLING, FALLING, k=14, rem=40, hyperparameters=1, prospects=None, noise=0.2, locality=0.0
    ),
    "of noisy results": Evidence(
        FALLING, FALLING + 0.5, k=12, rem=8, hyperparameters=2, prospects=NEAR, noise=1.0, locality=1.0
    ),
    "hopeful": Evidence(
        FALLING, FALLING, k=10, rem=5000, hyperparameters=9, prospects=-9 * NEAR**2, noise=0.0, locality=2.0
    ),
    "hopeless": Evidence(RISING, RISING, k=700, rem=1, hyperparameters=0, prospects=NEAR[2:], noise=0.0, locality=0.01),
    "level": Evidence(
        np.full(11, 2.0), np.full(11, 2.0), k=11, rem=3, hyperparameters=1, prospects=None, noise=0.0, locality=1.0
    ),
}
"""What is known of tuning jobs whose results needn't be fitted by a model."""

LOOKED_AT = {
    crowded: CROWDED,
    near_0: tuple(text for text in VALUES if "MarginalValue" not in text),  # 1 % of nearly 0 isn't worth anything
    of_zeros: (
        CONVERGED,
        "MarginalValue 3",
        "TargetObjectiveMetricValue 0",
        f"{PLATEAU} 10 strict=true",
        "MaxCost 12.5",
        "NotBefore(MaxNumberOfTrainingJobs 5, seconds=9)",
    ),
    used_up: (CONVERGED, "MarginalValue 3", f"{PLATEAU} 3", "MaxNumberOfTrainingJobs 9", "MaxRuntimeInSeconds 12"),
    tenth: (
        *VALUES[:10],
        f"Steady({CONVERGED} delta=0.999, times=1)",
        "TargetObjectiveMetricValue -56",
        "TargetObjectiveMetricValue -60",
    ),
    noisy: (*VALUES[:3], "MarginalValue 3"),
    failing: ("MaxCost 3", "Shadow(MaxNumberOfTrainingJobs 2)"),
    one_failed: ("MaxNumberOfTrainingJobs 1",),
    finite: ("MaxNumberOfTrainingJobs 6", "MaxCost 3"),
    exhausted: ("MaxNumberOfTrainingJobs 6",),
    asked_to_stop: ("MaxNumberOfTrainingJobs 6",),
    far: (
        CONVERGED,
        f"{PLATEAU} 10",
        "MaxNumberOfTrainingJobs 2400",
        "TargetObjectiveMetricValue 3.01",
    ),
    tight: ("MaxRuntimeInSeconds 1.75", f"{PLATEAU} 3", "MaxNumberOfTrainingJobs 3"),
    repeated: ("MaxNumberOfTrainingJobs 2", "MaxNumberOfTrainingJobs 5"),
    three_run: (*(f"MaxCost {limit}" for limit in (41, 51, 52, 56, 70)), "Deadline 40", "Deadline 21 active=true"),
    two_left: (CONVERGED, "MarginalValue 1e-6", "MarginalValue 1e6"),
    one_left: (CONVERGED, "MarginalValue 3", "TargetObjectiveMetricValue 1"),
    of_others: ("MaxNumberOfTrainingJobs 6", f"{PLATEAU} 3"),
}
"""Each tuning job, and the criteria that are asked about it beside those that it has anyway."""
