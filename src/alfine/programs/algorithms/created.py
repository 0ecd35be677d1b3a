"""Algorithms that users created: an image, with what it takes in CreateAlgorithm's TrainingSpecification."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alfine.core.errors import Fault
from alfine.programs.algorithms.specification import value_trouble
from alfine.programs.hyperparameter_text import unquoted
from alfine.runners.log_metrics import check_regex

Plain = Mapping[str, Any]

PATH = "TrainingSpecification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """One created algorithm. name: as it was created; it's found in letters of any case."""

    name: str
    specification: Plain

    @classmethod
    def of(cls, request: Plain) -> Created:
        """From the request that created it."""
        return cls(name=request["AlgorithmName"], specification=request[PATH])

    @property
    def image(self) -> str:
        return str(self.specification["TrainingImage"])

    def faults(
        self,
        static: Mapping[str, str],  # noqa: ARG002 - as a built-in algorithm is asked
        channels: Mapping[str, str | None],  # noqa: ARG002
        objective: tuple[str, str] | None,  # noqa: ARG002
        where: str,  # noqa: ARG002
    ) -> list[Fault]:
        """Beyond its specification nothing is known of it."""
        return []

    def missing(self) -> str:
        """Whether its image runs here is said by whoever runs it."""
        return ""


def request_faults(request: Plain, *, implied: Iterable[str]) -> Iterator[Fault]:
    """What is wrong with a CreateAlgorithm request that the model allows. implied: metrics that its image has by itself."""
    specification = request[PATH]
    refused = {
        "ValidationSpecification": "training jobs that try an algorithm out aren't run here. Leave it out, and create one",
        "CertifyForMarketplace": "there is no marketplace here. Leave it out",
    }
    yield from (Fault(name, f"{why}.") for name, why in refused.items() if request.get(name))
    if specification.get("AdditionalS3DataSource"):
        yield Fault(f"{PATH}.AdditionalS3DataSource", "isn't given to training jobs here. Use a channel.")
    hyperparameters = specification.get("SupportedHyperParameters") or ()
    for index, each in enumerate(hyperparameters):
        yield from _hyperparameter_faults(each, f"{PATH}.SupportedHyperParameters[{index}] ({each['Name']})")
    yield from _metric_faults(specification, set(implied))
    for key in ("SupportedHyperParameters", "TrainingChannels", "MetricDefinitions"):
        yield from _twice([each["Name"] for each in specification.get(key) or ()], f"{PATH}.{key}")
    tags = [tag["Key"] for tag in request.get("Tags") or ()]
    yield from _twice(tags, "Tags")


def _twice(names: list[str], path: str) -> Iterator[Fault]:
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield Fault(path, f"{name!r} is there {names.count(name)} times. Keep one.")


def _hyperparameter_faults(each: Plain, path: str) -> Iterator[Fault]:
    kind, limits = each["Type"], each.get("Range") or {}
    wanted = f"{kind}ParameterRangeSpecification"
    if any(key != wanted for key in limits):
        only = "no range" if kind == "FreeText" else f"a range by {wanted} only"
        yield Fault(f"{path}.Range", f"a hyperparameter of type {kind} can have {only}.")
    elif kind in ("Integer", "Continuous") and wanted in limits:
        yield from _bounds_faults(each, limits[wanted], f"{path}.Range.{wanted}")
    if kind == "FreeText" and each.get("IsTunable"):
        yield Fault(f"{path}.IsTunable", "free text has no range to tune it in.")
    if "DefaultValue" in each:
        if each.get("IsRequired"):
            yield Fault(f"{path}.DefaultValue", "what has a default value can't be required. Leave one of the two out.")
        elif trouble := _default_trouble(each):
            yield Fault(f"{path}.DefaultValue", trouble)


def _bounds_faults(each: Plain, bounds: Plain, path: str) -> Iterator[Fault]:
    unbounded = {"Name": each["Name"], "Type": each["Type"]}
    troubles = [(name, value_trouble(unbounded, bounds[name])) for name in ("MinValue", "MaxValue")]
    yield from (Fault(f"{path}.{name}", trouble) for name, trouble in troubles if trouble)
    if not any(trouble for _, trouble in troubles) and float(bounds["MinValue"]) > float(bounds["MaxValue"]):
        yield Fault(path, f"MinValue {bounds['MinValue']} is above MaxValue {bounds['MaxValue']}.")


def _default_trouble(each: Plain) -> str:
    try:
        return value_trouble(each, unquoted(each["DefaultValue"]))
    except ValueError:  # of its bounds, which are told already
        return ""


def _metric_faults(specification: Plain, implied: set[str]) -> Iterator[Fault]:
    definitions = specification.get("MetricDefinitions") or ()
    for index, each in enumerate(definitions):
        if trouble := check_regex(each["Regex"]):
            yield Fault(f"{PATH}.MetricDefinitions[{index}] ({each['Name']})", trouble)
    names = {each["Name"] for each in definitions} or implied
    for index, each in enumerate(specification.get("SupportedTuningJobObjectiveMetrics") or ()):
        if each["MetricName"] not in names:
            yield Fault(
                f"{PATH}.SupportedTuningJobObjectiveMetrics[{index}]",
                f"{each['MetricName']!r} isn't among MetricDefinitions, so nothing would be read from a log.",
            )
