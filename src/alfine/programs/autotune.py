"""Autotune: chooses what a request leaves open, by the rules in this file. What the request sets stays as it is.

    AutoParameters      a range around each ValueHint (`range_around`); what can't be tuned becomes static, with the hint as its value
    ParameterRanges     where there are none at all, those that AWS's documentation recommends for a built-in algorithm
    ResourceLimits      20 training jobs and 10 more for each hyperparameter, but no more than there are configurations; one at a time
    everything else     the strategy Bayesian, early stopping Auto where it is allowed, ConvergenceDetected, two retries

The completed request is recorded and described. AMT's own rules aren't published, except for an example in its documentation: a hint of
4 becomes a range from 2 to 8.
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
from alfine.programs.algorithms.specification import recommended_ranges

Plain = dict[str, Any]
Known = Callable[[Request], Mapping[str, Request] | None]

AUTOTUNE = "Autotune"
AUTO = "AutoParameters"

BASE_JOBS = 20
"""Training jobs, whatever the number of hyperparameters."""

JOBS_FOR_EACH = 10
"""Training jobs for each hyperparameter besides."""

RETRIES = 2
"""Retries of a training job (MaximumRetryAttempts)."""

DIGITS = 12
"""Decimals of the end of a range. More would only show the rounding errors of floats."""

# Names of hyperparameters that mean the same in most programs. The first pattern that matches decides; any other name gets a range
# from half its hint to twice its hint.

STATIC = re.compile(
    r"^(sagemaker|alfine)_|(^|_)(seed|random_state|num_class(es)?|n_?jobs|n_?threads?|num_workers|verbos\w*|silent)$"
)
"""Not tuned."""

RATE = re.compile(r"learning_rate|(^|_)(lr|eta)$")
"""A tenth to ten times the hint, but at most 1; logarithmic."""

PENALTY = re.compile(r"weight_decay|(^|_)(wd|l1|l2|lambda|alpha|reg_\w+)$")
"""A tenth to ten times the hint, logarithmic; 0 to 1 for a hint of 0."""

NEAR_ONE = re.compile(r"momentum|(^|_)beta_?[12]$")
"""A tenth to ten times the hint's distance to 1, logarithmic in that distance."""

SHARE = re.compile(r"dropout|subsample|colsample|fraction|(^|_)(rate_drop|skip_drop)$")
"""From half the hint to half the way between the hint and 1."""


def autotuned(request: Request, known: Known | None = None) -> Request:
    """Return a request with everything that Autotune chooses, or the request itself where Autotune isn't enabled.

    Args:
        request: A CreateHyperParameterTuningJob request.
        known: Returns the hyperparameters that a definition's algorithm has, by name, in the shape of CreateAlgorithm; None for an
            algorithm that takes any. None: no definition has an algorithm.
    """
    if (request.get(AUTOTUNE) or {}).get("Mode") != "Enabled":
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
        for part in request.get(DEFINITIONS) or ():
            ranges, definition = _chosen(part, part.get("HyperParameterRanges"), config["Strategy"], known)
            changes[DEFINITIONS].append({**definition, "HyperParameterRanges": ranges})
            spaces.append(ranges)
            objectives.append(part.get("TuningObjective"))
    config["ResourceLimits"] = _limits(config, spaces)
    stops_early = DEFINITION in request and config["Strategy"] != "Hyperband"
    config.setdefault("TrainingJobEarlyStoppingType", "Auto" if stops_early else "Off")
    if all(objective == objectives[0] for objective in objectives):
        convergence = {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}
        config["TuningJobCompletionCriteria"] = {**convergence, **(config.get("TuningJobCompletionCriteria") or {})}
    return {**request, **changes, CONFIG: config, AUTOTUNE: {**request[AUTOTUNE], **_sent(request)}}


def _sent(request: Request) -> Plain:
    """Return the hints of the request, which the ranges replace: Describe shows them, too. One list for each of several definitions."""
    if DEFINITION in request:
        hints = ((request.get(CONFIG) or {}).get(RANGES) or {}).get(AUTO)
        return {AUTO: hints} if hints else {}
    several = [(part.get("HyperParameterRanges") or {}).get(AUTO) or [] for part in request.get(DEFINITIONS) or ()]
    return {AUTO: several} if any(several) else {}


def auto_parameters(request: Request, index: int | None = None) -> Plain:
    """Return the AutoParameters that a recorded request was sent with, as a part of its ranges.

    Args:
        index: The number of the definition, where there are several.
    """
    sent = (request.get(AUTOTUNE) or {}).get(AUTO) or []
    hints = sent if index is None else sent[index] if index < len(sent) else []
    return {AUTO: hints} if hints else {}


