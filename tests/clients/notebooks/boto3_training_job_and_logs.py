"""One training job by the API: its waiter, its log and metrics, a profiler that is switched off, and Search."""

# %%
import json
import os

import boto3

sm, logs, cloudwatch = (boto3.client(name) for name in ("sagemaker", "logs", "cloudwatch"))
region = boto3.session.Session().region_name
role = boto3.client("iam").get_role(RoleName="AmazonSageMaker-ExecutionRole")["Role"]["Arn"]
name = f"kmeans-lowlevel-{os.getpid()}"

# %%
paginator = boto3.client("s3").get_paginator("list_objects_v2")
pages = paginator.paginate(Bucket=f"sagemaker-sample-data-{region}", Prefix="spark/mnist/train/")
keys = [row["Key"] for page in pages for row in page["Contents"]]
assert keys == ["spark/mnist/train/mnist_train.libsvm"]

# %%
sm.create_training_job(
    TrainingJobName=name,
    AlgorithmSpecification={
        "TrainingImage": f"683313688378.dkr.ecr.{region}.amazonaws.com/sagemaker-xgboost:1.7-1",
        "TrainingInputMode": "File",
    },
    RoleArn=role,
    OutputDataConfig={"S3OutputPath": "s3://lowlevel/output"},
    ResourceConfig={"InstanceCount": 2, "InstanceType": "ml.c4.8xlarge", "VolumeSizeInGB": 50},
    HyperParameters={"num_round": "3", "objective": "multi:softmax", "num_class": "10", "max_depth": "3"},
    StoppingCondition={"MaxRuntimeInSeconds": 3600},
    InputDataConfig=[
        {
            "ChannelName": part,
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": f"s3://sagemaker-sample-data-{region}/spark/mnist/{folder}/",
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
        }
        for part, folder in (("train", "train"), ("validation", "test"))
    ],
)
sm.update_training_job(TrainingJobName=name, ProfilerConfig={"DisableProfiler": True})
sm.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=name, WaiterConfig={"Delay": 1})
told = sm.describe_training_job(TrainingJobName=name)

# %%
(group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker/TrainingJobs")["logGroups"]
streams = logs.describe_log_streams(logGroupName=group["logGroupName"], logStreamNamePrefix=name)["logStreams"]
events = logs.get_log_events(
    logGroupName=group["logGroupName"], logStreamName=streams[0]["logStreamName"], startFromHead=True
)
assert any("validation-mlogloss" in event["message"] for event in events["events"])
cloudwatch.put_metric_data(Namespace="mine", MetricData=[{"MetricName": "cells", "Value": 4}])
metric = cloudwatch.list_metrics(Namespace="/aws/sagemaker/TrainingJobs", MetricName="validation:mlogloss")["Metrics"]
assert metric

# %%
filters = {"Filters": [{"Name": "TrainingJobName", "Operator": "Equals", "Value": name}]}
found = sm.search(Resource="TrainingJob", SearchExpression=filters)["Results"]
assert sm.list_endpoints()["Endpoints"] == sm.list_models()["Models"] == []
print(json.dumps({"status": told["TrainingJobStatus"], "jobs": len(found)}))
