"""SDK 3: a ModelTrainer in script mode is tuned, from uploading the data to reading the analytics."""

import json
import os
import shutil

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode
from sagemaker.train.tuner import HyperparameterTuner

for folder in ("source", "shared"):
    shutil.copytree(folder, "code", dirs_exist_ok=True)
session = Session()
uploaded = session.upload_data(os.environ["FLOW_DATA"], key_prefix="data")
trainer = ModelTrainer(
    training_image="683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
    source_code=SourceCode(source_dir="code", entry_script="train.py"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    hyperparameters={"epochs": 4},
    base_job_name="third",
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    trainer,
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
    base_tuning_job_name="third",
    tags=[{"Key": "team", "Value": "fine"}],
)
tuner.tune(inputs=[InputData(channel_name="train", data_source=uploaded, content_type="text/csv")])

described = tuner.describe()
frame = tuner.analytics().dataframe()
print(
    json.dumps(
        {
            "status": described.hyper_parameter_tuning_job_status,
            "completed": described.training_job_status_counters.completed,
            "best": tuner.best_training_job(),
            "best_summary": described.best_training_job.training_job_name,
            "rows": frame.to_dict("records"),
        },
        default=str,
    )
)
