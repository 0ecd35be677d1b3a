"""Airflow's operator: one tuning job awaited, one left to run. FLOW_CONNECTION names the connection to AWS, if there is one."""

import io
import json
import os
import tarfile
from pathlib import Path

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTuningOperator

CONNECTION = os.environ.get("FLOW_CONNECTION", "aws_default")
PREFIX = CONNECTION.replace("_", "-")
BUCKET = f"airflow-{PREFIX}"
packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w:gz") as archive:
    for path in [Path("source/train.py"), Path("shared/costs.py")]:
        archive.add(path, path.name)
s3 = S3Hook(CONNECTION)
s3.create_bucket(BUCKET)
s3.load_bytes(packed.getvalue(), "code/sourcedir.tar.gz", BUCKET)
s3.load_file(Path(os.environ["FLOW_DATA"], "a.csv"), "data/train/a.csv", BUCKET)


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
                "sagemaker_submit_directory": f"s3://{BUCKET}/code/sourcedir.tar.gz",
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
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/train"}},
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": "1", "VolumeSizeInGB": "1"},
            "StoppingCondition": {"MaxRuntimeInSeconds": "600"},
        },
    }


def operator(name, **words):
    return SageMakerTuningOperator(task_id=name, config=config(name), aws_conn_id=CONNECTION, check_interval=1, **words)


awaited = operator(f"{PREFIX}-awaited", wait_for_completion=True).execute({})
name = f"{PREFIX}-left"
left = operator(name, wait_for_completion=False).execute({})
hook = SageMakerHook(aws_conn_id=CONNECTION)
hook.check_status(name, "HyperParameterTuningJobStatus", hook.describe_tuning_job, check_interval=1)
print(json.dumps({"awaited": awaited, "left": left, "left_later": hook.describe_tuning_job(name)}, default=str))
