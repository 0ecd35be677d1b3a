"""Compute time and money in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alfine.core import cost
from alfine.core.cost import HOUR
from alfine.core.spec import TuningJobSpec
from alfine.core.wording import count_of, duration, estimate, money

if TYPE_CHECKING:
    from alfine.jobs.analysis.similar_jobs import Likely


def compute_time(seconds: float) -> str:
    """«4.0 compute hours», «12 compute minutes», «3.4 compute seconds»."""
    for unit, name in ((HOUR, "hours"), (60.0, "minutes")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} compute {name}"
    return f"{seconds:.1f} compute seconds"


def bound_sentence(spec: TuningJobSpec) -> str:
    """What the job can cost at most, and by which limit; or that nothing bounds it."""
    bound = cost.bound(spec)
    if bound is None:
        return (
            "nothing bounds its compute time: limit its runtime, or the number of training jobs and the runtime of each"
        )
    count = cost.most_instances(spec)
    instances = count_of(count, "instance")
    whole = (spec.max_runtime_seconds or 0.0) * spec.max_parallel * count
    if spec.max_runtime_seconds is not None and whole == bound.compute_seconds:
        why = f"MaxRuntimeInSeconds {spec.max_runtime_seconds:g} x {spec.max_parallel} parallel x {instances}"
    else:
        why = f"{spec.max_training_jobs} training jobs x {cost.longest_seconds(spec):g} s each x {instances}"
    price = "" if bound.money is None else f", {money(bound.money)} at {spec.price_per_hour:g} an hour"
    return f"at most {compute_time(bound.compute_seconds)} ({why}){price}"


def likely_sentence(found: Likely | None) -> str | None:
    """«about 34 training jobs (28 to 41), 12 min (9 to 15 min), 0.02, as a, b and c took, …»."""
    if found is None:
        return None
    low, middle, high = (round(count) for count in found.training_jobs)
    jobs = f"about {count_of(middle)}" + (f" ({low} to {high})" if low != high else "")
    price = "" if found.money is None else f", {money(found.money[1])} at its price"
    others = "" if found.same else ", whose data, settings or ranges were others"
    return f"{jobs}, {estimate(*found.seconds, duration)}{price}: by {', '.join(found.jobs)}{others}"


def cost_words(part: Mapping[str, Any] | None) -> str | None:
    """A part of the Describe document's Cost: «3.2 compute minutes, 0.01»."""
    if part is None:
        return None
    return compute_time(part["ComputeSeconds"]) + (f", {money(part['Money'])}" if "Money" in part else "")
