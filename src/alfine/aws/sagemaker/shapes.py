"""Rows of the store as AWS shows them. Nothing here is looked up: row and request in, an answer's structure out.

What AMT adds to a definition when it's described (§ numbers are of its API reference's fields): `_tuning_objective_metric`
among the static hyperparameters, all three lists of ranges, explicit booleans, defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alfine.aws.json_protocol import Plain, epoch_seconds
from alfine.core.arns import Arns
from alfine.core.spec import (
    DEFINITION,
    DEFINITIONS,
    OBJECTIVE_HYPERPARAMETER,
    TuningJobSpec,
    definition_of,
    objective_of,
)
from alfine.jobs.describe import TrainingJobSummary, Transition, TuningJobDescription, secondary_status, transitions
from alfine.store.queries import Counters
from alfine.store.records import TrainingJobRow, TuningJob

FLAGS = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")
RANGES = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")
LONGEST_REASON = 1024  # characters of a FailureReason, by AWS's model
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
        for asked, part in zip(request[DEFINITIONS], spec.definition_specs, strict=True)
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


def tuning_job(description: TuningJobDescription, arns: Arns) -> Plain:
    """Return DescribeHyperParameterTuningJob, without ConsumedResources, which changes all the time."""
    job, spec = description.job, description.spec
    best, overall = description.best, description.overall_best
    parent = {} if overall is None or overall is best else {"TuningJobName": overall.tuning_job}
    optional = {
        "HyperParameterTuningEndTime": None if job.ended_at is None else epoch_seconds(job.ended_at),
        "FailureReason": job.failure_reason and job.failure_reason[:LONGEST_REASON],
        "BestTrainingJob": best and training_job_summary(best, arns, best=True),
        "OverallBestTrainingJob": overall and {**training_job_summary(overall, arns, best=True), **parent},
        **{key: job.request.get(key) for key in ("WarmStartConfig", "Autotune")},
    }
    return {
        "HyperParameterTuningJobName": job.name,
        "HyperParameterTuningJobArn": arns.tuning_job(job.name),
        "HyperParameterTuningJobConfig": config(job.request, spec),
        **definitions(job.request, spec),
        "HyperParameterTuningJobStatus": job.status,
        "CreationTime": epoch_seconds(job.created_at),
        "LastModifiedTime": job.modified_at,
        **counters(description.counters),
        "TuningJobCompletionDetails": {
            "NumberOfTrainingJobsObjectiveNotImproving": description.not_improving,
            "ConvergenceDetectedTime": description.converged_at,
        },
        **{key: value for key, value in optional.items() if value is not None},
    }


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


def training_job_summary(job: TrainingJobSummary, arns: Arns, *, best: bool = False) -> Plain:
    """Return HyperParameterTrainingJobSummary. As BestTrainingJob it lacks what AWS leaves out there: the objective's type."""
    shown: Plain = {
        "TrainingJobDefinitionName": job.definition,
        "TrainingJobName": job.name,
        "TrainingJobArn": arns.training_job(job.name),
        "CreationTime": job.created_at,
        "TrainingStartTime": job.started_at,
        "TrainingEndTime": job.ended_at,
        "TrainingJobStatus": job.status,
        "TunedHyperParameters": dict(job.hyperparameters),
        "FailureReason": job.failure_reason,
        "ObjectiveStatus": job.objective_status,
    }
    if job.objective is not None:
        final = {"MetricName": job.metric, "Value": job.objective}
        shown["FinalHyperParameterTuningJobObjectiveMetric"] = final if best else {"Type": job.goal, **final}
    return shown if best else {**shown, "TuningJobName": job.tuning_job}


def _transition(step: Transition) -> Plain:
    return {
        "Status": step.status,
        "StartTime": step.started_at,
        "EndTime": step.ended_at,
        "StatusMessage": step.message,
    }


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
        "SecondaryStatusTransitions": [_transition(step) for step in transitions(row)],
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
