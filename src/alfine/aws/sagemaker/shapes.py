"""AWS's shapes: rows of the store and descriptions of jobs as SageMaker's operations return them. Nothing is looked up here.

Describe returns a definition with what AMT adds to the request: `_tuning_objective_metric` among the static hyperparameters, all three
lists of ranges, explicit booleans, and defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alfine.aws.shape_readers import Plain
from alfine.aws.shape_writers import epoch_seconds
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
from alfine.programs.autotune import auto_parameters
from alfine.store.counters import Counters
from alfine.store.records import TrainingJobRow, TuningJob

FLAGS = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")
"""Booleans that Describe always returns."""

RANGES = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")
"""The lists of ranges that Describe always returns."""

LONGEST_REASON = 1024
"""Characters of a FailureReason, by AWS's model."""

SECONDS_A_DAY = 86_400
"""AMT's MaxRuntimeInSeconds of a training job whose definition names none."""

RETURNED = ("RoleArn", "InputDataConfig", "VpcConfig", "CheckpointConfig", "Environment", "RetryStrategy")
"""Fields of a definition that DescribeTrainingJob returns as they are."""

RETURNED_OF_CREATE_TRAINING_JOB = (
    *("DebugHookConfig", "DebugRuleConfigurations", "ExperimentConfig", "InfraCheckConfig", "ProfilerConfig"),
    *("ProfilerRuleConfigurations", "RemoteDebugConfig", "TensorBoardOutputConfig"),
)
"""Fields that only CreateTrainingJob has."""


# ---- tuning jobs -------------------------------------------------------------------------------------------------------


def config(request: Mapping[str, Any], spec: TuningJobSpec) -> Plain:
    """Return HyperParameterTuningJobConfig as Describe shows it."""
    given = request["HyperParameterTuningJobConfig"]
    limits = given.get("ResourceLimits") or {}
    return {
        **given,
        "ResourceLimits": {"MaxNumberOfTrainingJobs": spec.most_training_jobs, **limits},
        **(
            {}
            if spec.parts
            else {"ParameterRanges": {**all_ranges(given.get("ParameterRanges")), **auto_parameters(request)}}
        ),
        "TrainingJobEarlyStoppingType": given.get("TrainingJobEarlyStoppingType", "Off"),
    }


def all_ranges(given: Mapping[str, Any] | None) -> Plain:
    """Return ranges with all three lists: the SDKs read empty ones, too."""
    return {**{kind: [] for kind in RANGES}, **(given or {})}


def definitions(request: Mapping[str, Any], spec: TuningJobSpec) -> Plain:
    """Return TrainingJobDefinition or TrainingJobDefinitions as Describe shows them, as the request has one or the other."""
    if not spec.parts:
        return {DEFINITION: _definition(request[DEFINITION], spec)}
    shown = [
        {
            **_definition(given, part),
            "HyperParameterRanges": {
                **all_ranges(given.get("HyperParameterRanges")),
                **auto_parameters(request, index),
            },
        }
        for index, (given, part) in enumerate(zip(request[DEFINITIONS], spec.definition_specs, strict=True))
    ]
    return {DEFINITIONS: shown}


def _definition(given: Mapping[str, Any], spec: TuningJobSpec) -> Plain:
    algorithm = given.get("AlgorithmSpecification") or {}
    return {
        **given,
        "StaticHyperParameters": static_hyperparameters(given, spec.metric),
        "AlgorithmSpecification": {"MetricDefinitions": [], **algorithm},
        "ResourceConfig": resource_config(given),
        **{flag: bool(given.get(flag)) for flag in FLAGS},
    }


def static_hyperparameters(definition: Mapping[str, Any], metric: str) -> Plain:
    """Return StaticHyperParameters with the objective's name, in quotes if the others are JSON texts (the SDKs' script mode)."""
    static = definition.get("StaticHyperParameters") or {}
    quoted = str(static.get("sagemaker_program", "")).startswith('"')
    return {**static, OBJECTIVE_HYPERPARAMETER: f'"{metric}"' if quoted else metric}


