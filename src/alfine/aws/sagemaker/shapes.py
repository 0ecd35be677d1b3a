"""Rows of the store as AWS shows them. Nothing here is looked up: row and request in, an answer's structure out.

What AMT adds to a definition when it's described (§ numbers are of its API reference's fields): `_tuning_objective_metric`
among the static hyperparameters, all three lists of ranges, explicit booleans, defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alfine.aws.json_protocol import Plain
from alfine.core.arns import Arns, name_as_created
from alfine.core.inherited import Inherited
from alfine.core.spec import (
    DEFINITION,
    DEFINITIONS,
    OBJECTIVE_HYPERPARAMETER,
    TuningJobSpec,
    definition_of,
    objective_of,
)
from alfine.store.queries import Counters
from alfine.store.records import TrainingJobRow, TuningJob

FLAGS = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")
RANGES = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")
SECONDS_A_DAY = 86_400  # AMT's MaxRuntimeInSeconds of a training job that names none

RETURNED = ("RoleArn", "InputDataConfig", "VpcConfig", "CheckpointConfig", "Environment", "RetryStrategy")
RETURNED_ALONE = (  # what CreateTrainingJob has besides
    *("DebugHookConfig", "DebugRuleConfigurations", "ExperimentConfig", "InfraCheckConfig", "ProfilerConfig"),
    *("ProfilerRuleConfigurations", "RemoteDebugConfig", "TensorBoardOutputConfig"),
)


# ---- tuning jobs -------------------------------------------------------------------------------------------------------


def config(request: Mapping[str, Any], spec: TuningJobSpec) -> Plain:
    """HyperParameterTuningJobConfig as Describe returns it."""
    asked = request["HyperParameterTuningJobConfig"]
    limits = asked.get("ResourceLimits") or {}
    return {
        **asked,
        "ResourceLimits": {"MaxNumberOfTrainingJobs": spec.most_training_jobs, **limits},
        **({} if spec.parts else {"ParameterRanges": all_ranges(asked.get("ParameterRanges"))}),
        "TrainingJobEarlyStoppingType": asked.get("TrainingJobEarlyStoppingType", "Off"),
    }


def all_ranges(asked: Mapping[str, Any] | None) -> Plain:
    """The SDKs read all three lists, empty ones too."""
    return {**{kind: [] for kind in RANGES}, **(asked or {})}


def definitions(request: Mapping[str, Any], spec: TuningJobSpec) -> Plain:
    """TrainingJobDefinition or TrainingJobDefinitions as Describe returns them, in the form of the request."""
    if not spec.parts:
        return {DEFINITION: _definition(request[DEFINITION], spec)}
    shown = [
        {**_definition(asked, part), "HyperParameterRanges": all_ranges(asked.get("HyperParameterRanges"))}
        for asked, part in zip(request[DEFINITIONS], spec.each, strict=True)
    ]
    return {DEFINITIONS: shown}


def _definition(asked: Mapping[str, Any], spec: TuningJobSpec) -> Plain:
    algorithm = asked.get("AlgorithmSpecification") or {}
    return {
        **asked,
        "StaticHyperParameters": static_hyperparameters(asked, spec.metric),
        "AlgorithmSpecification": {"MetricDefinitions": [], **algorithm},
        "ResourceConfig": resource_config(asked),
        **{flag: bool(asked.get(flag)) for flag in FLAGS},
    }


def static_hyperparameters(asked: Mapping[str, Any], metric: str) -> Plain:
    """With the objective's name, in quotes where the others are JSON texts (script mode of the SDKs)."""
    static = asked.get("StaticHyperParameters") or {}
    quoted = str(static.get("sagemaker_program", "")).startswith('"')
    return {**static, OBJECTIVE_HYPERPARAMETER: f'"{metric}"' if quoted else metric}


