"""Ray Tune with random search; scripts run by `subprocess.run` in the trainable."""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("RAY_DEDUP_LOGS", "0")
os.environ.setdefault(
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1"
)  # its CSV, JSON and TensorBoard files: the friendly case
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from common import Call, function, run_script
from ray import tune

SPACE = {"x": tune.uniform(0, 1), "y": tune.uniform(0, 1), "k": tune.randint(1, 11)}


class Ends(tune.Callback):
    def __init__(self, ended):
        self.ended = ended

    def on_trial_complete(self, iteration, trials, trial, **info):  # noqa: ARG002 - its protocol
        self.ended.append(time.time())


def main():
    call = Call()
    script, here = call.script, str(Path(__file__).resolve().parent)
    python = os.environ.get("SCRIPT_PYTHON", sys.executable)

    marks = {"MARKS": os.environ["MARKS"]} if "MARKS" in os.environ else {}

    runs_script = call.runs_script

    def trainable(hyperparameters):
        sys.path.insert(0, here)
        if runs_script:
            return {"objective": run_script(script, hyperparameters)}
        return {"objective": function(hyperparameters)}

    ended = []
    with call:
        ray.init(
            num_cpus=call.parallel,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env={"env_vars": {"PYTHONPATH": here, "SCRIPT_PYTHON": python, **marks}},
        )
        tuner = tune.Tuner(
            trainable,
            param_space=SPACE,
            tune_config=tune.TuneConfig(
                metric="objective", mode="min", num_samples=call.jobs, max_concurrent_trials=call.parallel
            ),
            run_config=tune.RunConfig(storage_path=call.folder, verbose=0, callbacks=[Ends(ended)]),
        )
        tuner.fit()
    ray.shutdown()
    call.answer(ended)


main()
