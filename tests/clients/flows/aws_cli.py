"""The AWS CLI: every operation of tuning, training, tags, logs, metrics and buckets, with its waiter and its pages."""

import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

AWS = str(Path(sys.executable).with_name("aws"))


def aws(*words):
    done = subprocess.run([AWS, *words, "--output", "json"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"aws {' '.join(words)}: {done.stderr}")
    return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[", '"')) else done.stdout


def sagemaker(*words):
    return aws("sagemaker", *words)


def ended(name):
    """There is no waiter of tuning jobs, neither here nor on AWS."""
    while True:
        told = sagemaker("describe-hyper-parameter-tuning-job", "--hyper-parameter-tuning-job-name", name)
        if told["HyperParameterTuningJobStatus"] not in ("InProgress", "Stopping"):
            return told
        time.sleep(0.5)


with tarfile.open("sourcedir.tar.gz", "w:gz") as archive:
    archive.add("source/train.py", "train.py")
    archive.add("shared/costs.py", "costs.py")
aws("s3", "mb", "s3://of-the-cli")
aws("s3", "cp", "sourcedir.tar.gz", "s3://of-the-cli/code/")
aws("s3", "sync", os.environ["FLOW_DATA"], "s3://of-the-cli/data")

config = {
    "Strategy": "Random",
    "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
    "ResourceLimits": {"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 2},
    "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "lr", "MinValue": "0.01", "MaxValue": "1"}]},
}
definition = {
    "StaticHyperParameters": {
        "epochs": "2",
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": "s3://of-the-cli/code/sourcedir.tar.gz",
    },
    "AlgorithmSpecification": {
        "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    },
    "RoleArn": "arn:aws:iam::000000000000:role/any",
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://of-the-cli/data"}},
        }
    ],
    "OutputDataConfig": {"S3OutputPath": "s3://of-the-cli/models"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 600},
}
Path("config.json").write_text(json.dumps(config))
Path("definition.json").write_text(json.dumps(definition))
slow = definition | {"StaticHyperParameters": definition["StaticHyperParameters"] | {"pause": "60"}}
Path("slow.json").write_text(json.dumps(slow))


def create(name, definition, *words):
    files = ("--hyper-parameter-tuning-job-config", "file://config.json", "--training-job-definition", definition)
    return sagemaker("create-hyper-parameter-tuning-job", "--hyper-parameter-tuning-job-name", name, *files, *words)


arn = create("of-the-cli", "file://definition.json", "--tags", "Key=team,Value=fine")["HyperParameterTuningJobArn"]
told = ended("of-the-cli")
job = ("--hyper-parameter-tuning-job-name", "of-the-cli")
pages = sagemaker("list-training-jobs-for-hyper-parameter-tuning-job", *job, "--page-size", "2")
best = told["BestTrainingJob"]["TrainingJobName"]
sagemaker("wait", "training-job-completed-or-stopped", "--training-job-name", best)
training = sagemaker("describe-training-job", "--training-job-name", best)
listed = sagemaker("list-training-jobs", "--name-contains", "of-the-cli", "--page-size", "2", "--max-items", "4")
tuning = sagemaker("list-hyper-parameter-tuning-jobs", "--name-contains", "of-the-cli", "--page-size", "1")
sagemaker("add-tags", "--resource-arn", arn, "--tags", "Key=kind,Value=test")
sagemaker("delete-tags", "--resource-arn", arn, "--tag-keys", "team")
tags = sagemaker("list-tags", "--resource-arn", arn)["Tags"]

group = ("--log-group-name", "/aws/sagemaker/TrainingJobs")
streams = aws("logs", "describe-log-streams", *group, "--log-stream-name-prefix", f"{best}/")["logStreams"]
events = aws("logs", "get-log-events", *group, "--log-stream-name", streams[0]["logStreamName"], "--start-from-head")
found = aws("logs", "filter-log-events", *group, "--log-stream-name-prefix", f"{best}/", "--filter-pattern", "loss")
metrics = aws("cloudwatch", "list-metrics", "--namespace", "/aws/sagemaker/TrainingJobs", "--metric-name", "loss")

create("of-the-cli-stopped", "file://slow.json")
stopping = ("--hyper-parameter-tuning-job-name", "of-the-cli-stopped")
while not (
    running := sagemaker("list-training-jobs-for-hyper-parameter-tuning-job", *stopping)["TrainingJobSummaries"]
):
    time.sleep(0.2)
sagemaker("stop-training-job", "--training-job-name", running[0]["TrainingJobName"])
sagemaker("wait", "training-job-completed-or-stopped", "--training-job-name", running[0]["TrainingJobName"])
sagemaker("stop-hyper-parameter-tuning-job", *stopping)
stopped = ended("of-the-cli-stopped")
sagemaker("delete-hyper-parameter-tuning-job", *stopping)
gone = subprocess.run(
    [AWS, "sagemaker", "describe-hyper-parameter-tuning-job", *stopping], capture_output=True, text=True, check=False
)
aws("s3", "cp", training["ModelArtifacts"]["S3ModelArtifacts"], "model.tar.gz")
with tarfile.open("model.tar.gz") as archive:
    names = archive.getnames()
print(
    json.dumps(
        {
            "told": told,
            "training_jobs": [row["TrainingJobName"] for row in pages["TrainingJobSummaries"]],
            "best": training["TrainingJobName"],
            "status": training["TrainingJobStatus"],
            "listed": len(listed["TrainingJobSummaries"]),
            "more": "NextToken" in listed,
            "tuning_jobs": [row["HyperParameterTuningJobName"] for row in tuning["HyperParameterTuningJobSummaries"]],
            "tags": tags,
            "lines": [event["message"] for event in events["events"]],
            "found": len(found["events"]),
            "metrics": [each["Dimensions"][0]["Value"] for each in metrics["Metrics"]],
            "stopped": stopped["HyperParameterTuningJobStatus"],
            "stopped_training_job": running[0]["TrainingJobName"],
            "gone": gone.stderr,
            "model": names,
        }
    )
)
