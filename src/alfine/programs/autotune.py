"""Autotune: what a request leaves open is chosen, by rules that can be read here; what it sets explicitly stays.

    AutoParameters      a range around each ValueHint (`range_around`); what can't be tuned becomes static, at the hint
    ResourceLimits      20 training jobs and 10 for each hyperparameter, at most those that there are; one at a time
    the rest            Strategy Bayesian; early stopping Auto where it's allowed; ConvergenceDetected; two retries

The completed request is what is recorded and described. AMT's own rules aren't published, but for an example: 4 becomes 2 to 8.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alfine.core.ranges import Continuous, Integer
from alfine.core.spec import (
    CONFIG,
    DEFINITION,
    DEFINITIONS,
    EPOCH_NAMES,
    MAX_TRAINING_JOBS,
    OBJECTIVE,
    RANGES,
    Request,
)

Plain = dict[str, Any]
Known = Callable[[Request], Mapping[str, Request] | None]

AUTO = "AutoParameters"
FEWEST, EACH = 20, 10  # training jobs, and for each hyperparameter more
RETRIES = 2
DIGITS = 12  # of a range's end: what floats add beyond says nothing

# Names that mean the same everywhere. The first that fits counts; any other name gets half to twice its hint.
STATIC = re.compile(
    r"^(sagemaker|alfine)_|(^|_)(seed|random_state|num_class(es)?|n_?jobs|n_?threads?|num_workers|verbos\w*|silent)$"
)
RATE = re.compile(r"learning_rate|(^|_)(lr|eta)$")  # a factor of ten either way, logarithmic, at most 1
PENALTY = re.compile(
    r"weight_decay|(^|_)(wd|l1|l2|lambda|alpha|reg_\w+)$"
)  # the same without a bound; from 0 to 1 around 0
NEAR_ONE = re.compile(r"momentum|(^|_)beta_?[12]$")  # a factor of ten in the distance to 1 either way
SHARE = re.compile(r"dropout|subsample|colsample|fraction|(^|_)(rate_drop|skip_drop)$")  # half the way to 0 and to 1


def autotuned(request: Request, known: Known | None = None) -> Request:
    """The request with everything chosen that Autotune is to choose; as it is without Autotune.

    known: the hyperparameters that a definition's algorithm has, by name, in the shape of CreateAlgorithm; None for any.
    """
    if (request.get("Autotune") or {}).get("Mode") != "Enabled":
        return request
    config: Plain = dict(request.get(CONFIG) or {})
    config.setdefault("Strategy", "Bayesian")
    changes: Plain = {}
    if DEFINITION in request:
        ranges, changes[DEFINITION] = _chosen(request[DEFINITION], config.get(RANGES), config["Strategy"], known)
        config[RANGES] = ranges
        spaces, objectives = [ranges], [config.get(OBJECTIVE)]
    else:
        changes[DEFINITIONS], spaces, objectives = [], [], []
        for each in request.get(DEFINITIONS) or ():
            ranges, definition = _chosen(each, each.get("HyperParameterRanges"), config["Strategy"], known)
            changes[DEFINITIONS].append({**definition, "HyperParameterRanges": ranges})
            spaces.append(ranges)
            objectives.append(each.get("TuningObjective"))
    config["ResourceLimits"] = _limits(config, spaces)
    alone = DEFINITION in request and config["Strategy"] != "Hyperband"
    config.setdefault("TrainingJobEarlyStoppingType", "Auto" if alone else "Off")
    if all(each == objectives[0] for each in objectives):
        convergence = {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}
        config["TuningJobCompletionCriteria"] = {**convergence, **(config.get("TuningJobCompletionCriteria") or {})}
    return {**request, **changes, CONFIG: config}


def _chosen(definition: Request, ranges: Request | None, strategy: str, known: Known | None) -> tuple[Plain, Plain]:
    """The ranges with one for each AutoParameter, and the definition with those that aren't tuned among its static ones."""
    lists: Plain = {kind: list(entries or ()) for kind, entries in (ranges or {}).items()}
    static = dict(definition.get("StaticHyperParameters") or {})
    hints = {str(each.get("Name")): str(each.get("ValueHint")) for each in lists.pop(AUTO, ())}
    supported = known({**definition, "StaticHyperParameters": {**hints, **static}}) if known else None
    for name, hint in hints.items():
        own = {} if supported is None else supported.get(name, {"IsTunable": False})
        fixed = strategy == "Hyperband" and name in EPOCH_NAMES  # it says how far training jobs may go
        found = None if fixed or own.get("IsTunable") is False else range_around(name, hint, own)
        if found is None:
            static[name] = hint
            continue
        kind = "IntegerParameterRanges" if isinstance(found, Integer) else "ContinuousParameterRanges"
        low, high = found.to_text(found.low), found.to_text(found.high)
        chosen = {"Name": name, "MinValue": low, "MaxValue": high, "ScalingType": found.scaling}
        lists.setdefault(kind, []).append(chosen)
    retries = {"RetryStrategy": {"MaximumRetryAttempts": RETRIES}}
    return lists, {**retries, **definition, "StaticHyperParameters": static}


