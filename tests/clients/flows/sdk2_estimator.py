"""SDK 2: one training job by itself, its log followed to the end, its metrics read."""

import json
import os

import sagemaker
from sagemaker.analytics import TrainingJobAnalytics
from sagemaker.inputs import TrainingInput
from sagemaker.sklearn import SKLearn

session = sagemaker.Session(default_bucket="alone")
estimator = SKLearn(
    "train.py",
    source_dir="source",
    dependencies=["shared/costs.py"],
    framework_version="1.2-1",
    role="arn:aws:iam::000000000000:role/any",
    instance_type="ml.m5.large",
    hyperparameters={"epochs": 3, "lr": 0.1},
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    sagemaker_session=session,
)
estimator.fit({"train": TrainingInput("file://" + os.environ["FLOW_DATA"])}, logs="All")
name = estimator.latest_training_job.name
frame = TrainingJobAnalytics(name, ["loss"], sagemaker_session=session).dataframe()
attached = SKLearn.attach(name, sagemaker_session=session)
print(
    json.dumps(
        {
            "told": estimator.latest_training_job.describe(),
            "metrics": list(frame["value"]),
            "model": estimator.model_data,
            "attached": attached.model_data,
        },
        default=str,
    )
)
