"""Checks a request against the specification of an algorithm, in AWS's own shape (CreateAlgorithm's TrainingSpecification).

There is one check for alfine's built-in algorithms and for those that users create: hyperparameters by name, type and range, which of
them may be tuned, objective metrics with their direction, channels, instances. AWS's documentation doesn't say whether a Continuous
hyperparameter may have an Integer range, and either a list of values. alfine allows both where every value is allowed (Grid needs
lists).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from alfine.core.errors import Fault
from alfine.core.spec import OBJECTIVE_HYPERPARAMETER
from alfine.core.wording import did_you_mean
from alfine.programs.hyperparameter_text import unquoted

Plain = dict[str, Any]
Known = Mapping[str, Mapping[str, Any]]

LARGEST_INTEGER = 2**31 - 1
"""The largest 32-bit integer, for hyperparameters without an upper bound."""

LARGEST = 3.4028234663852886e38
"""The largest 32-bit float, for hyperparameters without an upper bound."""

KINDS = {
    "IntegerParameterRanges": "Integer",
    "ContinuousParameterRanges": "Continuous",
    "CategoricalParameterRanges": "Categorical",
    "AutoParameters": "",
}
"""The kinds of ranges in a request, with the types of hyperparameters that they are for."""

BOUNDS = ("MinValue", "MaxValue")

WORDS = "Words"
"""alfine's own key in a hyperparameter of a built-in algorithm: texts that are allowed besides numbers. AWS's specifications can't
express them, though its algorithms allow them."""

ABOVE = "Above"
"""alfine's own key in a Continuous hyperparameter of a built-in algorithm: its open bound. Every value must lie above it, and a range may
begin at it. MinValue then is the least value that is drawn."""

RECOMMENDED = "Recommended"
"""alfine's own key in a tunable hyperparameter of a built-in algorithm: the range that AWS's documentation recommends, as the text of its
least and its greatest value, or as its values. Autotune takes it where a request has no ranges."""

NOT_THE_ALGORITHMS = (OBJECTIVE_HYPERPARAMETER, "default_user_module_name")
"""Hyperparameters that clients add and that no algorithm has."""


# ---- writing a specification -------------------------------------------------------------------------------------------


def integer(name: str, low: int, high: int = LARGEST_INTEGER, *, words: Sequence[str] = (), **flags: bool) -> Plain:
    """Return an Integer hyperparameter.

    Args:
        name: Its name.
        low: The least value.
        high: The greatest value.
        words: Texts that are allowed besides numbers, such as «auto».
        **flags: tunable, required: whether it is; False by default.
    """
    bounds = {"MinValue": str(low), "MaxValue": str(high)}
    return _hyperparameter(name, "Integer", {"IntegerParameterRangeSpecification": bounds}, flags, words)


def continuous(
    name: str,
    low: float,
    high: float = LARGEST,
    *,
    above: float | None = None,
    words: Sequence[str] = (),
    **flags: bool,
) -> Plain:
    """Return a Continuous hyperparameter.

    Args:
        name: Its name.
        low: The least value.
        high: The greatest value.
        above: The open bound that `low` stands for. A range may begin at it. None where `low` itself is the bound.
        words: As for `integer`.
        **flags: As for `integer`.
    """
    bounds = {"MinValue": f"{low:.9g}", "MaxValue": f"{high:.9g}"}
    shown = _hyperparameter(name, "Continuous", {"ContinuousParameterRangeSpecification": bounds}, flags, words)
    return shown if above is None else {**shown, ABOVE: above}


def categorical(name: str, *values: str, **flags: bool) -> Plain:
    """Return a Categorical hyperparameter with these values. flags: see `integer`."""
    return _hyperparameter(
        name, "Categorical", {"CategoricalParameterRangeSpecification": {"Values": [*values]}}, flags
    )


def text(name: str, **flags: bool) -> Plain:
    """Return a FreeText hyperparameter. flags: see `integer`."""
    return _hyperparameter(name, "FreeText", None, flags)


def _hyperparameter(
    name: str, kind: str, values: Plain | None, flags: Mapping[str, bool], words: Sequence[str] = ()
) -> Plain:
    shown = {"IsTunable": flags.get("tunable", False), "IsRequired": flags.get("required", False)}
    optional = {**({"Range": values} if values else {}), **({WORDS: [*words]} if words else {})}
    return {"Name": name, "Type": kind, **optional, **shown}


# ---- checking a request ------------------------------------------------------------------------------------------------


def hyperparameters_of(specification: Mapping[str, Any]) -> Known:
    """Return the hyperparameters of a specification by their names."""
    return {entry["Name"]: entry for entry in specification.get("SupportedHyperParameters") or ()}


def recommended(entries: Sequence[Plain], ranges: Mapping[str, Sequence[str]]) -> list[Plain]:
    """Return hyperparameters with the ranges that AWS's documentation recommends.

    Args:
        entries: The hyperparameters.
        ranges: The least and the greatest value of each, or the values of a Categorical one, by their names.
    """
    return [{**entry, RECOMMENDED: [*ranges[entry["Name"]]]} if entry["Name"] in ranges else entry for entry in entries]


def recommended_ranges(known: Known, without: Iterable[str]) -> Plain:
    """Return ParameterRanges with the recommended range of each tunable hyperparameter; {} where none is recommended.

    Args:
        known: The hyperparameters by their names.
        without: The names of those that have a value already.
    """
    lists: Plain = {}
    for name, entry in known.items():
        values = entry.get(RECOMMENDED)
        if values and name not in without:
            kind = f"{entry['Type']}ParameterRanges"
            shown = {"Values": values} if entry["Type"] == "Categorical" else dict(zip(BOUNDS, values, strict=True))
            lists.setdefault(kind, []).append({"Name": name, **shown})
    return lists


def static_faults(
    algorithm: str, specification: Mapping[str, Any], static: Mapping[str, str], tuned: Iterable[str], where: str
) -> Iterator[Fault]:
    """Yield what is wrong with the static hyperparameters, and a fault for each required one that is missing.

    Args:
        algorithm: The algorithm's name, for messages.
        specification: Its specification.
        static: The static hyperparameters.
        tuned: The names of those that have a range.
        where: The path of the static hyperparameters in the request.
    """
    known, tuned = hyperparameters_of(specification), set(tuned)
    for name, value in static.items():
        if name in NOT_THE_ALGORITHMS or name.startswith(("sagemaker_", "alfine_")):
            continue
        if name not in known:
            yield Fault(f"{where}.{name}", _unknown(algorithm, name, known))
        elif isinstance(value, str):
            trouble = value_trouble(known[name], unquoted(value))
            if trouble:
                yield Fault(f"{where}.{name}", trouble)
    for name, entry in known.items():
        if entry.get("IsRequired") and name not in static and name not in tuned:
            yield Fault(f"{where}.{name}", f"{algorithm} needs this hyperparameter. Give it a value or a range.")


def range_faults(
    algorithm: str, specification: Mapping[str, Any], ranges: Mapping[str, Any], where: str
) -> Iterator[Fault]:
    """Yield what is wrong with ParameterRanges. Faults of a range that can't be read come from `read_spec`.

    Args:
        algorithm: The algorithm's name, for messages.
        specification: Its specification.
        ranges: The request's ParameterRanges.
        where: Their path in the request.
    """
    known = hyperparameters_of(specification)
    entries = [
        (kind, index, entry)
        for kind in KINDS
        for index, entry in enumerate(ranges.get(kind) or ())
        if isinstance(entry.get("Name"), str)
    ]
    fixed = [name for *_, entry in entries if (name := entry["Name"]) in known and not known[name].get("IsTunable")]
    if fixed:
        tunable = ", ".join(name for name, entry in known.items() if entry.get("IsTunable"))
        yield Fault(
            where,
            f"The hyperparameter tuning job you requested contains the following untunable hyperparameters: "
            f"[{', '.join(fixed)}]. For {algorithm} you can tune only [{tunable}]. Delete untunable hyperparameters.",
        )
    for kind, index, entry in entries:
        name, path = entry["Name"], f"{where}.{kind}[{index}] ({entry['Name']})"
        if name not in known:
            yield Fault(path, _unknown(algorithm, name, known))
        else:
            yield from _values_faults(known[name], KINDS[kind], entry, path)


def _values_faults(known: Mapping[str, Any], kind: str, entry: Mapping[str, Any], path: str) -> Iterator[Fault]:
    takes = {"Integer": ("Integer", "Categorical"), "Continuous": ("Integer", "Continuous", "Categorical")}
    if kind and kind not in takes.get(known["Type"], ("Categorical",)):
        yield Fault(path, f"{known['Name']} is {known['Type']} and can't have a range of type {kind}.")
        return
    values = [unquoted(str(value)) for value in entry.get("Values", ())] or [
        entry[bound] for bound in ("MinValue", "MaxValue") if bound in entry
    ]
    if kind == "Continuous" and begins_at_open_bound(known, entry):
        values = values[1:]
    yield from (Fault(path, trouble) for value in values if (trouble := value_trouble(known, value)))


def begins_at_open_bound(known: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Return whether a continuous range begins at the open bound of its hyperparameter.

    Args:
        known: The hyperparameter in the specification.
        entry: The range.
    """
    return ABOVE in known and _number(str(entry.get("MinValue")), float) == known[ABOVE]


