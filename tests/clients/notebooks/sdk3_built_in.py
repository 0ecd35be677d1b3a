"""SDK 3: a ModelTrainer of the built-in XGBoost, tuned, without a role and without a bucket of its own."""

# %%
import json

import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import ContinuousParameter, IntegerParameter
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig
from sagemaker.train.tuner import HyperparameterTuner

session = Session()
region = boto3.Session().region_name
bucket = session.default_bucket()

# %%
base = f"s3://jumpstart-cache-prod-{region}/training-datasets/tabular_binary"
inputs = [
    InputData(channel_name=part, data_source=f"{base}/{part}", content_type="text/csv")
    for part in ("train", "validation")
]
trainer = ModelTrainer(
    training_image=image_uris.retrieve("xgboost", region, "1.7-1"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/sdk3"),
    hyperparameters={"num_round": "10", "objective": "binary:logistic"},
    base_job_name="sdk3-built-in",
    sagemaker_session=session,
)

# %%
tuner = HyperparameterTuner(
    trainer,
    "validation:auc",
    {"eta": ContinuousParameter(0.1, 0.5), "max_depth": IntegerParameter(2, 6)},
    objective_type="Maximize",
    max_jobs=3,
    max_parallel_jobs=3,
    base_tuning_job_name="sdk3-built-in",
)
tuner.tune(inputs=inputs)
told = tuner.describe()
print(
    json.dumps({"status": told.hyper_parameter_tuning_job_status, "jobs": told.training_job_status_counters.completed})
)
