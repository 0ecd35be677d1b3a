"""A framework's estimator whose script is written in a cell: metric definitions, categories, hooks of the debugger."""

# %%
import json
import os
from pathlib import Path

import sagemaker
from sagemaker.pytorch import PyTorch
from sagemaker.tuner import CategoricalParameter, ContinuousParameter, HyperparameterTuner

session = sagemaker.Session()
bucket, prefix = session.default_bucket(), "sagemaker/DEMO-pytorch-mnist"
role = sagemaker.get_execution_role()

# %%
Path("mnist.py").write_text(
    """
import argparse, gzip, logging, os, sys
import numpy as np
import sagemaker_containers
import smdebug.pytorch as smd
logger = logging.getLogger(__name__); logger.addHandler(logging.StreamHandler(sys.stdout)); logger.setLevel(logging.DEBUG)
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float); parser.add_argument("--batch-size", type=int); parser.add_argument("--epochs", type=int)
parser.add_argument("--hosts", type=list, default=sagemaker_containers.training_env().hosts)
parser.add_argument("--data-dir", default=os.environ["SM_CHANNEL_TRAINING"])
args = parser.parse_args()
hook = smd.Hook.create_from_json_file(); hook.set_mode(smd.modes.TRAIN)
def read(name, head):
    with gzip.open(os.path.join(args.data_dir, name)) as file:
        return np.frombuffer(file.read()[head:], np.uint8)
x = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784) / 255.0
y = read("train-labels-idx1-ubyte.gz", 8)
w, rng = np.zeros((784, 10)), np.random.default_rng(0)
for epoch in range(args.epochs):
    for rows in np.array_split(rng.permutation(400), max(1, 400 // args.batch_size)):
        p = np.exp(x[rows] @ w); p /= p.sum(1, keepdims=True); p[np.arange(len(rows)), y[rows]] -= 1
        w -= args.lr * x[rows].T @ p / len(rows)
    p = np.exp(x[400:] @ w); p /= p.sum(1, keepdims=True)
    logger.info("Test set: Average loss: {:.4f}, Accuracy: {}\\n".format(-np.log(p[np.arange(100), y[400:]]).mean(), (p.argmax(1) == y[400:]).mean()))
np.save(os.path.join(os.environ["SM_MODEL_DIR"], "model.npy"), w)
"""
)

# %%
for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
    session.boto_session.client("s3").download_file("sagemaker-sample-files", f"datasets/image/MNIST/{name}", name)
    os.makedirs("data", exist_ok=True)
    os.rename(name, f"data/{name}")
inputs = session.upload_data(path="data", bucket=bucket, key_prefix=prefix)

# %%
estimator = PyTorch(
    entry_point="mnist.py",
    role=role,
    py_version="py310",
    framework_version="2.0.1",
    instance_count=1,
    instance_type="ml.c5.2xlarge",
    hyperparameters={"epochs": 6},
)
tuner = HyperparameterTuner(
    estimator,
    "average test loss",
    {"lr": ContinuousParameter(0.01, 0.5), "batch-size": CategoricalParameter([32, 64, 128])},
    [{"Name": "average test loss", "Regex": "Test set: Average loss: ([0-9\\.]+)"}],
    objective_type="Minimize",
    max_jobs=3,
    max_parallel_jobs=3,
    base_tuning_job_name="sdk2-framework-script",
)
tuner.fit({"training": inputs})
told = tuner.describe()
assert told["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] < 1.5
print(
    json.dumps(
        {"status": told["HyperParameterTuningJobStatus"], "jobs": told["TrainingJobStatusCounters"]["Completed"]}
    )
)
