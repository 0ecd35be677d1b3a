"""Airflow's operator, with the endpoint in its connection: one tuning job awaited, one left to run."""

import io
import json
import os
import tarfile
from pathlib import Path

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTuningOperator

CONNECTION = "alfine"
packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w:gz") as archive:
    for path in [Path("source/train.py"), Path("shared/costs.py")]:
        archive.add(path, path.name)
s3 = S3Hook(CONNECTION)
s3.create_bucket("airflow")
s3.load_bytes(packed.getvalue(), "code/sourcedir.tar.gz", "airflow")
s3.load_file(Path(os.environ["FLOW_DATA"], "a.csv"), "data/train/a.csv", "airflow")


def config(name):
    """As Airflow's users write it: numbers as texts, the role by its name."""
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": "3", "MaxParallelTrainingJobs": "2"},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "lr", "MinValue": "0.01", "MaxValue": "1"}]},
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {
                "epochs": "2",
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": "s3://airflow/code/sourcedir.tar.gz",
            },
            "AlgorithmSpecification": {
                "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
            },
            "RoleArn": "trainer",
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://airflow/data/train"}},
                }
            ],
            "OutputDataConfig": {"S3OutputPath": "s3://airflow/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": "1", "VolumeSizeInGB": "1"},
            "StoppingCondition": {"MaxRuntimeInSeconds": "600"},
        },
    }


def operator(name, **words):
    return SageMakerTuningOperator(task_id=name, config=config(name), aws_conn_id=CONNECTION, check_interval=1, **words)


awaited = operator("awaited", wait_for_completion=True).execute({})
left = operator("left", wait_for_completion=False).execute({})
hook = SageMakerHook(aws_conn_id=CONNECTION)
hook.check_status("left", "HyperParameterTuningJobStatus", hook.describe_tuning_job, check_interval=1)
print(json.dumps({"awaited": awaited, "left": left, "left_later": hook.describe_tuning_job("left")}, default=str))
