"""Builders: three words make a request, a spec, a history with facts. The clock is a number of seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from alfine import Categorical, Continuous, Integer
from alfine.api.job_words import job_request
from alfine.core.facts import Ended, Fact, Launched, Reported, Started
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.core.spec import TuningJobSpec
from alfine.jobs import documents
from alfine.jobs.describe import TrainingJobSummary

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SPACE = {
    "eta": Continuous(0.01, 1, scaling="Logarithmic"),
    "depth": Integer(1, 10),
    "booster": Categorical(["gbtree", "dart"]),
}


def at(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def request(**words: Any) -> dict[str, Any]:
    return job_request(**{"name": "job", "space": SPACE, "seed": 7, **words})


def spec(**words: Any) -> TuningJobSpec:
    return read_spec(request(**words))


def several(*definitions: Mapping[str, Any], **words: Any) -> dict[str, Any]:
    """A request with several definitions, «a», «b», …: the words that each has of its own, and those of the job."""
    found = []
    for name, own in zip("abcdefghij", definitions, strict=False):
        each = request(**own)
        config = each["HyperParameterTuningJobConfig"]
        found.append(
            {
                **each["TrainingJobDefinition"],
                "DefinitionName": name,
                "TuningObjective": config["HyperParameterTuningJobObjective"],
                "HyperParameterRanges": config["ParameterRanges"],
            }
        )
    job = request(**words)
    job.pop("TrainingJobDefinition")
    for single in ("HyperParameterTuningJobObjective", "ParameterRanges"):
        job["HyperParameterTuningJobConfig"].pop(single)
    return {**job, "TrainingJobDefinitions": found}


def one_job(
    history: History,
    objective: float | None,
    *,
    status: str = "Completed",
    reports: Sequence[float] = (),
    hyperparameters: Mapping[str, Any] | None = None,
    definition: str | None = None,
    seconds: float = 1.0,
) -> list[Fact]:
    """The facts of one more training job, run from now to `seconds` later."""
    number, now, spec = history.launches + 1, history.now, history.spec.of(definition)
    point = dict(hyperparameters or spec.space.sample(history.rng(99)))
    end, metric = now + timedelta(seconds=seconds), spec.metric
    return [
        Launched(at=now, number=number, name=f"job-{number:03d}", hyperparameters=point, definition=definition),
        Started(at=now, number=number),
        *(Reported(at=now, number=number, metric=metric, step=i, value=v) for i, v in enumerate(reports, 1)),
        Ended(
            at=end,
            number=number,
            status=status,
            objective=objective,
            failure_reason=None if status != "Failed" else "it broke",
        ),
    ]


def history(objectives: Iterable[float | None] = (), **words: Any) -> History:
    """A history of training jobs that ran one after the other, a second each; None is one that failed."""
    past = History(spec(**words), EPOCH)
    for objective in objectives:
        for fact in one_job(past, objective, status="Completed" if objective is not None else "Failed"):
            past.record(fact)
    return past


def listed(history: History) -> list[dict[str, Any]]:
    """The rows of ListTrainingJobsForHyperParameterTuningJob for a history, as plain data."""
    rows = []
    for job in history.jobs:
        spec = history.spec.of(job.definition)
        names = ("name", "definition", "status", "created_at", "started_at", "ended_at", "objective", "failure_reason")
        summary = TrainingJobSummary(
            tuning_job=history.spec.name,
            hyperparameters=spec.space.to_text(job.hyperparameters),
            goal=spec.goal,
            metric=spec.metric,
            stop_reason=job.stop_reason,
            **{name: getattr(job, name) for name in names},
        )
        rows.append(documents.training_job(summary))
    return rows
