"""What an algorithm takes, in AWS's own shape (CreateAlgorithm's TrainingSpecification), and what a request gets wrong about it.

One check for alfine's built-in algorithms and for those that users create: hyperparameters by name, type and range, which
of them may be tuned, objective metrics with their direction, channels, instances. Where AWS does not say: an Integer range
for a Continuous hyperparameter, and a list of values for either, are taken when every value is a good one (Grid needs lists).
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
LARGEST = 3.4028234663852886e38  # a 32-bit float
KINDS = {
    "IntegerParameterRanges": "Integer",
    "ContinuousParameterRanges": "Continuous",
    "CategoricalParameterRanges": "Categorical",
    "AutoParameters": "",
}
WORDS = "Words"  # in a hyperparameter of a built-in algorithm
NOT_THE_ALGORITHMS = (OBJECTIVE_HYPERPARAMETER, "default_user_module_name")


# ---- writing one -------------------------------------------------------------------------------------------------------


def integer(name: str, low: int, high: int = LARGEST_INTEGER, *, words: Sequence[str] = (), **flags: bool) -> Plain:
    """words: texts that are taken besides numbers, such as «auto»."""
    bounds = {"MinValue": str(low), "MaxValue": str(high)}
    return _hyperparameter(name, "Integer", {"IntegerParameterRangeSpecification": bounds}, flags, words)


def continuous(name: str, low: float, high: float = LARGEST, *, words: Sequence[str] = (), **flags: bool) -> Plain:
    """words: texts that are taken besides numbers, such as «auto»."""
    bounds = {"MinValue": f"{low:.9g}", "MaxValue": f"{high:.9g}"}
    return _hyperparameter(name, "Continuous", {"ContinuousParameterRangeSpecification": bounds}, flags, words)


def categorical(name: str, *values: str, **flags: bool) -> Plain:
    return _hyperparameter(
        name, "Categorical", {"CategoricalParameterRangeSpecification": {"Values": [*values]}}, flags
    )


def text(name: str, **flags: bool) -> Plain:
    return _hyperparameter(name, "FreeText", None, flags)


def _hyperparameter(
    name: str, kind: str, values: Plain | None, flags: Mapping[str, bool], words: Sequence[str] = ()
) -> Plain:
    """flags: tunable, required. WORDS is ours: AWS's own specifications can't say it, though its algorithms take them."""
    shown = {"IsTunable": flags.get("tunable", False), "IsRequired": flags.get("required", False)}
    optional = {**({"Range": values} if values else {}), **({WORDS: [*words]} if words else {})}
    return {"Name": name, "Type": kind, **optional, **shown}


# ---- reading a request by it -------------------------------------------------------------------------------------------


def hyperparameters_of(specification: Mapping[str, Any]) -> Known:
    return {each["Name"]: each for each in specification.get("SupportedHyperParameters") or ()}


def static_faults(
    algorithm: str, specification: Mapping[str, Any], static: Mapping[str, str], tuned: Iterable[str], where: str
) -> Iterator[Fault]:
    """What is wrong with the hyperparameters that are the same for all training jobs, and which are missing."""
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
    for name, each in known.items():
        if each.get("IsRequired") and name not in static and name not in tuned:
            yield Fault(f"{where}.{name}", f"{algorithm} needs this hyperparameter. Give it a value or a range.")


def range_faults(
    algorithm: str, specification: Mapping[str, Any], ranges: Mapping[str, Any], where: str
) -> Iterator[Fault]:
    """What is wrong with ParameterRanges. A range that can't be read at all is left to whoever reads it."""
    known = hyperparameters_of(specification)
    entries = [
        (kind, index, entry)
        for kind in KINDS
        for index, entry in enumerate(ranges.get(kind) or ())
        if isinstance(entry.get("Name"), str)
    ]
    fixed = [name for *_, entry in entries if (name := entry["Name"]) in known and not known[name].get("IsTunable")]
    if fixed:
        tunable = ", ".join(name for name, each in known.items() if each.get("IsTunable"))
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
    yield from (Fault(path, trouble) for value in values if (trouble := value_trouble(known, value)))


def value_trouble(known: Mapping[str, Any], value: str) -> str:
    """Why a hyperparameter can't have this value; "" when it can."""
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
    return f"{value} isn't in the range of {known['Name']}, {bounds['MinValue']} to {bounds['MaxValue']}."


def _number(value: str, kind: type[int | float]) -> float | None:
    try:
        number = kind(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def objective_faults(
    algorithm: str, specification: Mapping[str, Any], objective: tuple[str, str], where: str
) -> Iterator[Fault]:
    """Whether an objective (type, metric) is one of the algorithm's."""
    goal, metric = objective
    supported = {
        each["MetricName"]: each["Type"] for each in specification.get("SupportedTuningJobObjectiveMetrics") or ()
    }
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
    """Required channels, and the content types, input modes and compression of those that are there."""
    channels = {each["Name"]: each for each in specification.get("TrainingChannels") or ()}
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
            yield Fault(f"{path}.{field}", f"{algorithm} doesn't take {value} here. Use {' or '.join(supported)}.")


def instance_faults(
    algorithm: str, specification: Mapping[str, Any], definition: Mapping[str, Any], where: str
) -> Iterator[Fault]:
    """Instance types, and several instances where the algorithm runs on one only."""
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
                f"{algorithm} trains on one instance, and {count} are asked for. Use 1.",
            )


def _unknown(algorithm: str, name: str, known: Iterable[str]) -> str:
    return f"{algorithm} has no hyperparameter {name!r}. {did_you_mean(name, known)}"
