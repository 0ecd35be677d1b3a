"""MaxCost: a limit of what the training jobs cost together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alfine.core import cost
from alfine.core.axis import Array
from alfine.core.errors import Fault
from alfine.core.history import History
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook, Verdict, in_seconds
from alfine.core.wording import count_of, money
from alfine.criteria.checks import number
from alfine.criteria.future import Future
from alfine.criteria.tags import read_tag, write_tag
from alfine.criteria.training_job_cost import mean_cost, price_missing


@dataclass(frozen=True, slots=True)
class MaxCost:
    """Launch no more when one more training job would cost more than is left of `limit` (DRAIN); stop what runs once it's spent (STOP).

    What the running training jobs will still cost is taken from the mean of those that have ended.

    Args:
        limit: An amount of money above 0, in US dollars.
    """

    is_limit: ClassVar[bool] = True
    labels: ClassVar[Mapping[str, str]] = {
        "with_the_next": "spent with the next training job",
        "mean_of_a_training_job": "a training job costs",
    }

    limit: float

    def __post_init__(self) -> None:
        number(self, "limit", above=0)

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        return read_tag(cls, spec)

    def check(self, history: History) -> Verdict:
        spent, mean, running = cost.spent(history).money or 0.0, mean_cost(history), [*_running(history)]
        ahead = spent + sum(max(0.0, mean - so_far) for so_far, _ in running) + mean
        outlook = Outlook.STOP if spent >= self.limit else Outlook.DRAIN if ahead > self.limit else Outlook.CONTINUE
        left = max(0.0, self.limit - spent)
        more = math.floor(max(0.0, self.limit - ahead + mean) / mean) if mean else None
        # Time alone changes the answer: to DRAIN once running training jobs cost more than the mean, to STOP once all is spent.
        seconds_left = (
            _seconds_until(self.limit - ahead, mean, running)
            if outlook is Outlook.CONTINUE
            else _seconds_until(left, 0.0, running)
        )
        return Verdict(
            outlook=outlook,
            criterion="MaxCost",
            sentence=f"{money(spent)} of at most {money(self.limit)} spent; about {money(ahead)} with the next training job.",
            evidence={
                "spent": spent,
                "limit": self.limit,
                "with_the_next": ahead,
                "mean_of_a_training_job": mean,
                "left": left,
                "training_jobs_left": more,
            },
            progress=1.0 if outlook is not Outlook.CONTINUE else ahead / self.limit,
            would_change=self._would_change(outlook, left, more),
            ask_again_at=None
            if outlook is Outlook.STOP or seconds_left is None
            else in_seconds(history.now, seconds_left),
        )

    @staticmethod
    def _would_change(outlook: Outlook, left: float, more: int | None) -> str:
        if outlook is Outlook.CONTINUE:
            if more is None:
                return f"{money(left)} are left; how many training jobs that is enough for is known once one has ended."
            return f"It ends the job when less is left than one more training job costs: after about {count_of(more, 'more training job')}."
        cheaper = " Training jobs that cost less than the mean leave room for more." if outlook is Outlook.DRAIN else ""
        return f"Only a higher limit: `alfine change`.{cheaper}"

    def ends(self, future: Future) -> Array:
        """Return when what is left of the limit has been spent, at the mean cost of the training jobs that have ended."""
        mean, spent = mean_cost(future.history), cost.spent(future.history).money or 0.0
        return future.after((self.limit - spent) / mean) if mean else future.never()

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        write_tag(request, self)

    def faults(self, spec: TuningJobSpec) -> Iterator[Fault]:
        return price_missing("MaxCost", spec)


def _running(history: History) -> Iterator[tuple[float, float]]:
    """Yield what each running training job has cost so far, and what a second of it costs. Before its start both are 0."""
    price = (history.spec.price_per_hour or 0.0) / cost.HOUR
    for job in history.running.values():
        if job.started_at is None:
            yield 0.0, 0.0
        else:
            rate = price * history.spec.of(job.definition).definition.instance_count
            yield max(0.0, (history.now - job.started_at).total_seconds()) * rate, rate


def _seconds_until(amount: float, mean: float, running: Sequence[tuple[float, float]]) -> float | None:
    """Return in how many seconds the costs of the running training jobs beyond `mean` each sum up to `amount`; None: never."""
    begins = sorted((max(0.0, mean - so_far) / rate, rate) for so_far, rate in running if rate > 0)
    seconds = total = 0.0
    for begin, rate in begins:
        if total > 0 and seconds + amount / total <= begin:
            break
        amount -= total * (begin - seconds)
        seconds, total = begin, total + rate
    return seconds + max(0.0, amount) / total if total > 0 else None
