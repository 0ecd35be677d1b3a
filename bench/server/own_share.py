"""alfine's own share of the time of a tuning job as AWS's notebooks create it: built-in XGBoost, data in a bucket, by boto3.

    python bench/server/own_share.py [--jobs 8] [--parallel 2] [--rounds 100] [--rows 40000]

It starts a fresh server, creates two tuning jobs one after the other, and prints how long each took and how much of that nothing trained.

The share is 1 - (training time on the critical path) / (time from the job's creation to its end). The critical path is the chain of training
jobs that the end waited for: from the one that ended last back to the one whose end made room for it, and so on to the first. So the share
has everything that alfine adds: the first start with its imports, what lies between an end and the next start, and what follows the last end
(packing, upload, the record). Training time is what Describe says: from a training job's process to its end.

On a busy machine the times of all processes stretch. `CPU` is the server's own CPU time, which doesn't.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import numpy as np

FEATURES = 50
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
KEYS = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Trained:
    """A training job: seconds since the tuning job's creation at which it was launched, began and ended."""

    launched: float
    began: float
    ended: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=100, help="boosting rounds of each training job")
    parser.add_argument("--rows", type=int, default=40_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "alfine", "serve", "--open", "--port", "0", "--home", home]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = re.search(r"http://\S+", server.stdout.readline())[0]
            upload(url, options.rows)
            print(
                "| tuning job | seconds | training on its critical path | alfine's share | before the first start | between | after the last end | CPU |"
            )
            print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
            for name in ("first", "second"):
                measure(url, name, options, server.pid)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def upload(url: str, rows: int) -> None:
    """Put random data of two classes into a bucket, as CSV with the label first."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(rows, FEATURES))
    label = (features @ rng.normal(size=FEATURES) + 3 * rng.normal(size=rows) > 0).astype(int)
    s3 = boto3.client("s3", endpoint_url=url, **KEYS)
    s3.create_bucket(Bucket="data")
    cut = rows * 4 // 5
    for part, chosen in (("train", slice(cut)), ("validation", slice(cut, None))):
        lines = (
            ",".join([str(one), *(f"{value:.5f}" for value in row)])
            for one, row in zip(label[chosen], features[chosen], strict=True)
        )
        s3.put_object(Bucket="data", Key=f"{part}/part.csv", Body="\n".join(lines).encode())


def measure(url: str, name: str, options: argparse.Namespace, server: int) -> None:
    """Run a tuning job, and print its row."""
    sagemaker = boto3.client("sagemaker", endpoint_url=url, **KEYS)
    cpu = cpu_seconds(server)
    sagemaker.create_hyper_parameter_tuning_job(**request(name, options))
    while (told := sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name))[
        "HyperParameterTuningJobStatus"
    ] == "InProgress":
        time.sleep(LOOK_SECONDS)
    cpu = cpu_seconds(server) - cpu
    begin = told["CreationTime"]
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    rows = [
        trained(row, begin)
        for page in pages.paginate(HyperParameterTuningJobName=name)
        for row in page["TrainingJobSummaries"]
    ]
    wall = (told["HyperParameterTuningEndTime"] - begin).total_seconds()
    path = critical_path(rows)
    training = sum(one.ended - one.began for one in path)
    first, last = path[0].began, wall - path[-1].ended
    between = wall - training - first - last
    print(
        f"| {name} ({told['HyperParameterTuningJobStatus']}) | {wall:.2f} | {training:.2f} | {100 * (1 - training / wall):.1f} % "
        f"| {first:.2f} | {between:.2f} | {last:.2f} | {cpu:.2f} |",
        flush=True,
    )


def trained(row: dict[str, Any], begin: datetime) -> Trained:
    times = (row[key] for key in ("CreationTime", "TrainingStartTime", "TrainingEndTime"))
    return Trained(*((at - begin).total_seconds() for at in times))


def critical_path(rows: list[Trained]) -> list[Trained]:
    """Return the training jobs that the end waited for, in the order in which they ran."""
    path = [max(rows, key=lambda row: row.ended)]
    while before := [row for row in rows if row.ended <= path[0].launched]:
        path.insert(0, max(before, key=lambda row: row.ended))
    return path


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process itself, without its children's."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def request(name: str, options: argparse.Namespace) -> dict[str, Any]:
    channels = [
        {
            "ChannelName": part,
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://data/{part}"}},
        }
        for part in ("train", "validation")
    ]
    ranges = {
        "ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.05", "MaxValue": "0.5"}],
        "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "3", "MaxValue": "8"}],
    }
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:auc"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": options.jobs, "MaxParallelTrainingJobs": options.parallel},
            "ParameterRanges": ranges,
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "RoleArn": "arn:aws:iam::000000000000:role/any",
            "StaticHyperParameters": {"num_round": str(options.rounds), "objective": "binary:logistic", "nthread": "1"},
            "InputDataConfig": channels,
            "OutputDataConfig": {"S3OutputPath": "s3://data/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    }


if __name__ == "__main__":
    main()
