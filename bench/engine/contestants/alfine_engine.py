"""alfine: `alfine.tune` on scripts (cold, warm) and functions (SQLite), and the in-memory Tuner."""

import os
import time

from common import EXTRA, SCRIPT_PYTHON, Call, function

import alfine
import alfine.api.tune

SPACE = {"x": alfine.Continuous(0, 1), "y": alfine.Continuous(0, 1), "k": alfine.Integer(1, 10)}


def main():
    call = Call()
    if call.case == "ask_tell":
        tuner = alfine.Tuner(SPACE, strategy="Random")
        ended = []
        with call:
            for _ in range(call.jobs):
                training_job = tuner.ask()
                tuner.tell(training_job, function(training_job.hyperparameters))
                ended.append(time.time())
        return call.answer(ended)
    target, settings = function, {}
    if call.case != "function":
        target, settings = (
            call.script,
            {"warm": os.environ.get("WARM") == "1", "python": SCRIPT_PYTHON, "static": EXTRA},
        )
    with call:
        job = alfine.tune(
            target,
            SPACE,
            strategy="Random",
            max_training_jobs=call.jobs,
            max_parallel=call.parallel,
            home=call.folder,
            name="bench",  # called again after a kill -9 it goes on
            progress=False,
            **settings,
        )
    assert {job.status, *(each.status for each in job.training_jobs)} == {"Completed"}, job
    return call.answer([each.ended_at.timestamp() for each in job.training_jobs])


main()