def _chosen(definition: Request, ranges: Request | None, strategy: str, known: Known | None) -> tuple[Plain, Plain]:
    """Return the ranges, with one for each AutoParameter that is tuned, and the definition, with the others as static hyperparameters."""
    lists: Plain = {kind: list(entries or ()) for kind, entries in (ranges or {}).items()}
    static = dict(definition.get("StaticHyperParameters") or {})
    hints = {str(entry.get("Name")): str(entry.get("ValueHint")) for entry in lists.pop(AUTO, ())}
    set_already = {str(entry.get("Name")) for entries in lists.values() for entry in entries} | static.keys()
    hints = {name: hint for name, hint in hints.items() if name not in set_already}
    supported = known({**definition, "StaticHyperParameters": {**hints, **static}}) if known else None
    if supported and not hints and not any(lists.values()):
        lists = recommended_ranges(supported, static)
    for name, hint in hints.items():
        entry = {} if supported is None else supported.get(name, {"IsTunable": False})
        fixed = (
            strategy == "Hyperband" and name in EPOCH_NAMES
        )  # Hyperband needs it as the largest resource of a training job
        chosen = None if fixed or entry.get("IsTunable") is False else range_around(name, hint, entry)
        if chosen is None:
            static[name] = hint
            continue
        kind = "IntegerParameterRanges" if isinstance(chosen, Integer) else "ContinuousParameterRanges"
        low, high = chosen.to_text(chosen.low), chosen.to_text(chosen.high)
        lists.setdefault(kind, []).append(
            {"Name": name, "MinValue": low, "MaxValue": high, "ScalingType": chosen.scaling}
        )
    retries = {"RetryStrategy": {"MaximumRetryAttempts": RETRIES}}
    return lists, {**retries, **definition, "StaticHyperParameters": static}


def range_around(name: str, hint: str, entry: Request | None = None) -> Integer | Continuous | None:
    """Return a range in which to look for a good value of a hyperparameter.

    Args:
        name: The hyperparameter.
        hint: A value that may be good.
        entry: What the algorithm's specification says of it. Its type and its range hold.

    Returns:
        None for a hyperparameter that isn't tuned.

    Example:
        >>> range_around("layers", "4")
        Integer(low=2, high=8, scaling='Auto')
    """
    value, kind = _number(hint), (entry or {}).get("Type")
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if value is None or STATIC.search(plain):
        return None
    real = any(pattern.search(plain) for pattern in (RATE, PENALTY, SHARE))  # even where the hint is 0 or 1
    integer = kind == "Integer" if kind else isinstance(value, int) and not real
    low, high, scaling = _bounds(plain, value, integer=integer)
    for limits in ((entry or {}).get("Range") or {}).values():
        low = max(low, float(limits.get("MinValue", low)))
        high = min(high, float(limits.get("MaxValue", high)))
    if integer:
        low, high = math.ceil(low), math.floor(high)
    if not low < high or kind in ("Categorical", "FreeText"):
        return None
    return Integer(int(low), int(high), scaling=scaling) if integer else Continuous(low, high, scaling=scaling)


def _bounds(name: str, value: float, *, integer: bool) -> tuple[float, float, str]:
    """Return the least value, the greatest and the scaling. The two values are equal where there is nothing to choose."""
    if RATE.search(name) and value > 0:
        return value / 10, min(10 * value, max(1.0, value)), "Logarithmic"
    if PENALTY.search(name) and value >= 0:
        return (value / 10, 10 * value, "Logarithmic") if value else (0.0, 1.0, "Linear")
    if NEAR_ONE.search(name) and 0 < value < 1:
        return max(0.0, round(1 - 10 * (1 - value), DIGITS)), round(1 - (1 - value) / 10, DIGITS), "ReverseLogarithmic"
    if SHARE.search(name) and 0 <= value <= 1:
        return value / 2, (1 + value) / 2, "Linear"
    if integer:  # a whole number below 1 is a switch, or means «none»
        return (max(1.0, value // 2), 2 * value, "Auto") if value >= 1 else (value, value, "Auto")
    return min(value / 2, 2 * value), max(value / 2, 2 * value), "Auto"


def _number(hint: str) -> int | float | None:
    """Return a hint as a number, without JSON quotes; None for any other text."""
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
    wanted = BASE_JOBS + JOBS_FOR_EACH * sum(len(entries) for lists in spaces for entries in lists.values())
    return {"MaxNumberOfTrainingJobs": min(wanted, _size(spaces), MAX_TRAINING_JOBS), **limits}


def _size(spaces: Sequence[Request]) -> int:
    """Return the number of configurations; MAX_TRAINING_JOBS where it is infinite, or a range can't be read (a fault later)."""
    try:
        return max(1, sum(_combinations(lists) for lists in spaces))
    except (KeyError, TypeError, ValueError):
        return MAX_TRAINING_JOBS


def _combinations(lists: Request) -> int:
    if lists.get("ContinuousParameterRanges"):
        return MAX_TRAINING_JOBS
    integers = [
        int(entry["MaxValue"]) - int(entry["MinValue"]) + 1 for entry in lists.get("IntegerParameterRanges") or ()
    ]
    return math.prod([*integers, *(len(entry["Values"]) for entry in lists.get("CategoricalParameterRanges") or ())])
