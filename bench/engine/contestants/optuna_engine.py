"""Optuna with random sampling, in memory and on SQLite; scripts run by `subprocess.run` in the objective, as its users do."""

import os
import time

import optuna
from common import Call, function, run_script

optuna.logging.set_verbosity(optuna.logging.WARNING)


def suggest(trial):
    return {
        "x": trial.suggest_float("x", 0, 1),
        "y": trial.suggest_float("y", 0, 1),
        "k": trial.suggest_int("k", 1, 10),
    }


def main():
    call = Call()
    sqlite = os.environ.get("SQLITE") == "1"
    ended = []

    def objective(trial):
        hyperparameters = suggest(trial)
        return run_script(call.script, hyperparameters) if call.runs_script else function(hyperparameters)

    with call:
        storage = f"sqlite:///{call.folder}/optuna.db" if sqlite else None
        study = optuna.create_study(study_name="bench", storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))
        if call.case == "ask_tell":
            for _ in range(call.jobs):
                trial = study.ask()
                study.tell(trial, function(suggest(trial)))
                ended.append(time.time())
        else:
            study.optimize(
                objective,
                n_trials=call.jobs,
                n_jobs=call.parallel,
                callbacks=[lambda _study, _trial: ended.append(time.time())],
            )
    call.answer(ended)


main()
