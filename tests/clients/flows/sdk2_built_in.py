"""SDK 2: the built-in XGBoost, by its image, on CSV data; its metrics are implied."""

import json
import random
import statistics
import tarfile
from pathlib import Path

import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter

session = sagemaker.Session(default_bucket="built-in")
draws = random.Random(1)
labels = []
for channel in ("train", "validation"):
    rows = [[draws.uniform(-1, 1) for _ in range(3)] for _ in range(200)]
    labels = [3 * row[0] + row[1] ** 2 for row in rows]
    lines = [",".join(map(str, [label, *row])) for label, row in zip(labels, rows, strict=True)]
    Path(f"{channel}.csv").write_text("\n".join(lines) + "\n")
    session.upload_data(f"{channel}.csv", key_prefix=channel)
estimator = Estimator(
    sagemaker.image_uris.retrieve("xgboost", "us-east-1", version="1.7-1"),
    role="arn:aws:iam::000000000000:role/any",
    instance_count=1,
    instance_type="ml.m5.large",
    output_path="s3://built-in/models",
    hyperparameters={"num_round": 30, "objective": "reg:squarederror"},
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    estimator,
    "validation:rmse",
    {"eta": ContinuousParameter(0.1, 0.5), "max_depth": IntegerParameter(2, 5)},
    objective_type="Minimize",
    max_jobs=4,
    max_parallel_jobs=2,
    base_tuning_job_name="built-in",
)
tuner.fit({name: TrainingInput(f"s3://built-in/{name}", content_type="csv") for name in ("train", "validation")})
best = tuner.best_estimator()
session.download_data("model", bucket="built-in", key_prefix=best.model_data.removeprefix("s3://built-in/"))
with tarfile.open("model/model.tar.gz") as archive:
    files = archive.getnames()
frame = tuner.analytics().dataframe()
told = {"told": tuner.describe(), "columns": sorted(frame.columns), "files": files, "spread": statistics.stdev(labels)}
print(json.dumps(told, default=str))
