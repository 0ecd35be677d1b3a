"""SDK 2: one tuning job over several estimators."""

import json
import os

import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.pytorch import PyTorch
from sagemaker.sklearn import SKLearn
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter

session = sagemaker.Session(default_bucket="several")
shared = {
    "entry_point": "train.py",
    "source_dir": "source",
    "dependencies": ["shared/costs.py"],
    "role": "arn:aws:iam::000000000000:role/any",
    "instance_count": 1,
    "instance_type": "ml.m5.large",
    "sagemaker_session": session,
}
metrics = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
tuner = HyperparameterTuner.create(
    {
        "linear": SKLearn(**shared, framework_version="1.2-1", hyperparameters={"epochs": 2}),
        "deep": PyTorch(**shared, framework_version="2.1", py_version="py310", hyperparameters={"epochs": 3}),
    },
    {"linear": "loss", "deep": "loss"},
    {
        "linear": {"lr": ContinuousParameter(0.001, 1)},
        "deep": {"lr": ContinuousParameter(0.01, 0.5), "layers": IntegerParameter(1, 4)},
    },
    metric_definitions_dict={"linear": metrics, "deep": metrics},
    objective_type="Minimize",
    max_jobs=6,
    max_parallel_jobs=2,
    base_tuning_job_name="several",
)
data = {"train": TrainingInput("file://" + os.environ["FLOW_DATA"])}
tuner.fit({"linear": data, "deep": data}, estimator_kwargs={}, include_cls_metadata={})
tuner.wait()
attached = HyperparameterTuner.attach(tuner.latest_tuning_job.name, sagemaker_session=session)
frame = tuner.analytics().dataframe()
print(
    json.dumps(
        {
            "told": tuner.describe(),
            "definitions": sorted(frame["TrainingJobDefinitionName"]),
            "best": tuner.best_estimator().latest_training_job.name,
            "attached": sorted(attached.estimator_dict),
        },
        default=str,
    )
)
