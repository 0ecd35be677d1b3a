"""A tuning job that is stopped, tagged, found again and deleted, as the last cells of notebooks do."""

# %%
import json
import os
import time

import boto3

sm = boto3.client("sagemaker")
region = boto3.Session().region_name
role = f"arn:aws:iam::{boto3.client('sts').get_caller_identity()['Account']}:role/service-role/any"
name = f"to-stop-{os.getpid()}"
data = f"s3://sagemaker-example-files-prod-{region}/datasets/tabular/uci_abalone/train/abalone.train"

# %%
created = sm.create_hyper_parameter_tuning_job(
    HyperParameterTuningJobName=name,
    HyperParameterTuningJobConfig={
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 50, "MaxParallelTrainingJobs": 1},
        "TrainingJobEarlyStoppingType": "Auto",
        "ParameterRanges": {"IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "60"}]},
    },
    TrainingJobDefinition={
        "AlgorithmSpecification": {
            "TrainingImage": f"683313688378.dkr.ecr.{region}.amazonaws.com/sagemaker-xgboost:1.5-1",
            "TrainingInputMode": "File",
        },
        "RoleArn": role,
        "InputDataConfig": [
            {"ChannelName": part, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data}}}
            for part in ("train", "validation")
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://to-stop/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "StaticHyperParameters": {"num_round": "20"},
    },
    Tags=[{"Key": "project", "Value": "abalone"}],
)
sm.add_tags(ResourceArn=created["HyperParameterTuningJobArn"], Tags=[{"Key": "stage", "Value": "demo"}])


# %%
def described():
    return sm.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


while described()["TrainingJobStatusCounters"]["Completed"] < 1:
    time.sleep(0.2)
sm.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
while described()["HyperParameterTuningJobStatus"] in ("InProgress", "Stopping"):
    time.sleep(0.2)
told = described()

# %%
tags = {tag["Key"]: tag["Value"] for tag in sm.list_tags(ResourceArn=created["HyperParameterTuningJobArn"])["Tags"]}
assert tags == {"project": "abalone", "stage": "demo"}
listed = sm.list_hyper_parameter_tuning_jobs(NameContains=name, StatusEquals="Stopped")
assert [row["HyperParameterTuningJobName"] for row in listed["HyperParameterTuningJobSummaries"]] == [name]
sm.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
print(
    json.dumps(
        {
            "status": told["HyperParameterTuningJobStatus"],
            "jobs": told["TrainingJobStatusCounters"]["NonRetryableError"],
        }
    )
)
