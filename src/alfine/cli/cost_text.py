"""Compute time, money and forecasts of both as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alfine.core import cost
from alfine.core.spec import TuningJobSpec
from alfine.core.wording import count_of, duration, estimate, money

if TYPE_CHECKING:
    from alfine.jobs.analysis.similar_jobs import ResourceEstimate


def bound_sentence(spec: TuningJobSpec) -> str:
    """Return the maximum cost of a job and the limit behind it, or that no limit bounds it."""
    bound = cost.bound(spec)
    if bound is None:
        return "not limited. Set a maximum runtime, or a maximum number of training jobs and a maximum runtime of each"
    count = cost.most_instances(spec)
    instances = count_of(count, "instance")
    whole = (spec.max_runtime_seconds or 0.0) * spec.max_parallel * count
    if spec.max_runtime_seconds is not None and whole == bound.compute_seconds:
        why = f"{duration(spec.max_runtime_seconds)} runtime x {spec.max_parallel} parallel x {instances}"
    else:
        why = f"{count_of(spec.most_training_jobs)} x {duration(cost.longest_seconds(spec))} each x {instances}"
    price = (
        "" if bound.money is None else f", cost {money(bound.money)} at {money(spec.price_per_hour)} per instance hour"
    )
    return f"at most {duration(bound.compute_seconds)} of compute time ({why}){price}"


def likely_sentence(likely: ResourceEstimate | None) -> str | None:
    """Return what past jobs predict: «about 34 training jobs (28 to 41), 12 min (9 min to 15 min), cost 0.02 USD; from a, b»."""
    if likely is None:
        return None
    low, middle, high = (round(count) for count in likely.training_jobs)
    jobs = f"about {count_of(middle)}" + (f" ({low} to {high})" if low != high else "")
    price = "" if likely.money is None else f", cost {money(likely.money[1])}"
    others = "" if likely.same else " (with different data, settings or ranges)"
    return f"{jobs}, {estimate(*likely.seconds, duration)}{price}; from {', '.join(likely.jobs)}{others}"


def cost_words(part: Mapping[str, Any] | None) -> str | None:
    """Return a part of the cost in a job's description: «3 min 12 s of compute time, cost 0.01 USD»; None for None."""
    if part is None:
        return None
    return f"{duration(part['ComputeSeconds'])} of compute time" + (
        f", cost {money(part['Money'])}" if "Money" in part else ""
    )
