"""Bring your own container: an image in the account's registry, whose program writes its metric to the log."""

# %%
import json
from pathlib import Path

import boto3
import sagemaker
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner

role = sagemaker.get_execution_role()
session = sagemaker.Session()
account = boto3.client("sts").get_caller_identity()["Account"]
image = f"{account}.dkr.ecr.{session.boto_region_name}.amazonaws.com/sagemaker-decision-trees:latest"

# %%
Path("data.csv").write_text("1,2\n3,4\n")
uri = session.upload_data("data.csv", key_prefix="own-container/train")

# %%
tree = sagemaker.estimator.Estimator(
    image, role, 1, "ml.c4.2xlarge", output_path=f"s3://{session.default_bucket()}/own", sagemaker_session=session
)
tuner = HyperparameterTuner(
    tree,
    "score",
    {"depth": ContinuousParameter(1, 5)},
    metric_definitions=[{"Name": "score", "Regex": "score: ([0-9.]+)"}],
    max_jobs=2,
    max_parallel_jobs=2,
    base_tuning_job_name="sdk2-own-container",
)
tuner.fit({"training": uri})
frame = tuner.analytics().dataframe()
assert (frame["FinalObjectiveValue"] - 2 * frame["depth"]).abs().max() < 0.01
print(json.dumps({"status": tuner.describe()["HyperParameterTuningJobStatus"], "jobs": len(frame)}))
