"""SDK 2: ranges that the service finds by itself."""

import json
import os

import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.sklearn import SKLearn
from sagemaker.tuner import HyperparameterTuner

session = sagemaker.Session(default_bucket="autotune")
estimator = SKLearn(
    "train.py",
    source_dir="source",
    dependencies=["shared/costs.py"],
    framework_version="1.2-1",
    role="arn:aws:iam::000000000000:role/any",
    instance_type="ml.m5.large",
    hyperparameters={"epochs": 2, "lr": 0.2, "layers": 2},
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    estimator,
    "loss",
    None,
    autotune=True,
    hyperparameters_to_keep_static=["epochs"],
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    objective_type="Minimize",
    max_jobs=4,
    max_parallel_jobs=2,
    base_tuning_job_name="autotune",
)
tuner.fit({"train": TrainingInput("file://" + os.environ["FLOW_DATA"])})
frame = tuner.analytics().dataframe()
print(json.dumps({"told": tuner.describe(), "columns": sorted(frame.columns)}, default=str))
