"""Algorithms that users created: an image with a specification of what it takes (TrainingSpecification of CreateAlgorithm)."""

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
class CreatedAlgorithm:
    """An algorithm that a user created.

    Attributes:
        name: As it was created. It can be named in any case.
        specification: Its TrainingSpecification.
    """

    name: str
    specification: Plain

    @classmethod
    def of(cls, request: Plain) -> CreatedAlgorithm:
        """Return the algorithm that a CreateAlgorithm request describes."""
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
        """Return no faults: nothing is known about it except its specification."""
        return []

    def missing(self) -> str:
        """Return "": whether its image runs here is decided where the image is looked up."""
        return ""


def request_faults(request: Plain, *, implied: Iterable[str]) -> Iterator[Fault]:
    """Yield what is wrong with a CreateAlgorithm request although AWS's model allows it.

    Args:
        request: The request.
        implied: The names of the metrics that its image, a built-in algorithm, has by itself.
    """
    specification = request[PATH]
    refused = {
        "ValidationSpecification": "alfine runs no training jobs to validate an algorithm. Leave it out, and create one",
        "CertifyForMarketplace": "there is no marketplace here. Leave it out",
    }
    yield from (Fault(name, f"{why}.") for name, why in refused.items() if request.get(name))
    if specification.get("AdditionalS3DataSource"):
        yield Fault(f"{PATH}.AdditionalS3DataSource", "training jobs don't get it here. Use a channel.")
    hyperparameters = specification.get("SupportedHyperParameters") or ()
    for index, entry in enumerate(hyperparameters):
        yield from _hyperparameter_faults(entry, f"{PATH}.SupportedHyperParameters[{index}] ({entry['Name']})")
    yield from _metric_faults(specification, set(implied))
    for key in ("SupportedHyperParameters", "TrainingChannels", "MetricDefinitions"):
        yield from _twice([entry["Name"] for entry in specification.get(key) or ()], f"{PATH}.{key}")
    tags = [tag["Key"] for tag in request.get("Tags") or ()]
    yield from _twice(tags, "Tags")


def _twice(names: list[str], path: str) -> Iterator[Fault]:
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield Fault(path, f"{name!r} occurs {names.count(name)} times. Keep one.")


def _hyperparameter_faults(entry: Plain, path: str) -> Iterator[Fault]:
    kind, limits = entry["Type"], entry.get("Range") or {}
    wanted = f"{kind}ParameterRangeSpecification"
    if any(key != wanted for key in limits):
        only = "no range" if kind == "FreeText" else f"a range by {wanted} only"
        yield Fault(f"{path}.Range", f"a hyperparameter of type {kind} can have {only}.")
    elif kind in ("Integer", "Continuous") and wanted in limits:
        yield from _bounds_faults(entry, limits[wanted], f"{path}.Range.{wanted}")
    if kind == "FreeText" and entry.get("IsTunable"):
        yield Fault(f"{path}.IsTunable", "free text has no range, so it can't be tuned.")
    if "DefaultValue" in entry:
        if entry.get("IsRequired"):
            message = "a hyperparameter with a default value can't be required. Leave one of the two out."
            yield Fault(f"{path}.DefaultValue", message)
        elif trouble := _default_trouble(entry):
            yield Fault(f"{path}.DefaultValue", trouble)


def _bounds_faults(entry: Plain, bounds: Plain, path: str) -> Iterator[Fault]:
    unbounded = {"Name": entry["Name"], "Type": entry["Type"]}
    troubles = [(name, value_trouble(unbounded, bounds[name])) for name in ("MinValue", "MaxValue")]
    yield from (Fault(f"{path}.{name}", trouble) for name, trouble in troubles if trouble)
    if not any(trouble for _, trouble in troubles) and float(bounds["MinValue"]) > float(bounds["MaxValue"]):
        yield Fault(path, f"MinValue {bounds['MinValue']} is above MaxValue {bounds['MaxValue']}.")


def _default_trouble(entry: Plain) -> str:
    try:
        return value_trouble(entry, unquoted(entry["DefaultValue"]))
    except ValueError:  # its bounds aren't numbers, for which there is a fault already
        return ""


def _metric_faults(specification: Plain, implied: set[str]) -> Iterator[Fault]:
    definitions = specification.get("MetricDefinitions") or ()
    for index, metric in enumerate(definitions):
        if trouble := check_regex(metric["Regex"]):
            yield Fault(f"{PATH}.MetricDefinitions[{index}] ({metric['Name']})", trouble)
    names = {metric["Name"] for metric in definitions} or implied
    for index, objective in enumerate(specification.get("SupportedTuningJobObjectiveMetrics") or ()):
        if objective["MetricName"] not in names:
            yield Fault(
                f"{PATH}.SupportedTuningJobObjectiveMetrics[{index}]",
                f"{objective['MetricName']!r} isn't among MetricDefinitions, so no value would be read from a log.",
            )
