"""Distributed training with built-in XGBoost on abalone: two instances, sharded data, tuning with open bounds."""

# %%
import json

import boto3
import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter

region = boto3.Session().region_name
role = sagemaker.get_execution_role()
session = sagemaker.Session()
bucket = session.default_bucket()
data_bucket = f"sagemaker-example-files-prod-{region}"

# %%
s3 = boto3.client("s3")
for part in ("train", "validation"):
    s3.download_file(data_bucket, f"datasets/tabular/uci_abalone/{part}/abalone.{part}", f"abalone.{part}")
    s3.upload_file(f"abalone.{part}", bucket, f"abalone/{part}/abalone.{part}")

# %%
estimator = sagemaker.estimator.Estimator(
    sagemaker.image_uris.retrieve("xgboost", region, "1.7-1"),
    role,
    instance_count=2,
    instance_type="ml.m5.2xlarge",
    output_path=f"s3://{bucket}/abalone/output",
    sagemaker_session=session,
    hyperparameters={"objective": "reg:squarederror", "num_round": "20", "verbosity": "2"},
)
inputs = {
    part: TrainingInput(f"s3://{bucket}/abalone/{part}", content_type="libsvm", distribution="ShardedByS3Key")
    for part in ("train", "validation")
}
estimator.fit(inputs, wait=True, logs="None")

# %%
tuner = HyperparameterTuner(
    estimator,
    "validation:rmse",
    {
        "colsample_bytree": ContinuousParameter(0, 1),
        "subsample": ContinuousParameter(0, 1),
        "max_depth": IntegerParameter(0, 10),
    },
    objective_type="Minimize",
    max_jobs=4,
    max_parallel_jobs=2,
    base_tuning_job_name="sdk2-distributed-abalone",
)
tuner.fit(inputs)
told = tuner.describe()
assert told["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] < 5
print(json.dumps({"status": told["HyperParameterTuningJobStatus"], "jobs": 4}))
