"""MLflow: a run for each training job, with a parent run for the tuning job."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import ClassVar, TypeVar

from alfine.jobs.trackers.protocol import TrackedJob, TrackedTrainingJob

EXPERIMENT = "alfine"
"""The experiment, unless MLFLOW_EXPERIMENT_NAME names another one."""

KEY = "alfine.key"
"""The tag by which a run is found again."""

BATCH, PARAMETERS_A_BATCH = 1000, 100
"""Metric values, and parameters, of one request at most. Source: MLflow's REST API, «Log Batch»."""

LONGEST_PARAMETER, LONGEST_TAG = 6000, 5000
"""Characters of a parameter and of a tag that every server takes. Source: the same."""

STATUSES = {"Completed": "FINISHED", "Stopped": "KILLED", "Failed": "FAILED"}
"""MLflow's status of a run that is over; any other runs."""

SILENCE = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
"""The environment variable with which MLflow prints no URLs."""

ODD = re.compile(r"[^\w\-. :/]")
"""A character that MLflow takes in no name."""

T = TypeVar("T")

Value = tuple[str, float, int, int]
"""A value as MLflow knows it: its metric, the value, milliseconds since 1970, the step."""


class Mlflow:
    """Writes runs through MLflow's client.

    Without a place it writes where MLFLOW_TRACKING_URI, or `mlflow.set_tracking_uri` in this process, leads. The arguments are those of
    `Tracker`.
    """

    package: ClassVar[str] = "mlflow"
    extra: ClassVar[str] = "mlflow"

    def __init__(self, place: str, home: Path) -> None:  # noqa: ARG002 - as the protocol has it
        from mlflow import MlflowClient

        self._client = MlflowClient(place or None)
        self._experiment: str | None = None
        self._runs: dict[str, str] = {}  # the id of each run, by its key

    @staticmethod
    def why_not() -> str:
        """Return "": it needs no settings."""
        return ""

    def tuning_job(self, job: TrackedJob) -> str:
        """Write the parent run: what was asked for, the best objective so far, the verdicts."""
        run = self._run(job.key, job.name, job.created_at, {"alfine.tuning_job": job.name})
        best = f"best/{job.metric}"
        values = [(best, objective, _ms(at), ended) for ended, objective, at in job.best_so_far]
        tags = {
            "alfine.status": job.status,
            **{f"alfine.training_jobs.{status}": str(count) for status, count in job.counts.items()},
            **{f"alfine.verdict.{one.criterion}": f"{one.outlook}: {one.sentence}" for one in job.verdicts},
        }
        if job.verdict is not None:
            tags["alfine.verdict"] = job.verdict.sentence
        if job.best is not None:
            tags["alfine.best_training_job"] = job.best[0]
        if job.failure_reason:
            tags["alfine.failure_reason"] = job.failure_reason
        self._write(run, job.parameters if job.is_whole else {}, values, tags, look=job.is_whole)
        if job.ended_at is not None:
            self._client.log_dict(run, {"verdicts": [one.as_dict() for one in job.verdicts]}, "verdicts.json")
        self._end(run, job.status, job.ended_at)
        return self._shown(run)

    def training_job(self, job: TrackedTrainingJob, parent: TrackedJob) -> None:
        """Write the run of a training job: its hyperparameters, its curves, its end and its model."""
        tags = {"alfine.tuning_job": parent.name, "mlflow.parentRunId": self._runs[parent.key]}
        run = self._run(job.key, job.name, job.created_at, {**tags, "alfine.training_job": job.name})
        values = [(metric, value, _ms(at), int(step)) for metric, step, value, at in job.points]
        if job.objective is not None:
            values.append((f"objective/{job.metric}", job.objective, _ms(job.ended_at or job.created_at), 0))
        parameters = {**job.static, **{name: str(value) for name, value in job.hyperparameters.items()}}
        tags = {"alfine.status": job.status, "alfine.number": str(job.number)}
        tags |= {"alfine.reason": job.reason} if job.reason else {}
        tags |= {"alfine.model": job.artifact_uri} if job.artifact_uri else {}
        self._write(run, parameters if job.first == 0 else {}, values, tags, look=job.first == 0)
        if job.artifact is not None:
            self._client.log_artifact(run, str(job.artifact))
        self._end(run, job.status, job.ended_at)
        if job.ended_at is not None:
            del self._runs[job.key]

    def close(self) -> None:
        """Do nothing: every call is answered when it is over."""

    # -- runs ----------------------------------------------------------------------------------------------------

    def _run(self, key: str, name: str, began: datetime, tags: Mapping[str, str]) -> str:
        """Return the id of the run with a key; it is made where there is none."""
        if key in self._runs:
            return self._runs[key]
        if self._experiment is None:
            self._experiment = self._found_experiment()
        runs = self._client.search_runs([self._experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
        run = (
            runs[0]
            if runs
            else self._client.create_run(
                self._experiment, start_time=_ms(began), run_name=name, tags={KEY: key, **tags}
            )
        )
        self._runs[key] = run.info.run_id
        return self._runs[key]

    def _found_experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        for _ in range(2):
            if (experiment := self._client.get_experiment_by_name(name)) is not None:
                return str(experiment.experiment_id)
            try:
                return str(self._client.create_experiment(name))
            except Exception:  # another process was quicker: then it is there now
                if self._client.get_experiment_by_name(name) is None:
                    raise
        raise LookupError(f"The experiment {name} can't be found or made.")

    def _write(
        self,
        run: str,
        parameters: Mapping[str, str],
        values: Sequence[Value],
        tags: Mapping[str, str],
        *,
        look: bool,
    ) -> None:
        """Write parameters, values and tags; look: leave out values that the run has already."""
        from mlflow.entities import Metric, Param, RunTag

        named = [(_name(metric), value, at, step) for metric, value, at, step in values]
        known = set(self._known(run, {metric for metric, *_ in named})) if look else set()
        fresh = [Metric(*value) for value in named if value not in known]
        params = [Param(_name(name), value[:LONGEST_PARAMETER]) for name, value in parameters.items()]
        for part in _parts(params, PARAMETERS_A_BATCH):
            self._client.log_batch(run, params=part)
        marks = [RunTag(_name(name), value[:LONGEST_TAG]) for name, value in tags.items()]
        for part in [*_parts(fresh, BATCH - PARAMETERS_A_BATCH)] or [()]:
            self._client.log_batch(run, metrics=part, tags=marks)

    def _known(self, run: str, metrics: Iterable[str]) -> Iterator[Value]:
        """Yield the values that a run has of some metrics."""
        has = self._client.get_run(run).data.metrics
        for metric in metrics:
            for one in self._client.get_metric_history(run, metric) if metric in has else ():
                yield metric, one.value, one.timestamp, one.step

    def _end(self, run: str, status: str, ended_at: datetime | None) -> None:
        if ended_at is not None:
            with _prints_nothing():
                self._client.set_terminated(run, STATUSES.get(status, "FINISHED"), _ms(ended_at))
        elif self._client.get_run(run).info.status != "RUNNING":  # the tuning job goes on after a change
            self._client.update_run(run, status="RUNNING")

    def _shown(self, run: str) -> str:
        """Return where a user looks at a run."""
        uri = str(self._client.tracking_uri)
        if uri.startswith(("http://", "https://")):
            return f"{uri.rstrip('/')}/#/experiments/{self._experiment}/runs/{run}"
        return f"{uri} (run {run})"


@contextmanager
def _prints_nothing() -> Iterator[None]:
    """Keep MLflow from printing the URL of each run that ends, into the output of whatever program this is."""
    before = os.environ.get(SILENCE)
    os.environ[SILENCE] = "true"
    try:
        yield
    finally:
        os.environ.pop(SILENCE)
        if before is not None:
            os.environ[SILENCE] = before


def _name(text: str) -> str:
    """Return a name as MLflow takes it."""
    return ODD.sub("_", text)


def _parts(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield parts of a sequence, of at most `size` each."""
    for begin in range(0, len(values), size):
        yield values[begin : begin + size]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