def range_around(name: str, hint: str, own: Request | None = None) -> Integer | Continuous | None:
    """The range for a hyperparameter whose good value may be the hint; None for what stays as it is.

    own: the algorithm's entry for it, whose type and range then hold.
    """
    value, kind = _number(hint), (own or {}).get("Type")
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if value is None or STATIC.search(plain):
        return None
    real = any(each.search(plain) for each in (RATE, PENALTY, SHARE))  # also where the hint is 0 or 1
    integer = kind == "Integer" if kind else isinstance(value, int) and not real
    low, high, scaling = _bounds(plain, value, integer=integer)
    for limits in ((own or {}).get("Range") or {}).values():
        low = max(low, float(limits.get("MinValue", low)))
        high = min(high, float(limits.get("MaxValue", high)))
    if integer:
        low, high = math.ceil(low), math.floor(high)
    if not low < high or kind in ("Categorical", "FreeText"):
        return None
    return Integer(int(low), int(high), scaling=scaling) if integer else Continuous(low, high, scaling=scaling)


def _bounds(name: str, value: float, *, integer: bool) -> tuple[float, float, str]:
    """(least, most, scaling); least = most where there is nothing to choose."""
    if RATE.search(name) and value > 0:
        return value / 10, min(10 * value, max(1.0, value)), "Logarithmic"
    if PENALTY.search(name) and value >= 0:
        return (value / 10, 10 * value, "Logarithmic") if value else (0.0, 1.0, "Linear")
    if NEAR_ONE.search(name) and 0 < value < 1:
        return max(0.0, round(1 - 10 * (1 - value), DIGITS)), round(1 - (1 - value) / 10, DIGITS), "ReverseLogarithmic"
    if SHARE.search(name) and 0 <= value <= 1:
        return value / 2, (1 + value) / 2, "Linear"
    if integer:  # below 1 a whole number is a switch or stands for «none»
        return (max(1.0, value // 2), 2 * value, "Auto") if value >= 1 else (value, value, "Auto")
    return min(value / 2, 2 * value), max(value / 2, 2 * value), "Auto"


def _number(hint: str) -> int | float | None:
    """The number that a hint is, in JSON quotes or not; None for any other text."""
    text = hint.strip().strip('"')
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _limits(config: Request, spaces: Sequence[Request]) -> Plain:
    limits: Plain = {"MaxParallelTrainingJobs": 1, **(config.get("ResourceLimits") or {})}
    if config["Strategy"] == "Grid" or "MaxNumberOfTrainingJobs" in limits:
        return limits
    wanted = FEWEST + EACH * sum(len(entries) for lists in spaces for entries in lists.values())
    return {"MaxNumberOfTrainingJobs": min(wanted, _size(spaces), MAX_TRAINING_JOBS), **limits}


def _size(spaces: Sequence[Request]) -> int:
    """How many configurations there are; MAX_TRAINING_JOBS where there's no end, or a range that can't be read (told later)."""
    try:
        return max(1, sum(_combinations(lists) for lists in spaces))
    except (KeyError, TypeError, ValueError):
        return MAX_TRAINING_JOBS


def _combinations(lists: Request) -> int:
    if lists.get("ContinuousParameterRanges"):
        return MAX_TRAINING_JOBS
    integers = [int(each["MaxValue"]) - int(each["MinValue"]) + 1 for each in lists.get("IntegerParameterRanges") or ()]
    return math.prod([*integers, *(len(each["Values"]) for each in lists.get("CategoricalParameterRanges") or ())])
