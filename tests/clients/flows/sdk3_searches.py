"""SDK 3: every strategy and every way to end a tuning job, side by side; one of them is stopped."""

import json
import os
import shutil
import time

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter
from sagemaker.core.shapes import (
    BestObjectiveNotImproving,
    ConvergenceDetected,
    HyperbandStrategyConfig,
    HyperParameterTuningJobStrategyConfig,
    TuningJobCompletionCriteria,
)
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, SourceCode
from sagemaker.train.tuner import HyperparameterTuner

for folder in ("source", "shared"):
    shutil.copytree(folder, "code", dirs_exist_ok=True)
session = Session(default_bucket="third-searches")


def tuner(name, ranges=None, epochs=2, pause=0.0, **words):
    trainer = ModelTrainer(
        training_image="763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1-cpu-py310",
        source_code=SourceCode(source_dir="code", entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        role="arn:aws:iam::000000000000:role/any",
        hyperparameters={"epochs": epochs, "pause": pause},
        base_job_name=name,
        sagemaker_session=session,
    )
    return HyperparameterTuner(
        trainer,
        "loss",
        ranges or {"lr": ContinuousParameter(0.001, 1)},
        metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        objective_type="Minimize",
        base_tuning_job_name=name,
        **{"max_parallel_jobs": 2, "max_jobs": 6, **words},
    )


narrow = {"lr": ContinuousParameter(0.1, 0.1001)}
grid = {"lr": CategoricalParameter(["0.1", "0.5"]), "optimizer": CategoricalParameter(["adam", "sgd"])}
plateau = BestObjectiveNotImproving(max_number_of_training_jobs_not_improving=3)
converged = ConvergenceDetected(complete_on_convergence="Enabled")
hyperband = HyperbandStrategyConfig(min_resource=1, max_resource=9)
tuners = {
    "random3": tuner("random3", strategy="Random", random_seed=7),
    "bayesian3": tuner("bayesian3", strategy="Bayesian", early_stopping_type="Auto"),
    "grid3": tuner("grid3", ranges=grid, strategy="Grid", max_jobs=4),
    "hyperband3": tuner(
        "hyperband3",
        strategy="Hyperband",
        strategy_config=HyperParameterTuningJobStrategyConfig(hyperband_strategy_config=hyperband),
        epochs=9,
    ),
    "target3": tuner(
        "target3",
        max_jobs=50,
        completion_criteria_config=TuningJobCompletionCriteria(target_objective_metric_value=0.9),
    ),
    "plateau3": tuner(
        "plateau3",
        ranges=narrow,
        max_jobs=50,
        completion_criteria_config=TuningJobCompletionCriteria(best_objective_not_improving=plateau),
    ),
    "converged3": tuner(
        "converged3",
        ranges=narrow,
        max_jobs=100,
        completion_criteria_config=TuningJobCompletionCriteria(convergence_detected=converged),
    ),
    "runtime3": tuner("runtime3", max_jobs=3, max_runtime_in_seconds=1200),
    "stopped3": tuner("stopped3", epochs=3, pause=60),
}
for each in tuners.values():
    each.tune(inputs={"train": "file://" + os.environ["FLOW_DATA"]}, wait=False)
while not tuners["stopped3"].describe().objective_status_counters.pending:
    time.sleep(0.1)
tuners["stopped3"].stop_tuning_job()
while any(each.describe().hyper_parameter_tuning_job_status in ("InProgress", "Stopping") for each in tuners.values()):
    time.sleep(0.2)
tuners["stopped3"].wait()
told = {name: each.describe() for name, each in tuners.items()}
print(
    json.dumps(
        {
            name: {
                "status": each.hyper_parameter_tuning_job_status,
                "strategy": each.hyper_parameter_tuning_job_config.strategy,
                "ended": each.training_job_status_counters.completed + each.training_job_status_counters.stopped,
                "failed": each.training_job_status_counters.non_retryable_error,
            }
            for name, each in told.items()
        }
    )
)
