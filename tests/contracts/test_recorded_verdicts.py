"""What every criterion says of some tuning jobs, and where it would end them, is what verdicts.json says: whoever changes it, means to.

`python -m tests.contracts.test_recorded_verdicts` writes the file anew; git then shows what the change means for users.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.core.replay import replay
from alfine.core.verdict import Outlook, Verdict
from alfine.criteria import ALWAYS, criterion_from_text
from alfine.criteria.forecast import forecast_of
from alfine.criteria.future import Future
from alfine.criteria.simulation import simulated_end
from alfine.jobs.policy_for import policy_for
from tests.building import EPOCH, SPACE, history, one_job, several, spec
from tests.contracts.test_criteria import EXAMPLES
from tests.recorded import alike

FILE = Path(__file__).with_name("verdicts.json")


def created():
    return history(max_training_jobs=40, price_per_hour=2.0)


def begun():
    return history([3.0, None, 2.5], max_training_jobs=40, price_per_hour=2.0)


def falling():
    """Also with training jobs that run, one for a second, and the best to be run again at the end."""
    words = {"max_parallel": 2, "repeats": "best=2 times=2", "criteria": ["BestObjectiveNotImproving 4"]}
    past = history([1.0 + 1.0 / n for n in range(1, 13)], max_training_jobs=40, price_per_hour=3600.0, **words)
    for facts in (
        lambda: one_job(past, 1.0)[:2],
        lambda: one_job(past, 1.0 + 1.0 / 13),
        lambda: one_job(past, 1.0)[:2],
    ):
        for fact in facts():
            past.record(fact)
    return past


def level():
    """Without a limit, maximised, with failures; training jobs take ever longer."""
    past = History(spec(goal="Maximize", max_training_jobs=None, price_per_hour=7.0), EPOCH)
    for number in range(1, 25):
        value = None if number % 9 == 4 else 5.0 + min(number, 8) + 0.1 * (number * 7 % 5)
        for fact in one_job(
            past, value, status="Completed" if value else "Failed", reports=[1.0, 2.0], seconds=10.0 + number
        ):
            past.record(fact)
    return past


def of_two():
    """Two definitions of which each has an objective of its own, without a price; the limit of time is near."""
    both = {"space": SPACE}, {"space": {"eta": SPACE["eta"]}, "metric": "auc", "goal": "Maximize"}
    past = History(read_spec(several(*both, max_training_jobs=30, max_runtime_seconds=25)), EPOCH)
    for number in range(1, 19):
        for fact in one_job(past, 0.5 + 0.3 / number, definition="ab"[number % 2], seconds=1.25):
            past.record(fact)
    return past


PASTS = {past.__name__: past for past in (created, begun, falling, level, of_two)}


class Listening:
    """A criterion of another package that never ends a job: what it is shown of futures."""

    def __init__(self):
        self.heard = []

    def check(self, past):
        if not past.jobs:
            return Verdict(outlook=Outlook.CONTINUE, criterion="Listening", sentence=".")
        job = past.jobs[-1]
        steps = [report.step for report in job.reports]
        of_job = job.number, job.definition, job.hyperparameters.get("eta"), steps, job.objective, job.seconds
        self.heard.append([past.elapsed_seconds, past.ended, *of_job])
        return Verdict(outlook=Outlook.CONTINUE, criterion="Listening", sentence=".")


def heard(past):
    """The first training jobs that each simulated future of a history has."""
    listening = Listening()
    simulated_end(listening, past)
    calls = len(listening.heard) // 3
    return [listening.heard[begin : begin + 6] for begin in (0, calls, 2 * calls)]


def criteria_of(past):
    """The criteria of the contract, and those that the job has anyway, each by its text."""
    always = {kind.__name__: kind.from_spec(past.spec) for kind in ALWAYS}
    texts = [*EXAMPLES.values(), "MarginalValue 20"]  # whose end isn't at once
    return {**{text: criterion_from_text(text) for text in texts}, **{k: c for k, c in always.items() if c}}


def said(name):
    """The verdict of each criterion, where it would end the job, and the job's own forecast and replay."""
    past, result = PASTS[name](), {}
    future, policy = Future(past), policy_for(past.spec)
    for text, criterion in criteria_of(past).items():
        ends = future.ends(criterion)
        soon = ends[np.isfinite(ends)]
        quantiles = [float(end) for end in np.quantile(soon, [0.05, 0.25, 0.5, 0.75, 0.95])] if len(soon) else []
        result[text] = {"verdict": criterion.check(past).as_dict(), "ends": [len(soon), *quantiles]}
    result["futures"] = heard(past)
    result["forecast"] = forecast_of(past, policy.criteria).as_dict()
    replayed = replay(past, policy)
    numbers = replayed.training_jobs, replayed.training_seconds, replayed.saved_training_jobs, replayed.missed
    result["replay"] = [replayed.verdict.sentence, *numbers, replayed.saved_training_seconds]
    return json.loads(json.dumps(result))


@pytest.mark.parametrize("name", PASTS)
def test_verdicts_forecasts_and_replays_are_the_recorded_ones(name):
    alike(
        said(name),
        json.loads(FILE.read_text())[name],
        f"{name}: is the change meant? The module says how to record it.",
    )


if __name__ == "__main__":
    FILE.write_text(json.dumps({name: said(name) for name in PASTS}, indent=1, ensure_ascii=False) + "\n")
