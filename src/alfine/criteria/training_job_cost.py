"""The cost of a training job, for criteria in money: at the job's price per instance and hour.

A price is the tag `alfine:price-per-hour`, or [prices] in alfine.toml for the instance type.
"""

from __future__ import annotations

from collections.abc import Iterator

from alfine.core import cost
from alfine.core.errors import Fault
from alfine.core.history import History
from alfine.core.messages import naming
from alfine.core.spec import TuningJobSpec


def mean_cost(history: History) -> float:
    """Return the mean cost of a training job that has ended."""
    price = (history.spec.price_per_hour or 0.0) / cost.HOUR
    return cost.compute_seconds(history) / history.ended * price if history.ended else 0.0


def price_missing(criterion: str, spec: TuningJobSpec) -> Iterator[Fault]:
    """Yield a fault for a criterion in money where the job has no price.

    Args:
        criterion: The criterion's name, for the fault.
        spec: The tuning job.
    """
    if not spec.price_per_hour:
        message = "needs the price of an instance of type {}: {price_per_hour}{or_prices}."
        yield Fault(criterion, naming(message, spec.definition.instance_type))