def resource_config(asked: Mapping[str, Any]) -> Plain:
    """The SDKs read ResourceConfig also of jobs that were asked for with HyperParameterTuningResourceConfig."""
    given = asked.get("ResourceConfig")
    if given:
        return {key: value for key, value in given.items() if key != "KeepAlivePeriodInSeconds"}
    tuning = asked.get("HyperParameterTuningResourceConfig") or {}
    first = (tuning.get("InstanceConfigs") or [tuning])[0]
    found = {key: first[key] for key in ("InstanceType", "InstanceCount", "VolumeSizeInGB") if key in first}
    return {"InstanceType": "local", "InstanceCount": 1, "VolumeSizeInGB": 1, **found}


def counters(counts: Counters) -> Plain:
    return {"TrainingJobStatusCounters": counts.statuses, "ObjectiveStatusCounters": counts.objectives}


def tuning_job_summary(row: TuningJob, counts: Counters, arns: Arns) -> Plain:
    """A row of ListHyperParameterTuningJobs."""
    asked = row.request["HyperParameterTuningJobConfig"]
    return {
        "HyperParameterTuningJobName": row.name,
        "HyperParameterTuningJobArn": arns.tuning_job(row.name),
        "HyperParameterTuningJobStatus": row.status,
        "Strategy": asked["Strategy"],
        "CreationTime": row.created_at,
        "HyperParameterTuningEndTime": row.ended_at,
        "LastModifiedTime": row.modified_at,
        **counters(counts),
        "ResourceLimits": asked.get("ResourceLimits"),
    }


# ---- training jobs -----------------------------------------------------------------------------------------------------


def objective_status(row: TrainingJobRow) -> str:
    if row.ended_at is None:
        return "Pending"
    return "Succeeded" if row.objective is not None and row.status != "Failed" else "Failed"


def training_job_summary(row: TrainingJobRow, request: Mapping[str, Any], arns: Arns, *, best: bool = False) -> Plain:
    """HyperParameterTrainingJobSummary; request: of its tuning job. As BestTrainingJob it lacks what AWS leaves out there."""
    objective = objective_of(request, row.definition)
    shown: Plain = {
        "TrainingJobDefinitionName": definition_of(request, row.definition).get("DefinitionName"),
        "TrainingJobName": row.name,
        "TrainingJobArn": arns.training_job(row.name),
        "CreationTime": row.created_at,
        "TrainingStartTime": row.started_at,
        "TrainingEndTime": row.ended_at,
        "TrainingJobStatus": row.status,
        "TunedHyperParameters": row.hyperparameters,
        "FailureReason": row.failure_reason,
        "ObjectiveStatus": objective_status(row),
    }
    if row.objective is not None:
        final = {"MetricName": objective["MetricName"], "Value": row.objective}
        shown["FinalHyperParameterTuningJobObjectiveMetric"] = final if best else {"Type": objective["Type"], **final}
    return shown if best else {**shown, "TuningJobName": name_as_created(row.tuning_job_name)}


def inherited_summary(row: Inherited, request: Mapping[str, Any], arns: Arns) -> Plain:
    """A parent's training job as OverallBestTrainingJob; request: of the child, which has the parent's objective."""
    return {
        "TrainingJobName": row.name,
        "TrainingJobArn": arns.training_job(row.name),
        "TuningJobName": row.parent,
        "CreationTime": row.created_at,
        "TrainingStartTime": row.started_at,
        "TrainingEndTime": row.ended_at,
        "TrainingJobStatus": row.status,
        "TunedHyperParameters": row.hyperparameters,
        "ObjectiveStatus": "Succeeded",
        "FinalHyperParameterTuningJobObjectiveMetric": {
            "MetricName": objective_of(request, None)["MetricName"],
            "Value": row.objective,
        },
    }


def secondary_status(row: TrainingJobRow) -> str:
    """A training job that ended Stopped though nobody asked it to ran into its own time limit."""
    if row.status == "InProgress":
        return "Training" if row.started_at else "Starting"
    return "MaxRuntimeExceeded" if row.status == "Stopped" and row.stop_asked_at is None else row.status


