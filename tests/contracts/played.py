"""Searches by every strategy, with failures, curves, conditions and several definitions; what they suggested, as JSON."""

import json
import sys

import alfine
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.strategies import strategy_for
from tests.building import EPOCH, one_job, several

SPACE = {
    "rate": alfine.Continuous(1e-5, 1e-1),
    "width": alfine.Integer(1, 640),
    "kind": alfine.Categorical(["adam", "sgd"]),
    "momentum": alfine.Continuous(0, 0.99, requires={"kind": "sgd"}),
}
WORDS = {
    "Bayesian": {"early_stopping": "Auto"},
    "Hyperband": {"max_resource": 9},
    "Random": {"early_stopping": "Auto"},
}
SLOTS, COUNT = 3, 22


def objective(h):
    return abs(h["width"] - 200) / 200 + (h["kind"] == "adam") + abs(h.get("momentum", 0.5) - 0.8) + 10 * h["rate"]


def searched(strategy, **words):
    tuner = alfine.Tuner(SPACE, strategy=strategy, seed=3, forbid="kind = sgd and width > 500", **words)
    running = []
    for turn in range(COUNT):
        while len(running) < SLOTS:
            running.append(tuner.ask())
        job = running.pop(turn % SLOTS)
        for step in range(1, 10):
            value = objective(job.hyperparameters) + 1 / step
            if tuner.report(job, step, value):
                break
        tuner.tell(job, **({"failed": "it broke"} if turn % 7 == 5 else {"value": value}))
    return [job.hyperparameters for job in tuner.training_jobs]


def of_several(strategy, **words):
    both = [{"space": {"x": alfine.Continuous(0, 1)}}, {"space": {"y": alfine.Continuous(1e-4, 1)}}]
    past = History(read_spec(several(*both, strategy=strategy, seed=3, **words)), EPOCH)
    for _ in range(16):
        suggestion = strategy_for(past.spec).ask(past)
        point, name = suggestion.hyperparameters, suggestion.definition
        for fact in one_job(past, sum(point.values()), hyperparameters=point, definition=name):
            past.record(fact)
    return [[job.definition, job.hyperparameters] for job in past.jobs]


if __name__ == "__main__":
    found = {name: searched(name, **words) for name, words in WORDS.items()}
    more = {"Hyperband": {"max_resource": 9}}
    json.dump([found, {name: of_several(name, **more.get(name, {})) for name in WORDS}], sys.stdout)
