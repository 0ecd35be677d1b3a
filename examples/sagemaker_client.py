"""Tune through the SageMaker API: boto3 creates a tuning job, waits for it, and prints what came of it.

    alfine serve                                   # in another terminal
    eval "$(alfine client)"
    pip install boto3
    python examples/sagemaker_client.py

Nothing in this program is particular to alfine but the two file:/// URIs, which take the place of s3:// ones: without AWS_ENDPOINT_URL,
and with code and models in a bucket, it would tune on AWS.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import boto3

CODE = Path(__file__).resolve().parent / "script_mode"
LOOK_EVERY_SECONDS = 1.0


def request(name: str) -> dict[str, Any]:
    """Return the request: search a learning rate and a depth, end by ConvergenceDetected or after 40 training jobs."""
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 40, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [
                    {"Name": "rate", "MinValue": "0.001", "MaxValue": "1", "ScalingType": "Logarithmic"}
                ],
                "IntegerParameterRanges": [{"Name": "depth", "MinValue": "1", "MaxValue": "10"}],
            },
            "TuningJobCompletionCriteria": {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}},
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": CODE.as_uri(),
            },
            "AlgorithmSpecification": {
                "TrainingImage": "sagemaker-scikit-learn:1.2-1-cpu-py3",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.e+-]+)"}],
            },
            "RoleArn": "arn:aws:iam::000000000000:role/any",
            "OutputDataConfig": {"S3OutputPath": "file:///"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    }


def main() -> None:
    sagemaker = boto3.client("sagemaker")
    name = f"boto3-{time.strftime('%m%d-%H%M%S')}"
    sagemaker.create_hyper_parameter_tuning_job(**request(name))
    while True:
        job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        if job["HyperParameterTuningJobStatus"] not in {"InProgress", "Stopping"}:
            break
        time.sleep(LOOK_EVERY_SECONDS)
    best = job["BestTrainingJob"]
    counters = job["TrainingJobStatusCounters"]
    print(f"{name}: {job['HyperParameterTuningJobStatus']} after {sum(counters.values())} training jobs")
    print(
        f"best loss {best['FinalHyperParameterTuningJobObjectiveMetric']['Value']:.4g}: {best['TunedHyperParameters']}"
    )


if __name__ == "__main__":
    main()
