"""Values for trackers: tuning jobs and training jobs, made from the news in the store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from alfine.core.range_words import values_in_words
from alfine.core.spec import TuningJobSpec
from alfine.jobs.trackers.protocol import TrackedJob, TrackedTrainingJob
from alfine.jobs.training_job_log import workspace_of
from alfine.runners.packing import packed_model
from alfine.runners.storage.artifacts import artifact
from alfine.store.records import TrainingJobRow
from alfine.store.tracker_news import End, TrackerNews, TrainingJobNews

LARGEST_ARTIFACT = 100 << 20
"""Bytes of a model up to which a tracker gets a copy; of a larger one it is told where it is."""

SMALLEST_ARTIFACT = 150
"""Bytes of a packed model from which on there is something in it: an empty folder takes fewer."""

COPIED_AT_ONCE = 1 << 20
"""Bytes of a model that are read at once."""

OWN_PREFIXES = ("sagemaker_", "alfine_", "_")
"""Beginnings of the names of fixed hyperparameters that the user hasn't given."""


@dataclass(slots=True)
class Opened:
    """The state of telling a tracker of a tuning job that isn't over yet.

    Attributes:
        points: How many values of each training job that runs were told, by number.
        spec: The tuning job's specification, as long as its request stays the same.
        request: The request of that specification.
        ends: How many ends of training jobs were told.
        ends_fact: The fact up to which they were.
        best: The best training job so far, and its objective.
    """

    points: dict[int, int] = field(default_factory=dict)
    spec: TuningJobSpec | None = None
    request: Mapping[str, Any] | None = None
    ends: int = 0
    ends_fact: int = 0
    best: tuple[str, float] | None = None

    def tracked_job(self, news: TrackerNews) -> TrackedJob:
        """Return a tuning job with its news; its training jobs' ends count as told from now on."""
        job, spec = news.job, self._spec_of(news)
        is_whole = self.ends_fact == 0
        best_so_far = [*self._best_so_far(news.ends, spec)]
        self.ends_fact = news.told.fact
        return TrackedJob(
            name=job.name,
            key=f"{job.name} {job.created_at.isoformat()}",
            status=job.status,
            created_at=job.created_at,
            ended_at=job.ended_at,
            parameters=_parameters(spec),
            metric=spec.metric,
            counts=news.counters.statuses,
            best=self.best,
            best_so_far=best_so_far,
            is_whole=is_whole,
            verdict=job.verdict,
            verdicts=job.verdicts,
            failure_reason=job.failure_reason,
        )

    def tracked_training_job(
        self, job: TrackedJob, news: TrainingJobNews, artifact_uri: str | None, copy: Path | None
    ) -> TrackedTrainingJob:
        """Return a training job with its news.

        Args:
            job: Its tuning job.
            news: Its news.
            artifact_uri: Where its model is; None where there is none.
            copy: A copy of it; None where there is none.
        """
        assert self.spec is not None, "the tuning job is told first"
        row, part = news.row, self.spec.of(news.row.definition)
        static = part.definition.static_hyperparameters
        return TrackedTrainingJob(
            name=row.name,
            key=f"{job.key} {row.name}",
            number=row.number,
            status=row.status,
            created_at=row.created_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
            hyperparameters={name: _value(text) for name, text in row.hyperparameters.items()},
            static={name: text for name, text in static.items() if not name.startswith(OWN_PREFIXES)},
            metric=part.metric,
            objective=row.valid_objective,
            points=news.points,
            first=0 if news.is_whole else self.points[row.number],
            reason=row.failure_reason or row.stop_reason,
            artifact_uri=artifact_uri,
            artifact=copy,
        )

    def count(self, child: TrackedTrainingJob) -> None:
        """Note that the values of a training job were told; one that has ended is told as a whole if it ever has news again."""
        self.points[child.number] = child.first + len(child.points)
        if child.ended_at is not None:
            del self.points[child.number]

    def _spec_of(self, news: TrackerNews) -> TuningJobSpec:
        if self.spec is None or self.request != news.job.request:
            self.spec, self.request = news.job.spec(), news.job.request
        return self.spec

    def _best_so_far(self, ends: Sequence[End], spec: TuningJobSpec) -> Iterator[tuple[int, float, datetime]]:
        """Yield the best objective after each end."""
        for end in ends:
            self.ends += 1
            counts = end.objective is not None and spec.ranked in (None, end.definition)
            if counts and (self.best is None or spec.sign * end.objective < spec.sign * self.best[1]):  # type: ignore[operator]
                self.best = end.name, end.objective  # type: ignore[assignment]
            if self.best is not None:
                yield self.ends, self.best[1], end.at


@contextmanager
def model_of(folder: Path, row: TrainingJobRow, spec: TuningJobSpec) -> Iterator[tuple[str | None, Path | None]]:
    """Give the URI of a training job's model, and a copy of it; None where there is none, or no copy.

    Args:
        folder: Has the folders of the tuning jobs.
        row: The training job, which has ended.
        spec: That of its tuning job.
    """
    definition, space = spec.of(row.definition).definition, workspace_of(folder, row)
    uri = artifact(definition.output_path, row.name, packed=definition.packs_model, attempt=row.attempt)
    try:
        with packed_model(space) as model, tempfile.TemporaryDirectory(prefix="alfine-tracker-") as draft:
            size = os.fstat(model.fileno()).st_size if model is not None else 0
            if model is None or size < SMALLEST_ARTIFACT:
                yield uri, None
                return
            uri = uri or space.archive.as_uri()
            if size > LARGEST_ARTIFACT:
                yield uri, None
                return
            copy = Path(draft) / space.archive.name
            with copy.open("wb") as file:
                while part := model.read(COPIED_AT_ONCE):
                    file.write(part)
            yield uri, copy
    except FileNotFoundError:  # it ran on another machine, or its files were removed
        yield uri, None


def _parameters(spec: TuningJobSpec) -> dict[str, str]:
    """Return what a tuning job was asked for, in words."""
    given: dict[str, Any] = {
        "strategy": spec.strategy,
        "metric": spec.metric,
        "goal": spec.goal,
        "seed": spec.seed,
        "max_training_jobs": spec.max_training_jobs,
        "max_parallel": spec.max_parallel,
        "max_runtime_seconds": spec.max_runtime_seconds,
        "early_stopping": spec.early_stopping,
    }
    ranges = {
        f"range.{name}" if part is spec else f"range.{part.definition.name}.{name}": values_in_words(range_)
        for part in spec.definition_specs
        for name, range_ in part.space.ranges.items()
    }
    return {name: str(value) for name, value in {**given, **ranges}.items() if value is not None}


def _value(text: str) -> float | str:
    """Return a hyperparameter as a number where it is one: trackers draw numbers on axes."""
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return text