def resource_config(definition: Mapping[str, Any]) -> Plain:
    """Return ResourceConfig, which the SDKs read also of jobs that were created with HyperParameterTuningResourceConfig."""
    given = definition.get("ResourceConfig")
    if given:
        return {key: value for key, value in given.items() if key != "KeepAlivePeriodInSeconds"}
    tuning = definition.get("HyperParameterTuningResourceConfig") or {}
    first = (tuning.get("InstanceConfigs") or [tuning])[0]
    named = {key: first[key] for key in ("InstanceType", "InstanceCount", "VolumeSizeInGB") if key in first}
    return {"InstanceType": "local", "InstanceCount": 1, "VolumeSizeInGB": 1, **named}


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
    """Return TrainingJobStatusCounters and ObjectiveStatusCounters."""
    return {"TrainingJobStatusCounters": counts.statuses, "ObjectiveStatusCounters": counts.objectives}


def tuning_job_summary(job: TuningJob, counts: Counters, arns: Arns) -> Plain:
    """Return a row of ListHyperParameterTuningJobs."""
    given = job.request["HyperParameterTuningJobConfig"]
    return {
        "HyperParameterTuningJobName": job.name,
        "HyperParameterTuningJobArn": arns.tuning_job(job.name),
        "HyperParameterTuningJobStatus": job.status,
        "Strategy": given["Strategy"],
        "CreationTime": job.created_at,
        "HyperParameterTuningEndTime": job.ended_at,
        "LastModifiedTime": job.modified_at,
        **counters(counts),
        "ResourceLimits": given.get("ResourceLimits"),
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
    """Return DescribeTrainingJob, without its metrics.

    Args:
        row: The training job.
        request: That of its tuning job.
        arns: For the ARNs.
        artifact: The URI of its model.
    """
    definition = definition_of(request, row.definition)
    single = "TrainingJobName" in request
    objective = objective_of(request, row.definition)
    hyperparameters = definition.get("StaticHyperParameters")
    if objective:
        hyperparameters = {**static_hyperparameters(definition, objective["MetricName"]), **row.hyperparameters}
    seconds = _seconds(row)
    return {
        "TrainingJobName": row.name,
        "TrainingJobArn": arns.training_job(row.name),
        "TuningJobArn": None if single else arns.tuning_job(row.tuning_job_name),
        "ModelArtifacts": {"S3ModelArtifacts": artifact},
        "TrainingJobStatus": row.status,
        "SecondaryStatus": secondary_status(row),
        "FailureReason": row.failure_reason,
        "HyperParameters": hyperparameters,
        "AlgorithmSpecification": {"MetricDefinitions": [], **(definition.get("AlgorithmSpecification") or {})},
        "OutputDataConfig": {"KmsKeyId": "", **(definition.get("OutputDataConfig") or {})},
        "ResourceConfig": definition["ResourceConfig"] if single else resource_config(definition),
        "StoppingCondition": {"MaxRuntimeInSeconds": SECONDS_A_DAY, **(definition.get("StoppingCondition") or {})},
        **{key: definition.get(key) for key in (*RETURNED, *RETURNED_OF_CREATE_TRAINING_JOB)},
        **{flag: bool(definition.get(flag)) for flag in FLAGS},
        "CreationTime": row.created_at,
        "TrainingStartTime": row.started_at,
        "TrainingEndTime": row.ended_at,
        "LastModifiedTime": row.modified_at,
        "SecondaryStatusTransitions": [_transition(step) for step in transitions(row)],
        "TrainingTimeInSeconds": seconds,
        "BillableTimeInSeconds": seconds,
    }


def _seconds(row: TrainingJobRow) -> int | None:
    """Return the training time in seconds; 1 at least, as AWS's model demands."""
    if row.started_at is None or row.ended_at is None:
        return None
    return max(1, round((row.ended_at - row.started_at).total_seconds()))


def training_job_row(row: TrainingJobRow, arns: Arns) -> Plain:
    """Return a row of ListTrainingJobs."""
    return {
        "TrainingJobName": row.name,
        "TrainingJobArn": arns.training_job(row.name),
        "CreationTime": row.created_at,
        "TrainingEndTime": row.ended_at,
        "LastModifiedTime": row.modified_at,
        "TrainingJobStatus": row.status,
        "SecondaryStatus": secondary_status(row),
    }
