"""Read a TrainingJobDefinition of a request: what the training jobs run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from alfine.core.channels import Channel, read_channel
from alfine.core.read_values import FaultCollector
from alfine.core.spec import CHECKPOINTS, Definition, MetricDefinition


def read_definition(
    definition: Mapping[str, Any], path: str, objective: str | None, faults: FaultCollector
) -> Definition:
    """Return a definition as it was understood.

    Args:
        definition: The definition as the request has it.
        path: Its path in the request.
        objective: The name of the objective metric, which the metric definitions must have; None for a training job on its own.
        faults: Takes what is wrong with it.
    """
    return _DefinitionReader(definition, path, faults).read(objective)


class _DefinitionReader:
    def __init__(self, definition: Mapping[str, Any], path: str, faults: FaultCollector) -> None:
        self.definition, self.path, self.faults = definition, path, faults

    def read(self, objective: str | None) -> Definition:
        definition = self.definition
        algorithm = definition.get("AlgorithmSpecification") or {}
        if ("TrainingImage" in algorithm) == ("AlgorithmName" in algorithm):
            self.faults.add(
                f"{self.path}.AlgorithmSpecification", "give either TrainingImage or AlgorithmName, one of the two."
            )
        metrics = tuple(self._metrics(algorithm.get("MetricDefinitions") or [], objective))
        stopping = definition.get("StoppingCondition") or {}
        runtime = self.faults.whole_number(stopping, "MaxRuntimeInSeconds", 1, f"{self.path}.StoppingCondition")
        self._check_waiting(stopping)
        instance_type, instance_count = self._resources()
        output = definition.get("OutputDataConfig") or {}
        checkpoints = definition.get("CheckpointConfig") or {}
        return Definition(
            name=definition.get("DefinitionName"),
            image=str(algorithm.get("TrainingImage") or algorithm.get("AlgorithmName")),
            static_hyperparameters=dict(definition.get("StaticHyperParameters") or {}),
            metric_definitions=metrics,
            channels=tuple(self._channels(algorithm.get("TrainingInputMode") or "File")),
            environment=dict(definition.get("Environment") or {}),
            max_runtime_seconds=runtime,
            output_path=str(output.get("S3OutputPath", "")),
            packs_model=output.get("CompressionType") != "NONE",
            instance_type=instance_type,
            instance_count=instance_count,
            keep_alive_seconds=(definition.get("ResourceConfig") or {}).get("KeepAlivePeriodInSeconds"),
            network=not definition.get("EnableNetworkIsolation"),
            entrypoint=tuple(map(str, algorithm.get("ContainerEntrypoint") or ())),
            arguments=tuple(map(str, algorithm.get("ContainerArguments") or ())),
            retries=int((definition.get("RetryStrategy") or {}).get("MaximumRetryAttempts", 0)),
            checkpoint_uri=str(checkpoints.get("S3Uri", "")),
            checkpoint_path=str(checkpoints.get("LocalPath", CHECKPOINTS)).rstrip("/"),
        )

    def _metrics(self, entries: Iterable[Mapping[str, Any]], objective: str | None) -> Iterator[MetricDefinition]:
        path, names = f"{self.path}.AlgorithmSpecification.MetricDefinitions", set()
        for index, entry in enumerate(entries):
            name, regex = str(entry.get("Name")), str(entry.get("Regex"))
            names.add(name)
            try:
                groups = re.compile(regex).groups
            except re.error as error:
                self.faults.add(f"{path}[{index}] ({name})", f"regex {regex!r} doesn't compile: {error}.")
                continue
            if groups < 1:
                self.faults.add(
                    f"{path}[{index}] ({name})",
                    f"regex {regex!r} has no group. Put the number in parentheses, as in 'loss=([0-9.]+)'.",
                )
            yield MetricDefinition(name=name, regex=regex)
        if objective is not None and objective not in names:
            known = f" (defined: {', '.join(sorted(names))})" if names else ""
            self.faults.add(
                path,
                "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
                f"definitions. The objective is {objective!r}{known}.",
            )

    def _channels(self, default_mode: str) -> Iterator[Channel]:
        names = set()
        for index, entry in enumerate(self.definition.get("InputDataConfig") or []):
            path, name = f"{self.path}.InputDataConfig[{index}]", entry.get("ChannelName")
            if name in names:
                self.faults.add(f"{path}.ChannelName", f"there are two channels called {name!r}. Rename one.")
            names.add(name)
            channel, faults = read_channel(entry, default_mode, path)
            self.faults.extend(faults)
            if channel is not None:
                yield channel

    def _check_waiting(self, stopping: Mapping[str, Any]) -> None:
        """Check MaxWaitTimeInSeconds, which is for managed spot training and includes the running time."""
        wait, run = stopping.get("MaxWaitTimeInSeconds"), stopping.get("MaxRuntimeInSeconds")
        path = f"{self.path}.StoppingCondition.MaxWaitTimeInSeconds"
        if wait is not None and not self.definition.get("EnableManagedSpotTraining"):
            self.faults.add(
                path, "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
            )
        elif isinstance(wait, int) and isinstance(run, int) and wait < run:
            self.faults.add(path, f"{wait} is below MaxRuntimeInSeconds {run}. Raise it.")

    def _resources(self) -> tuple[str, int]:
        """Return the type and the number of instances."""
        plain, tuning = self.definition.get("ResourceConfig"), self.definition.get("HyperParameterTuningResourceConfig")
        if plain and tuning:
            self.faults.add(self.path, "give either ResourceConfig or HyperParameterTuningResourceConfig, not both.")
        config = plain or tuning or {}
        listed = config.get("InstanceConfigs")
        if listed and any(key in config for key in ("InstanceType", "InstanceCount", "VolumeSizeInGB")):
            self.faults.add(
                self.path, "InstanceConfigs excludes InstanceType, InstanceCount and VolumeSizeInGB. Give one form."
            )
        first = listed[0] if listed else config
        return str(first.get("InstanceType", "local")), int(first.get("InstanceCount", 1))
