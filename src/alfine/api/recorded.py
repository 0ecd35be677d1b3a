"""Training jobs of a Job: each knows where its log and its model lie, and all of them together are shown as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import overload

from alfine.core.training_job import TrainingJob
from alfine.core.wording import count_of
from alfine.jobs.home import Home

FIELDS = tuple(each.name for each in fields(TrainingJob))


@dataclass(slots=True, kw_only=True, repr=False)
class RecordedTrainingJob(TrainingJob):
    """A training job that is recorded in a home, as it was when its Job was read.

    Args:
        home: The home's folder.
    """

    home: Path = field(compare=False)

    @classmethod
    def of(cls, job: TrainingJob, home: Path) -> RecordedTrainingJob:
        """Return a training job of a history with its home."""
        return cls(home=home, **{name: getattr(job, name) for name in FIELDS})

    def log(self, lines: int | None = None) -> str:
        """Return the log.

        Args:
            lines: Only so many lines, the last ones; None: all of it.

        Raises:
            NotFound: It has no log: it ran a Python function, hasn't started yet, or its files were removed.

        Example:
            >>> print(job.best.log(lines=20))
        """
        with Home(self.home) as home:
            part = home.service.log(self.name, lines=lines)
            data = part.data
            while not part.last:
                part = home.service.log(self.name, part.end)
                data += part.data
        return data.decode(errors="replace")

    @property
    def model_path(self) -> Path | None:
        """The folder with the model that it saved (SM_MODEL_DIR); None where it saved none on this machine.

        Example:
            >>> joblib.load(job.best.model_path / "model.joblib")
        """
        with Home(self.home) as home:
            folder: Path | None = home.service.model_folder(self.name)
            return folder

    def _repr_html_(self) -> str:
        from alfine.api.job_html import training_job_html

        return training_job_html(self)


class TrainingJobs(Sequence[TrainingJob]):
    """The training jobs of a Job, in the order in which they were launched: `job.training_jobs[0]` has the number 1.

    Args:
        jobs: Those of a history.
        home: The home's folder.
    """

    def __init__(self, jobs: Iterable[TrainingJob], home: Path) -> None:
        self._jobs = tuple(jobs)
        self._home = home

    def __len__(self) -> int:
        return len(self._jobs)

    @overload
    def __getitem__(self, index: int) -> RecordedTrainingJob: ...

    @overload
    def __getitem__(self, index: slice) -> TrainingJobs: ...

    def __getitem__(self, index: int | slice) -> RecordedTrainingJob | TrainingJobs:
        if isinstance(index, slice):
            return TrainingJobs(self._jobs[index], self._home)
        return RecordedTrainingJob.of(self._jobs[index], self._home)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]  # what compares by its content and can change has no hash

    def __repr__(self) -> str:
        counts = Counter(job.status for job in self._jobs)
        statuses = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"<{count_of(len(self))}{f': {statuses}' if statuses else ''}>"

    def _repr_html_(self) -> str:
        from alfine.api.job_html import training_jobs_html

        return training_jobs_html(self)