def value_trouble(known: Mapping[str, Any], value: str) -> str:
    """Return why a hyperparameter can't have a value; "" where it can.

    Args:
        known: The hyperparameter in the specification.
        value: The value as text.

    Raises:
        ValueError: The bounds of its range aren't numbers.
    """
    limits = known.get("Range") or {}
    if value in known.get(WORDS, ()):
        return ""
    match known["Type"]:
        case "Categorical":
            values = (limits.get("CategoricalParameterRangeSpecification") or {}).get("Values")
            return "" if values is None or value in values else f"{value!r} isn't one of {', '.join(values)}."
        case "Integer":
            number = _number(value, int)
            bounds = limits.get("IntegerParameterRangeSpecification")
        case "Continuous":
            number = _number(value, float)
            bounds = limits.get("ContinuousParameterRangeSpecification")
        case _:
            return ""
    if number is None:
        what = "a whole number" if known["Type"] == "Integer" else "a number"
        return f"{value!r} must be {' or '.join([what, *map(repr, known.get(WORDS, ()))])}."
    if bounds is None or float(bounds["MinValue"]) <= number <= float(bounds["MaxValue"]):
        return ""
    low = f"above {known[ABOVE]}" if ABOVE in known else bounds["MinValue"]
    return f"{value} isn't in the range of {known['Name']}, {low} to {bounds['MaxValue']}."


