"""SDK 2: every strategy and every way to end a tuning job, side by side; one framework estimator each."""

import json
import os
import time

import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.pytorch import PyTorch
from sagemaker.sklearn import SKLearn
from sagemaker.tuner import (
    CategoricalParameter,
    ContinuousParameter,
    HyperbandStrategyConfig,
    HyperparameterTuner,
    StrategyConfig,
    TuningJobCompletionCriteriaConfig,
)
from sagemaker.xgboost import XGBoost

session = sagemaker.Session(default_bucket="searches")
data = {"train": TrainingInput("file://" + os.environ["FLOW_DATA"])}
FRAMEWORKS = {
    "sklearn": (SKLearn, {"framework_version": "1.2-1"}),
    "xgboost": (XGBoost, {"framework_version": "1.7-1"}),
    "pytorch": (PyTorch, {"framework_version": "2.1", "py_version": "py310"}),
}


def tuner(name, framework="sklearn", ranges=None, epochs=2, pause=0.0, **words):
    kind, versions = FRAMEWORKS[framework]
    estimator = kind(
        "train.py",
        source_dir="source",
        dependencies=["shared/costs.py"],
        role="arn:aws:iam::000000000000:role/any",
        instance_count=1,
        instance_type="ml.m5.large",
        hyperparameters={"epochs": epochs, "pause": pause},
        sagemaker_session=session,
        **versions,
    )
    return HyperparameterTuner(
        estimator,
        "loss",
        ranges or {"lr": ContinuousParameter(0.001, 1)},
        metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        objective_type="Minimize",
        base_tuning_job_name=name,
        **{"max_parallel_jobs": 2, "max_jobs": 6, **words},
    )


grid = {"lr": CategoricalParameter(["0.1", "0.5"]), "optimizer": CategoricalParameter(["adam", "sgd"])}
tuners = {
    "random": tuner("random", "xgboost", strategy="Random", random_seed=7),
    "bayesian": tuner("bayesian", "pytorch", strategy="Bayesian", early_stopping_type="Auto"),
    "grid": tuner("grid", ranges=grid, strategy="Grid", max_jobs=4),
    "hyperband": tuner(
        "hyperband",
        strategy="Hyperband",
        strategy_config=StrategyConfig(HyperbandStrategyConfig(max_resource=9, min_resource=1)),
        epochs=9,
    ),
    "target": tuner(
        "target",
        max_jobs=50,
        completion_criteria_config=TuningJobCompletionCriteriaConfig(target_objective_metric_value=0.9),
    ),
    "plateau": tuner(
        "plateau",
        ranges={"lr": ContinuousParameter(0.1, 0.1001)},
        max_jobs=50,
        completion_criteria_config=TuningJobCompletionCriteriaConfig(max_number_of_training_jobs_not_improving=3),
    ),
    "converged": tuner(
        "converged",
        ranges={"lr": ContinuousParameter(0.1, 0.1001)},
        max_jobs=100,
        completion_criteria_config=TuningJobCompletionCriteriaConfig(complete_on_convergence=True),
    ),
    "runtime": tuner("runtime", max_jobs=3, max_runtime_in_seconds=1200),
}
for each in tuners.values():
    each.fit(data, wait=False)
while any(each.describe()["HyperParameterTuningJobStatus"] == "InProgress" for each in tuners.values()):
    time.sleep(0.2)
print(json.dumps({name: each.describe() for name, each in tuners.items()}, default=str))
