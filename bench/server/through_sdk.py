"""Runs under the SDK's Python: for each line on standard input a tuning job of 20 training jobs, two at a time.

A line is {"name", "script", "runner"}; the answer is the seconds from CreationTime to HyperParameterTuningEndTime.
"""

import json
import sys
import time
from pathlib import Path

import sagemaker
from sagemaker.sklearn import SKLearn
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner

session = sagemaker.Session(default_bucket="bench")
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    script = Path(asked["script"])
    estimator = SKLearn(
        script.name,
        source_dir=str(script.parent),
        framework_version="1.2-1",
        role="arn:aws:iam::000000000000:role/any",
        instance_type="ml.m5.large",
        sagemaker_session=session,
    )
    tuner = HyperparameterTuner(
        estimator,
        "objective",
        {"x": ContinuousParameter(0, 1)},
        metric_definitions=[{"Name": "objective", "Regex": "objective=([0-9.]+)"}],
        strategy="Random",
        max_jobs=20,
        max_parallel_jobs=2,
        tags=[{"Key": "alfine:runner", "Value": asked["runner"]}],
    )
    tuner.fit(job_name=asked["name"], wait=False)
    while (told := tuner.describe())["HyperParameterTuningJobStatus"] == "InProgress":
        time.sleep(0.2)
    assert told["TrainingJobStatusCounters"]["Completed"] == 20, told
    seconds = (told["HyperParameterTuningEndTime"] - told["CreationTime"]).total_seconds()
    print("seconds", seconds, flush=True)
