"""SDK 2's local mode with alfine's session: everything in this process and on this disk."""

import contextlib
import json
import os
import shutil
import signal
import threading
import time

from sagemaker.inputs import TrainingInput
from sagemaker.sklearn import SKLearn
from sagemaker.tuner import (
    CategoricalParameter,
    ContinuousParameter,
    HyperparameterTuner,
    TuningJobCompletionCriteriaConfig,
)

from alfine.sagemaker import LocalSession

shutil.copytree("shared", "source", dirs_exist_ok=True)  # local mode runs the folder as it lies, dependencies beside it
session = LocalSession(home="home")


def estimator(**hyperparameters):
    return SKLearn(
        "train.py",
        source_dir="source",
        framework_version="1.2-1",
        role="trainer",
        instance_type="local",
        hyperparameters=hyperparameters,
        sagemaker_session=session,
    )


tuner = HyperparameterTuner(
    estimator(epochs=4),
    "loss",
    {"lr": ContinuousParameter(0.001, 1), "optimizer": CategoricalParameter(["adam", "sgd"])},
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    objective_type="Minimize",
    max_jobs=20,
    max_parallel_jobs=2,
    base_tuning_job_name="local",
    completion_criteria_config=TuningJobCompletionCriteriaConfig(target_objective_metric_value=0.9),
)
tuner.fit({"train": "file://data", "more": TrainingInput("file://data/more")})
described = tuner.describe()
attached = HyperparameterTuner.attach(tuner.latest_tuning_job.name, sagemaker_session=session)
best = tuner.best_estimator()

slow = HyperparameterTuner(
    estimator(epochs=3, pause=60),
    "loss",
    {"lr": ContinuousParameter(0.001, 1)},
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    objective_type="Minimize",
    max_jobs=4,
    base_tuning_job_name="slow",
)
slow.fit({"train": "file://data"}, wait=False)


def press_ctrl_c():
    while not slow.describe()["ObjectiveStatusCounters"]["Pending"]:
        time.sleep(0.1)
    time.sleep(1)  # the main thread waits by now
    os.kill(os.getpid(), signal.SIGINT)


def interrupted(wait):
    try:
        wait()
    except KeyboardInterrupt:
        return True
    return False


threading.Thread(target=press_ctrl_c).start()
pressed = interrupted(slow.wait)


class Finalized:
    """Python drops what is raised in here."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


class Pressing:
    """A terminal at which Ctrl-C is pressed once, while a finalizer runs: at the first sign that a job is waited for."""

    written = ""

    def write(self, text):
        if not self.written:
            Finalized()
        self.written += text

    def flush(self):
        pass


dropped = HyperparameterTuner(
    estimator(epochs=3, pause=60),
    "loss",
    {"lr": ContinuousParameter(0.001, 1)},
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    objective_type="Minimize",
    max_jobs=4,
    base_tuning_job_name="dropped",
)
dropped.fit({"train": "file://data"}, wait=False)
with contextlib.redirect_stdout(Pressing()):
    heard = interrupted(dropped.wait)

one = estimator(epochs=3, pause=60, lr=0.1)
session.sagemaker_client.meta.events.register(
    "after-call.sagemaker.CreateTrainingJob", lambda **_: signal.raise_signal(signal.SIGINT)
)
one.fit({"train": "file://data"})  # it swallows the KeyboardInterrupt
(summary,) = session.sagemaker_client.list_training_jobs(NameContains="scikit-learn")["TrainingJobSummaries"]
print(
    json.dumps(
        {
            "status": described["HyperParameterTuningJobStatus"],
            "completed": described["TrainingJobStatusCounters"]["Completed"],
            "objective": described["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"],
            "best": tuner.best_training_job(),
            "attached": attached.best_training_job(),
            "model": best.model_data,
            "pressed": pressed,
            "slow": slow.describe()["HyperParameterTuningJobStatus"],
            "heard": heard,
            "dropped": dropped.describe()["HyperParameterTuningJobStatus"],
            "one": summary["TrainingJobStatus"],
            "rows": len(tuner.analytics().dataframe()),
        }
    )
)
