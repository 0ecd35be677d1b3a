"""SDK 2: a tuning job is attached to while it runs, stopped, and waited for."""

import json
import os
import time

import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.sklearn import SKLearn
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner

session = sagemaker.Session(default_bucket="stopping")
estimator = SKLearn(
    "train.py",
    source_dir="source",
    dependencies=["shared/costs.py"],
    framework_version="1.2-1",
    role="arn:aws:iam::000000000000:role/any",
    instance_type="ml.m5.large",
    hyperparameters={"epochs": 3, "pause": 60},
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    estimator,
    "loss",
    {"lr": ContinuousParameter(0.001, 1)},
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    objective_type="Minimize",
    max_jobs=10,
    base_tuning_job_name="stopping",
)
tuner.fit({"train": TrainingInput("file://" + os.environ["FLOW_DATA"])}, wait=False)
attached = HyperparameterTuner.attach(tuner.latest_tuning_job.name, sagemaker_session=session)
while attached.describe()["ObjectiveStatusCounters"]["Pending"] == 0:
    time.sleep(0.1)
attached.stop_tuning_job()
tuner.wait()
tuner.stop_tuning_job()  # it has ended already: the SDK says so in its log and goes on
print(json.dumps(tuner.describe(), default=str))
