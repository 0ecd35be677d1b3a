"""Targeted direct marketing with XGBoost: download, one-hot encode, tune for the area under the curve, analyse."""

# %%
import json
import zipfile

import boto3
import pandas as pd
import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter

region = boto3.Session().region_name
session = sagemaker.Session()
bucket = session.default_bucket()
prefix = "sagemaker/DEMO-hpo-xgboost-dm"
role = sagemaker.get_execution_role()

# %%
key = "autopilot/direct_marketing/bank-additional.zip"
boto3.client("s3").download_file("sagemaker-sample-data-us-west-2", key, "bank-additional.zip")
with zipfile.ZipFile("bank-additional.zip") as archive:
    archive.extractall()
data = pd.read_csv("bank-additional/bank-additional-full.csv")

# %%
data["no_previous_contact"] = (data["pdays"] == 999).astype(int)
model_data = pd.get_dummies(data)
model_data = model_data.drop(columns=["duration", "emp.var.rate", "euribor3m", "nr.employed", "y_no"])
model_data = pd.concat([model_data.pop("y_yes"), model_data], axis=1)
shuffled = model_data.sample(frac=1, random_state=1729)
shuffled[:700].to_csv("train.csv", index=False, header=False)
shuffled[700:900].to_csv("validation.csv", index=False, header=False)
for name in ("train", "validation"):
    boto3.Session().resource("s3").Bucket(bucket).Object(f"{prefix}/{name}/{name}.csv").upload_file(f"{name}.csv")

# %%
xgb = sagemaker.estimator.Estimator(
    sagemaker.image_uris.retrieve("xgboost", region, "1.5-1"),
    role,
    instance_count=1,
    instance_type="ml.m4.xlarge",
    output_path=f"s3://{bucket}/{prefix}/output",
    sagemaker_session=session,
)
xgb.set_hyperparameters(
    eval_metric="auc", objective="binary:logistic", num_round=10, rate_drop=0.3, tweedie_variance_power=1.4
)
tuner = HyperparameterTuner(
    xgb,
    "validation:auc",
    {
        "eta": ContinuousParameter(0, 1),
        "min_child_weight": ContinuousParameter(1, 10),
        "alpha": ContinuousParameter(0, 2),
        "max_depth": IntegerParameter(1, 10),
    },
    max_jobs=3,
    max_parallel_jobs=3,
    base_tuning_job_name="sdk2-direct-marketing",
)
inputs = {name: TrainingInput(f"s3://{bucket}/{prefix}/{name}", content_type="csv") for name in ("train", "validation")}
tuner.fit(inputs, include_cls_metadata=False)

# %%
told = boto3.client("sagemaker").describe_hyper_parameter_tuning_job(
    HyperParameterTuningJobName=tuner.latest_tuning_job.job_name
)
best = told["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
frame = sagemaker.HyperparameterTuningJobAnalytics(tuner.latest_tuning_job.job_name).dataframe()
assert best == frame["FinalObjectiveValue"].max() > 0.5
print(json.dumps({"status": told["HyperParameterTuningJobStatus"], "jobs": len(frame)}))
