"""SDK 3: a script that a cell writes, tuned by a metric in its log."""

# %%
import json
from pathlib import Path

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode
from sagemaker.train.tuner import HyperparameterTuner

session = Session()

# %%
Path("code").mkdir(exist_ok=True)
Path("code/train.py").write_text(
    """
import argparse, os
import pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float); parser.add_argument("--kind")
args = parser.parse_args()
rows = [line.split(",") for path in pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]).rglob("*.data") for line in path.read_text().split()]
assert len(rows) == 150, len(rows)
print(f"loss: {(args.lr - 0.3) ** 2 + (args.kind == 'b'):.6f}")
"""
)

# %%
trainer = ModelTrainer(
    training_image="763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.0.0-cpu-py310",
    source_code=SourceCode(source_dir="code", entry_script="train.py"),
    compute=Compute(instance_type="ml.m5.xlarge", instance_count=1),
    hyperparameters={"kind": "a"},
    base_job_name="sdk3-script",
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    trainer,
    "loss",
    {"lr": ContinuousParameter(0.01, 0.9), "kind": CategoricalParameter(["a", "b"])},
    metric_definitions=[{"Name": "loss", "Regex": "loss: ([0-9.]+)"}],
    objective_type="Minimize",
    max_jobs=4,
    max_parallel_jobs=2,
    base_tuning_job_name="sdk3-script",
)
where = f"s3://sagemaker-example-files-prod-{session.boto_region_name}/datasets/tabular/iris"
tuner.tune(inputs=[InputData(channel_name="train", data_source=where)])
told = tuner.describe()
print(
    json.dumps({"status": told.hyper_parameter_tuning_job_status, "jobs": told.training_job_status_counters.completed})
)
