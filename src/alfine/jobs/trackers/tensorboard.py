"""TensorBoard: a folder of event files for each training job, with its curves and its row in the HParams plugin."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from alfine.core.verdict import Verdict
from alfine.jobs.trackers.protocol import TrackedJob, TrackedTrainingJob

SUFFIX = ".alfine"
"""End of the names of the event files that alfine writes: they are written anew after a restart, and others in the folder stay."""

DEFAULT_FOLDER = "tensorboard"
"""The folder in the home, where [track] places names none."""


class TensorBoard:
    """Writes event files, by tensorboardX.

    Each run's file holds everything: after a restart of alfine, that of a training job with news is written anew from the record. So
    nothing is there twice. The arguments are those of `Tracker`.
    """

    package: ClassVar[str] = "tensorboardX"
    extra: ClassVar[str] = "tensorboard"

    def __init__(self, place: str, home: Path) -> None:
        self._folder = Path(place).expanduser() if place else home / DEFAULT_FOLDER
        self._writers: dict[str, Any] = {}
        self._said: dict[str, str] = {}  # the last text of each verdict, by tuning job and criterion

    @staticmethod
    def why_not() -> str:
        """Return "": it needs no settings."""
        return ""

    def tuning_job(self, job: TrackedJob) -> str:
        """Write the best objective so far, and the verdicts that have changed."""
        folder = self._folder / job.name
        writer = self._writer(folder, anew=job.is_whole)
        if job.is_whole:
            lines = [f"| {name} | {value} |" for name, value in job.parameters.items()]
            writer.add_text("tuning job", "\n".join(["| | |", "| --- | --- |", *lines]), 0, job.created_at.timestamp())
        for ended, objective, at in job.best_so_far:
            writer.add_scalar(f"best/{job.metric}", objective, ended, at.timestamp())
        ended = sum(job.counts.values())
        for verdict in _verdicts(job):
            key, text = f"{job.key} {verdict.criterion}", f"{verdict.outlook}: {verdict.sentence}"
            if job.is_whole or self._said.get(key) != text:
                writer.add_text(f"verdict/{verdict.criterion}", text, ended)
            self._said[key] = text
        self._settle(folder, writer, is_over=job.ended_at is not None)
        return str(folder)

    def training_job(self, job: TrackedTrainingJob, parent: TrackedJob) -> None:
        """Write values of metrics, and at the end the row of the HParams plugin."""
        folder = self._folder / parent.name / job.name
        writer = self._writer(folder, anew=job.first == 0)
        for metric, step, value, at in job.points:
            writer.add_scalar(metric, value, int(step), at.timestamp())
        if job.ended_at is not None:
            if job.objective is not None:
                writer.add_scalar(f"objective/{job.metric}", job.objective, job.number, job.ended_at.timestamp())
            self._add_row(writer, job)
            for name, text in (("reason", job.reason), ("model", job.artifact_uri)):
                if text:
                    writer.add_text(name, text, 0, job.ended_at.timestamp())
        self._settle(folder, writer, is_over=job.ended_at is not None)

    def close(self) -> None:
        """Close every event file."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _add_row(self, writer: Any, job: TrackedTrainingJob) -> None:
        from tensorboardX.summary import hparams

        metrics = {f"objective/{job.metric}": job.objective} if job.objective is not None else {}
        for summary in hparams({**job.hyperparameters, "status": job.status}, metrics):
            writer.file_writer.add_summary(summary)

    def _writer(self, folder: Path, *, anew: bool) -> Any:
        if anew:
            self._discard(folder)
        if (writer := self._writers.get(str(folder))) is None:
            from tensorboardX import SummaryWriter

            if folder.parent.is_file() or folder.is_file():
                raise NotADirectoryError(f"{folder} can't be a folder: a file has its place.")
            writer = self._writers[str(folder)] = SummaryWriter(str(folder), filename_suffix=SUFFIX, write_to_disk=True)
        return writer

    def _discard(self, folder: Path) -> None:
        """Remove what alfine has written into a folder."""
        if (writer := self._writers.pop(str(folder), None)) is not None:
            writer.close()
        for file in folder.glob(f"events.out.tfevents.*{SUFFIX}"):
            file.unlink(missing_ok=True)

    def _settle(self, folder: Path, writer: Any, *, is_over: bool) -> None:
        """Write to the disk what is in memory; close the file of what is over."""
        writer.flush()
        if is_over:
            writer.close()
            del self._writers[str(folder)]
        if shutil.disk_usage(self._folder).free == 0:  # the writer's own thread says nothing of a full disk
            raise OSError(f"There is no room left at {self._folder}.")


def _verdicts(job: TrackedJob) -> Iterator[Verdict]:
    yield from job.verdicts
    if job.verdict is not None and job.verdict.criterion not in {verdict.criterion for verdict in job.verdicts}:
        yield job.verdict
