"""A recorded search as alfine's own history, one result after the other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from alfine import Categorical, Continuous, Integer
from alfine.api.job_words import job_request
from alfine.core.facts import Ended, Launched, Started
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.core.spec import TuningJobSpec

KINDS = {"int": Integer, "float": Continuous}


def spec_of(record: dict, **words) -> TuningJobSpec:
    space = {
        p["name"]: Categorical([str(c) for c in p["choices"]])
        if p["type"] == "cat"
        else KINDS[p["type"]](p["low"], p["high"], scaling="Logarithmic" if p["log"] else "Linear")
        for p in record["space"]
    }
    words = {"name": "search", "strategy": "Random", "max_training_jobs": len(record["rows"]), **words}
    return read_spec(job_request(space=space, seed=record["seed"], **words))


def fed(record: dict, **words) -> Iterator[History]:
    """The history after each result; one that grows. words: of the job, as in a job file."""
    spec = spec_of(record, **words)
    categories = {p["name"] for p in record["space"] if p["type"] == "cat"}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    history = History(spec, now)
    for number, (configuration, value, _, seconds) in enumerate(record["rows"], 1):
        texts = {name: str(each) if name in categories else each for name, each in configuration.items()}
        end = now + timedelta(seconds=max(seconds, 1e-3))
        history.record(Launched(at=now, number=number, name=str(number), hyperparameters=texts))
        history.record(Started(at=now, number=number))
        history.record(Ended(at=end, number=number, status="Completed", objective=value))
        now = end
        yield history