MESSAGES = {
    "Starting": "Preparing the training job",
    "Training": "Training in progress",
    "Stopping": "Stopping the training job",
    "Uploading": "Uploading the model and the output",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job ran for its MaxRuntimeInSeconds and was stopped",
}


def transitions(row: TrainingJobRow) -> list[Plain]:
    """SecondaryStatusTransitions: each ends when the next begins; the last of an ended training job ends at once."""
    end = row.uploaded_at or row.ended_at
    asked = row.stop_asked_at and max(row.stop_asked_at, row.started_at or row.stop_asked_at)
    if asked and row.ended_at and asked >= row.ended_at:  # it was over before it could be told
        asked = None
    steps: list[tuple[str, datetime | None]] = [
        ("Starting", row.created_at),
        ("Training", row.started_at),
        ("Stopping", asked),
        ("Uploading", row.uploaded_at and row.ended_at),
        (secondary_status(row), end),
    ]
    known = [(status, at) for status, at in steps if at is not None]
    ends = [at for _, at in known[1:]] + [end]
    return [
        {"Status": status, "StartTime": at, "EndTime": end, "StatusMessage": MESSAGES[status]}
        for (status, at), end in zip(known, ends, strict=True)
    ]


def training_job(row: TrainingJobRow, request: Mapping[str, Any], arns: Arns, artifact: str) -> Plain:
    """DescribeTrainingJob, the metrics left out."""
    asked = definition_of(request, row.definition)
    alone = "TrainingJobName" in request
    objective = objective_of(request, row.definition)
    seconds = _seconds(row)
    return {
        "TrainingJobName": row.name,
        "TrainingJobArn": arns.training_job(row.name),
        "TuningJobArn": None if alone else arns.tuning_job(row.tuning_job_name),
        "ModelArtifacts": {"S3ModelArtifacts": artifact},
        "TrainingJobStatus": row.status,
        "SecondaryStatus": secondary_status(row),
        "FailureReason": row.failure_reason,
        "HyperParameters": asked["StaticHyperParameters"]
        if not objective
        else {**static_hyperparameters(asked, objective["MetricName"]), **row.hyperparameters},
        "AlgorithmSpecification": {"MetricDefinitions": [], **(asked.get("AlgorithmSpecification") or {})},
        "OutputDataConfig": {"KmsKeyId": "", **(asked.get("OutputDataConfig") or {})},
        "ResourceConfig": asked["ResourceConfig"] if alone else resource_config(asked),
        "StoppingCondition": {"MaxRuntimeInSeconds": SECONDS_A_DAY, **(asked.get("StoppingCondition") or {})},
        **{key: asked.get(key) for key in (*RETURNED, *RETURNED_ALONE)},
        **{flag: bool(asked.get(flag)) for flag in FLAGS},
        "CreationTime": row.created_at,
        "TrainingStartTime": row.started_at,
        "TrainingEndTime": row.ended_at,
        "LastModifiedTime": row.modified_at,
        "SecondaryStatusTransitions": transitions(row),
        "TrainingTimeInSeconds": seconds,
        "BillableTimeInSeconds": seconds,
    }


def _seconds(row: TrainingJobRow) -> int | None:
    """At least 1 once it ran, which the model asks for."""
    if row.started_at is None or row.ended_at is None:
        return None
    return max(1, round((row.ended_at - row.started_at).total_seconds()))


def training_job_row(row: TrainingJobRow, arns: Arns) -> Plain:
    """A row of ListTrainingJobs."""
    return {
        "TrainingJobName": row.name,
        "TrainingJobArn": arns.training_job(row.name),
        "CreationTime": row.created_at,
        "TrainingEndTime": row.ended_at,
        "LastModifiedTime": row.modified_at,
        "TrainingJobStatus": row.status,
        "SecondaryStatus": secondary_status(row),
    }
