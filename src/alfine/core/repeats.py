"""Repeats: the best few configurations are run again before the job says which is best, since the best of noisy results was lucky.

Once a criterion has ended the search, and what ran of it has ended too, the configurations with the best first results (`contenders`)
are launched again as ordinary training jobs, one round after the other, so that whatever cuts them short, all were run about
equally often. The best is then the contender with the best mean, named by its first training job. Which those are is a function of
first results alone, which no repeat changes: a restart goes on where the launches recorded so far leave off.

They count as training jobs everywhere. MaxNumberOfTrainingJobs keeps room for them; time and money that run out cut them short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from alfine.core.errors import Fault, InvalidSpec

if TYPE_CHECKING:
    from alfine.core.history import History, TrainingJob

SETTING = "repeats"
NEVER = ("never", "0")  # takes them away from a job that was to have them
MOST = 100  # of either number
WANTED = f"must be as «best=3 times=5», two whole numbers from 1 to {MOST}: how many configurations, and how often each again."


@dataclass(frozen=True, slots=True)
class Repeats:
    """Run the `best` so many configurations again, `times` each."""

    best: int = 3
    times: int = 5

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Of «best=3 times=5», or «5» for the times alone; None where it can't be read."""
        found = dict(word.rpartition("=")[::2] for word in text.split())
        numbers = {key or "times": int(each) for key, each in found.items() if re.fullmatch(r"[0-9]{1,3}", each)}
        if not found or len(numbers) < len(text.split()) or not {*numbers} <= {"best", "times"}:
            return None
        own = cls(**numbers)
        return own if 1 <= own.best <= MOST and 1 <= own.times <= MOST else None

    @property
    def training_jobs(self) -> int:
        """How many at most."""
        return self.best * self.times

    @classmethod
    def of(cls, given: Any) -> Self:
        """Of a number of times, {"best": 3, "times": 5}, or a text as `read` takes it. Raise InvalidSpec for anything else."""
        if isinstance(given, cls):
            return given
        words = " ".join(f"{key}={value}" for key, value in given.items()) if isinstance(given, Mapping) else str(given)
        found = None if isinstance(given, bool) else cls.read(words)
        if found is None:
            raise InvalidSpec([Fault(SETTING, f"{given!r} {WANTED}")])
        return found

    def __str__(self) -> str:
        return f"best={self.best} times={self.times}"


def contenders(history: History) -> list[TrainingJob]:
    """The training jobs with the best first results of their configurations, the best first; on a tie the first to end."""
    asked = history.spec.repeats
    if asked is None:
        return []
    first = [j for j in history.finished if j.objective is not None and j.repeats is None and history.ranks(j)]
    return sorted(first, key=lambda job: history.sign * (job.objective or 0.0))[: asked.best]


def due(history: History) -> Iterator[TrainingJob]:
    """The contenders to launch again, in order, as far as the number of training jobs allows."""
    asked, found, limit = history.spec.repeats, contenders(history), history.spec.max_training_jobs
    if asked is None:
        return
    room = asked.training_jobs if limit is None else limit - history.launches
    for round_ in range(asked.times):
        for job in found:
            if room > 0 and len(history.repeated.get(job.number, ())) <= round_:
                room -= 1
                yield job


def runs(history: History, job: TrainingJob) -> list[float]:
    """The objectives of a configuration, that of its first training job first."""
    found = (each.objective for each in (job, *history.repeated.get(job.number, ())))
    return [each for each in found if each is not None]


def chosen(history: History) -> TrainingJob | None:
    """The contender with the best mean, once each has been run again; None before. One that never succeeded again is none."""
    found = contenders(history)
    again = [[each for each in history.repeated.get(job.number, ()) if not each.running] for job in found]
    if not found or not all(again):
        return None
    proven = [job for job in found if len(runs(history, job)) > 1] or found
    return min(proven, key=lambda job: history.sign * mean(runs(history, job)))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def told(history: History) -> dict[str, Any] | None:
    """For Describe: how far the repeats are, and what each contender has come to, the best mean first. None where none were launched."""
    asked = history.spec.repeats
    if asked is None or not history.repeated:
        return None
    ran = [(mean(values), len(values), job) for job in contenders(history) if (values := runs(history, job))]
    return {
        "Best": asked.best,
        "Times": asked.times,
        "Launched": sum(map(len, history.repeated.values())),
        "Contenders": [
            {"TrainingJobName": job.name, "First": job.objective, "Mean": average, "Runs": count}
            for average, count, job in sorted(ran, key=lambda each: history.sign * each[0])
        ],
    }
