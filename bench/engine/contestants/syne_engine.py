"""Syne Tune's LocalBackend with random search, `sleep_time` tuned to 0.05 s (its default is 5 s); scripts print its metric line."""

import logging
import time

from common import EXTRA, SCRIPT_PYTHON, Call
from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend import LocalBackend
from syne_tune.config_space import randint, uniform
from syne_tune.optimizer.baselines import RandomSearch
from syne_tune.tuner_callback import TunerCallback

logging.disable(logging.ERROR)
SPACE = {"x": uniform(0, 1), "y": uniform(0, 1), "k": randint(1, 10)}


class Ends(TunerCallback):
    def __init__(self, ended):
        self.ended = ended

    def on_trial_complete(self, trial, result):  # noqa: ARG002 - its protocol
        self.ended.append(time.time())


def main():
    call = Call()
    ended = []
    with call:
        Tuner(
            trial_backend=LocalBackend(entry_point=call.script, binary=SCRIPT_PYTHON),
            scheduler=RandomSearch(SPACE | EXTRA, metrics=["objective"]),
            stop_criterion=StoppingCriterion(max_num_trials_finished=call.jobs),
            n_workers=call.parallel,
            sleep_time=0.05,
            wait_trial_completion_when_stopping=True,
            callbacks=[Ends(ended)],
            trial_backend_path=call.folder,
            save_tuner=False,
        ).run()
    call.answer(ended[: call.jobs])


main()
