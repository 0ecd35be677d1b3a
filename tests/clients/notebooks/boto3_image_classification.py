"""One of AWS's algorithms that isn't built in: a program of this machine takes its place. The model isn't hosted."""

# %%
import json
import os
import time

import boto3
from botocore.exceptions import ClientError

sm, s3 = boto3.client("sagemaker"), boto3.client("s3")
region = boto3.Session().region_name
account = boto3.client("sts").get_caller_identity()["Account"]
bucket = f"image-classification-{account}"
for _ in range(2):  # notebooks run their first cells again
    s3.create_bucket(Bucket=bucket)
for part in ("train", "validation"):
    s3.put_object(Bucket=bucket, Key=f"{part}/a.rec", Body=b"")

# %%
name = f"image-tuning-{os.getpid()}"
channels = [
    {
        "ChannelName": part,
        "ContentType": "application/x-recordio",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{part}/"}},
    }
    for part in ("train", "validation")
]
sm.create_hyper_parameter_tuning_job(
    HyperParameterTuningJobName=name,
    HyperParameterTuningJobConfig={
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:accuracy"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {
            "ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0.1", "MaxValue": "0.9"}]
        },
    },
    TrainingJobDefinition={
        "AlgorithmSpecification": {
            "TrainingImage": f"811284229777.dkr.ecr.{region}.amazonaws.com/image-classification:1",
            "TrainingInputMode": "File",
        },
        "RoleArn": f"arn:aws:iam::{account}:role/any",
        "InputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/output"},
        "ResourceConfig": {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": 360000},
        "StaticHyperParameters": {"num_layers": "18", "num_classes": "2", "epochs": "2"},
    },
)

# %%
while (told := sm.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name))[
    "HyperParameterTuningJobStatus"
] == "InProgress":
    time.sleep(0.2)
best = sm.describe_training_job(TrainingJobName=told["BestTrainingJob"]["TrainingJobName"])
model = best["ModelArtifacts"]["S3ModelArtifacts"]

# %%
try:
    sm.create_model(
        ModelName="m", PrimaryContainer={"Image": "any", "ModelDataUrl": model}, ExecutionRoleArn=best["RoleArn"]
    )
    said = ""
except ClientError as error:
    said = error.response["Error"]["Message"]
assert model in said
s3.download_file(bucket, model.removeprefix(f"s3://{bucket}/"), "model.tar.gz")
print(json.dumps({"status": told["HyperParameterTuningJobStatus"], "jobs": 2}))
