"""Results of a tuning, read from its history: the part that a Job and a Tuner have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from alfine.core.history import History
from alfine.core.training_job import TrainingJob
from alfine.core.wording import number
from alfine.jobs.analysis.export_table import dataframe
from alfine.jobs.status_words import FailureCause, failure_causes
from alfine.surrogate import parent_evidence
from alfine.surrogate.best_estimate import Estimate, estimate
from alfine.surrogate.space_diagnosis import remarks
from alfine.surrogate.space_remarks import Remark

if TYPE_CHECKING:
    from alfine.figures.plots import Plots


class Results(ABC):
    """Results of a tuning, read from its history: the base of Job and Tuner."""

    @property
    @abstractmethod
    def history(self) -> History:
        """Everything that was recorded: the facts, in order, and what follows from them."""

    @property
    def training_jobs(self) -> Sequence[TrainingJob]:
        """All training jobs in the order in which they were launched."""
        return tuple(self.history.jobs)

    @property
    def best(self) -> TrainingJob | None:
        """The training job with the best objective; None while no training job has one.

        With `repeats`, once configurations have been run again, the one with the best average counts.
        """
        return self.history.incumbent

    @property
    def best_objective(self) -> float | None:
        """The objective of the best configuration: the mean of its runs where `repeats` ran it again; None before one."""
        return self.history.best_value

    @property
    def failures(self) -> tuple[FailureCause, ...]:
        """The causes of the failures, the most frequent first: of each its last line of the log, how often, and the latest example."""
        failed = (job for job in reversed(self.history.finished) if job.status == "Failed" and job.failure_reason)
        return failure_causes((job.name, job.failure_reason or "") for job in failed)

    @property
    def overall_best(self) -> TrainingJob | None:
        """The best training job of this tuning and of its parents.

        Parents count after a warm start of type IdenticalDataAndAlgorithm. A training job of a parent has the number 0.
        """
        return self.history.overall_best

    @property
    def best_estimate(self) -> Estimate | None:
        """The likely true value of the best configuration, with a 90 % interval; None with fewer than ten objectives.

        With noisy results the best one was also lucky: its true value is probably a little worse than its objective.
        """
        return estimate(self.history)

    @property
    def space_remarks(self) -> tuple[Remark, ...]:
        """Remarks on the search space, drawn from the results.

        The best configurations lie at the end of a range, a hyperparameter has no effect, or there are too few
        configurations.
        """
        return remarks(self.history)

    @property
    def warm_start_sentence(self) -> str | None:
        """A sentence on how the results of the parents are used; None without a warm start."""
        return parent_evidence.sentence(self.history)

    @property
    def best_params(self) -> dict[str, Any]:
        """The hyperparameters of the best training job; empty while no training job has an objective."""
        return dict(self.best.hyperparameters) if self.best is not None else {}

    def __repr__(self) -> str:
        best, value = self.best, self.best_objective
        known = "no objective yet" if best is None else f"best {number(value)} of training job {best.number}"
        return f"<{type(self).__name__}: {self.history.launches} training jobs, {known}>"

    @property
    def plot(self) -> Plots:
        """The figures: `job.plot.best()`, `job.plot.importance()` and others, which notebooks show and `save` writes."""
        from alfine.figures.plots import Plots

        return Plots(self.history)

    def importance(self) -> dict[str, float]:
        """Return the importance of each hyperparameter, the greatest first.

        Returns:
            The share of the objective's variance that the hyperparameter causes, alone or together with others, in the
            surrogate's eyes; empty with fewer than ten objectives. `plot.importance()` shows it with its uncertainty.
        """
        return {each.name: each.share for each in self.plot.influences()}

    def dataframe(self) -> Any:
        """Return a pandas DataFrame with one row for each training job.

        Raises:
            MissingExtra: pandas isn't installed (`pip install 'alfine[dataframe]'`).
        """
        return dataframe(self.history)
