"""SDK 3: tuning jobs that begin with what another found, and one with Autotune."""

import json
import os
import shutil

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import ContinuousParameter
from sagemaker.core.shapes import HyperParameterTuningJobWarmStartConfig, ParentHyperParameterTuningJob
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, SourceCode
from sagemaker.train.tuner import HyperparameterTuner

for folder in ("source", "shared"):
    shutil.copytree(folder, "code", dirs_exist_ok=True)
session = Session(default_bucket="third-warm")


def tune(name, ranges, hyperparameters, **words):
    trainer = ModelTrainer(
        training_image="763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1-cpu-py310",
        source_code=SourceCode(source_dir="code", entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        role="arn:aws:iam::000000000000:role/any",
        hyperparameters=hyperparameters,
        base_job_name="same",
        sagemaker_session=session,
    )
    tuner = HyperparameterTuner(
        trainer,
        "loss",
        ranges,
        metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        objective_type="Minimize",
        max_jobs=3,
        max_parallel_jobs=2,
        base_tuning_job_name=name,
        **words,
    )
    tuner.tune(inputs={"train": "file://" + os.environ["FLOW_DATA"]})
    return tuner.describe()


ranges = {"lr": ContinuousParameter(0.001, 1)}
parent = tune("parent3", ranges, {"epochs": 2})
warm = {}
for kind in ("IdenticalDataAndAlgorithm", "TransferLearning"):
    names = [ParentHyperParameterTuningJob(hyper_parameter_tuning_job_name=parent.hyper_parameter_tuning_job_name)]
    config = HyperParameterTuningJobWarmStartConfig(parent_hyper_parameter_tuning_jobs=names, warm_start_type=kind)
    warm[kind] = tune(f"{kind[:9].lower()}3", ranges, {"epochs": 2}, warm_start_config=config)
# This SDK sends no names to choose ranges for, and leaves out what isn't kept static, its own names of the script among it.
script = ["sagemaker_program", "sagemaker_submit_directory"]
auto = tune("auto3", ranges, {"epochs": 2}, autotune=True, hyperparameters_to_keep_static=["epochs", *script])
print(
    json.dumps(
        {
            "statuses": [each.hyper_parameter_tuning_job_status for each in (parent, *warm.values(), auto)],
            "kinds": [each.warm_start_config.warm_start_type for each in warm.values()],
            "overall": warm["IdenticalDataAndAlgorithm"].overall_best_training_job.training_job_name,
            "auto": auto.autotune.mode,
        }
    )
)