def _number(value: str, kind: type[int | float]) -> float | None:
    try:
        number = kind(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def objective_faults(
    algorithm: str, specification: Mapping[str, Any], objective: tuple[str, str], where: str
) -> Iterator[Fault]:
    """Yield a fault where the objective isn't one of the algorithm's objective metrics.

    Args:
        algorithm: The algorithm's name, for messages.
        specification: Its specification.
        objective: The type (Minimize or Maximize) and the name of the metric.
        where: The path of the objective in the request.
    """
    goal, metric = objective
    metrics = specification.get("SupportedTuningJobObjectiveMetrics") or ()
    supported = {entry["MetricName"]: entry["Type"] for entry in metrics}
    if supported and metric not in supported:
        yield Fault(
            f"{where}.MetricName",
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric definitions. "
            f"{metric!r} isn't an objective metric of {algorithm}. Its objective metrics: {', '.join(supported)}.",
        )
    elif supported and supported[metric] != goal:
        yield Fault(f"{where}.Type", f"{goal} doesn't fit {metric} of {algorithm}. Use {supported[metric]}.")


def channel_faults(
    algorithm: str, specification: Mapping[str, Any], definition: Mapping[str, Any], where: str
) -> Iterator[Fault]:
    """Yield a fault for each required channel that is missing, and for what the algorithm can't read in the others.

    Args:
        algorithm: The algorithm's name, for messages.
        specification: Its specification.
        definition: The training job definition.
        where: Its path in the request.
    """
    channels = {channel["Name"]: channel for channel in specification.get("TrainingChannels") or ()}
    given: Sequence[Mapping[str, Any]] = definition.get("InputDataConfig") or ()
    mode = (definition.get("AlgorithmSpecification") or {}).get("TrainingInputMode", "File")
    for name in channels.keys() - {channel.get("ChannelName") for channel in given}:
        if channels[name].get("IsRequired"):
            yield Fault(f"{where}.InputDataConfig", f"{algorithm} needs the channel {name!r}.")
    for index, channel in enumerate(given):
        path = f"{where}.InputDataConfig[{index}]"
        known = channels.get(str(channel.get("ChannelName")))
        if known is None:
            names = ", ".join(channels)
            yield Fault(
                f"{path}.ChannelName", f"{algorithm} has no channel {channel.get('ChannelName')!r}. It has {names}."
            )
        else:
            yield from _channel_faults(algorithm, known, channel, mode, path)


def _channel_faults(
    algorithm: str, known: Mapping[str, Any], channel: Mapping[str, Any], mode: str, path: str
) -> Iterator[Fault]:
    content = channel.get("ContentType")
    wanted = {
        "ContentType": (content.partition(";")[0].strip().lower() if content else None, "SupportedContentTypes"),
        "InputMode": (channel.get("InputMode") or mode, "SupportedInputModes"),
        "CompressionType": (channel.get("CompressionType", "None"), "SupportedCompressionTypes"),
    }
    for field, (value, key) in wanted.items():
        supported = known.get(key)
        if value is not None and supported and value not in supported:
            yield Fault(f"{path}.{field}", f"{algorithm} can't read {value} here. Use {' or '.join(supported)}.")


def instance_faults(
    algorithm: str, specification: Mapping[str, Any], definition: Mapping[str, Any], where: str
) -> Iterator[Fault]:
    """Yield a fault for an instance type that the algorithm doesn't run on, and for several instances where it needs one.

    Args:
        algorithm: The algorithm's name, for messages.
        specification: Its specification.
        definition: The training job definition.
        where: Its path in the request.
    """
    supported = specification.get("SupportedTrainingInstanceTypes") or ()
    field = "ResourceConfig" if definition.get("ResourceConfig") else "HyperParameterTuningResourceConfig"
    config = definition.get(field) or {}
    for instances in config.get("InstanceConfigs") or config.get("InstanceGroups") or [config]:
        kind, count = instances.get("InstanceType"), instances.get("InstanceCount", 1)
        if kind and supported and kind not in supported and not kind.startswith("local"):
            yield Fault(
                f"{where}.{field}.InstanceType", f"{algorithm} doesn't run on {kind}. Use {', '.join(supported)}."
            )
        if count > 1 and not specification.get("SupportsDistributedTraining"):
            yield Fault(
                f"{where}.{field}.InstanceCount",
                f"{algorithm} trains on one instance; the request has {count}. Use 1.",
            )


def _unknown(algorithm: str, name: str, known: Iterable[str]) -> str:
    return f"{algorithm} has no hyperparameter {name!r}. {did_you_mean(name, known)}"
