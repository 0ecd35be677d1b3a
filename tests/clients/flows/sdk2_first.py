"""SDK 2, from uploading the data to attaching to the ended tuning job in another program."""

import json
import os
from pathlib import Path

import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.sklearn import SKLearn
from sagemaker.tuner import CategoricalParameter, ContinuousParameter, HyperparameterTuner, IntegerParameter

session = sagemaker.Session()
bucket = session.default_bucket()
uploaded = session.upload_data(os.environ["FLOW_DATA"], key_prefix="data/train")
estimator = SKLearn(
    "train.py",
    source_dir="source",
    dependencies=["shared/costs.py"],
    framework_version="1.2-1",
    role=sagemaker.get_execution_role(),
    instance_type="ml.m5.large",
    hyperparameters={"epochs": 4},
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    estimator,
    "loss",
    {
        "lr": ContinuousParameter(0.001, 1, scaling_type="Logarithmic"),
        "layers": IntegerParameter(1, 5),
        "optimizer": CategoricalParameter(["adam", "sgd"]),
    },
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    objective_type="Minimize",
    max_jobs=4,
    max_parallel_jobs=2,
    base_tuning_job_name="first",
    tags=[{"Key": "team", "Value": "fine"}],
)
tuner.fit({"train": TrainingInput(uploaded, content_type="text/csv")})

described = tuner.describe()
frame = tuner.analytics().dataframe()
best = tuner.best_estimator()
attached = HyperparameterTuner.attach(tuner.latest_tuning_job.name, sagemaker_session=session)
session.download_data("model", bucket=bucket, key_prefix=best.model_data.removeprefix(f"s3://{bucket}/"))
print(
    json.dumps(
        {
            "bucket": bucket,
            "role": estimator.role,
            "uploaded": uploaded,
            "status": described["HyperParameterTuningJobStatus"],
            "counters": described["TrainingJobStatusCounters"],
            "best": tuner.best_training_job(),
            "best_attached": attached.best_training_job(),
            "best_hyperparameters": best.hyperparameters(),
            "model": best.model_data,
            "downloaded": [path.name for path in Path("model").iterdir()],
            "rows": frame.to_dict("records"),
        },
        default=str,
    )
)
