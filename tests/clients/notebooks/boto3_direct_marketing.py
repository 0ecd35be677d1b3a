"""The same by SageMaker's API: a request as a dictionary, polled, its training jobs in the order of their metric."""

# %%
import json
import os
import time

import boto3

region = boto3.Session().region_name
smclient = boto3.Session().client("sagemaker")
account = boto3.client("sts").get_caller_identity()["Account"]
role = boto3.client("iam").list_roles()["Roles"][0]["Arn"]
bucket = f"sagemaker-{region}-{account}"

# %%
s3 = boto3.client("s3")
s3.create_bucket(Bucket=bucket)
for part in ("train", "validation"):
    source = {"Bucket": f"jumpstart-cache-prod-{region}", "Key": f"training-datasets/tabular_binary/{part}/data.csv"}
    s3.copy_object(Bucket=bucket, Key=f"api/{part}/data.csv", CopySource=source)

# %%
name = f"xgboost-tuningjob-{os.getpid()}"
ranges = {
    "CategoricalParameterRanges": [],
    "ContinuousParameterRanges": [
        {"Name": "eta", "MinValue": "0", "MaxValue": "1"},
        {"Name": "alpha", "MinValue": "0", "MaxValue": "2"},
        {"Name": "min_child_weight", "MinValue": "1", "MaxValue": "10"},
    ],
    "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "1", "MaxValue": "10"}],
}
config = {
    "ParameterRanges": ranges,
    "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
    "Strategy": "Bayesian",
    "HyperParameterTuningJobObjective": {"MetricName": "validation:auc", "Type": "Maximize"},
}


def channel(part):
    where = {
        "S3DataType": "S3Prefix",
        "S3Uri": f"s3://{bucket}/api/{part}",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {
        "ChannelName": part,
        "CompressionType": "None",
        "ContentType": "csv",
        "DataSource": {"S3DataSource": where},
    }


definition = {
    "AlgorithmSpecification": {
        "TrainingImage": f"811284229777.dkr.ecr.{region}.amazonaws.com/xgboost:1",
        "TrainingInputMode": "File",
    },
    "InputDataConfig": [channel("train"), channel("validation")],
    "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/api/output"},
    "ResourceConfig": {"InstanceCount": 2, "InstanceType": "ml.c4.2xlarge", "VolumeSizeInGB": 10},
    "RoleArn": role,
    "StaticHyperParameters": {
        "eval_metric": "auc",
        "num_round": "10",
        "objective": "binary:logistic",
        "rate_drop": "0.3",
    },
    "StoppingCondition": {"MaxRuntimeInSeconds": 43200},
}
smclient.create_hyper_parameter_tuning_job(
    HyperParameterTuningJobName=name, HyperParameterTuningJobConfig=config, TrainingJobDefinition=definition
)

# %%
while True:
    told = smclient.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    if told["HyperParameterTuningJobStatus"] not in ("InProgress", "Stopping"):
        break
    time.sleep(0.2)
rows = smclient.list_training_jobs_for_hyper_parameter_tuning_job(
    HyperParameterTuningJobName=name, SortBy="FinalObjectiveMetricValue", SortOrder="Descending"
)["TrainingJobSummaries"]
assert rows[0]["TrainingJobName"] == told["BestTrainingJob"]["TrainingJobName"]
print(json.dumps({"status": told["HyperParameterTuningJobStatus"], "jobs": len(rows)}))
