"""SDK 2: tuning jobs that begin with what others found."""

import json
import os
import time

import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.sklearn import SKLearn
from sagemaker.tuner import (
    ContinuousParameter,
    HyperparameterTuner,
    WarmStartConfig,
    WarmStartTypes,
    create_identical_dataset_and_algorithm_tuner,
    create_transfer_learning_tuner,
)

session = sagemaker.Session(default_bucket="warm")
data = {"train": TrainingInput("file://" + os.environ["FLOW_DATA"])}
ranges = {"lr": ContinuousParameter(0.001, 1)}


def estimator():
    return SKLearn(
        "train.py",
        source_dir="source",
        dependencies=["shared/costs.py"],
        framework_version="1.2-1",
        role="arn:aws:iam::000000000000:role/any",
        instance_type="ml.m5.large",
        hyperparameters={"epochs": 2},
        sagemaker_session=session,
    )


def tuner(name, **words):
    return HyperparameterTuner(
        estimator(),
        "loss",
        ranges,
        metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        objective_type="Minimize",
        max_jobs=3,
        max_parallel_jobs=2,
        base_tuning_job_name=name,
        **words,
    )


parent = tuner("parent")
parent.fit(data)
name = parent.latest_tuning_job.name
config = WarmStartConfig(WarmStartTypes.IDENTICAL_DATA_AND_ALGORITHM, parents={name})
children = {
    "config": tuner("config", warm_start_config=config),
    "identical": parent.identical_dataset_and_algorithm_tuner(),
    "transfer": parent.transfer_learning_tuner(estimator=estimator()),
    "identical_by_name": create_identical_dataset_and_algorithm_tuner(name, sagemaker_session=session),
    "transfer_by_name": create_transfer_learning_tuner(name, estimator=estimator(), sagemaker_session=session),
}
for kind, child in children.items():
    child.base_tuning_job_name = kind.replace("_", "-")
    child.fit(data, wait=False)
while any(each.describe()["HyperParameterTuningJobStatus"] == "InProgress" for each in children.values()):
    time.sleep(0.2)
attached = HyperparameterTuner.attach(children["config"].latest_tuning_job.name, sagemaker_session=session)
print(
    json.dumps(
        {
            "parent": parent.describe(),
            "children": {kind: child.describe() for kind, child in children.items()},
            "attached_parents": sorted(attached.warm_start_config.parents),
        },
        default=str,
    )
)
