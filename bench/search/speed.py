"""CPU milliseconds of a suggestion by the number of training jobs seen, six hyperparameters, one core: `python bench/search/speed.py`.

Warm: the history grew by one result since the last suggestion, as in a running tuning job; the median of nine. Cold: nothing is
remembered, as after a restart.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
from contestants import Alfine
from tasks import Function, from_unit, hartmann

from alfine.core.history import Launched


def grown(count: int) -> Alfine:
    """A contestant that has seen so many random configurations of Hartmann's function, with noise."""
    task, rng = Function("hartmann_6d"), np.random.default_rng(0)
    contestant = Alfine(task.space, 0, 20_000, 1)
    history = contestant.history
    for number in range(1, count + 1):
        configuration = from_unit(task.space, rng.random(6))
        history.record(Launched(at=contestant.now, number=number, name=str(number), hyperparameters=configuration))
        contestant.tell(number, task.evaluate(configuration)[0] + 0.05 * rng.standard_normal())
    return contestant


def asked(contestant: Alfine) -> float:
    began = time.process_time()
    number, configuration = contestant.ask()
    spent = time.process_time() - began
    contestant.tell(number, hartmann(configuration))
    return 1e3 * spent


if __name__ == "__main__":
    asked(grown(20))  # scipy is imported
    print("training jobs   cold   warm (CPU ms)")
    for count in (25, 50, 100, 200, 500, 1000, 2000, 10_000):
        contestant = grown(count)
        cold = asked(contestant)
        print(f"{count:13,} {cold:6.1f} {statistics.median(asked(contestant) for _ in range(9)):6.1f}", flush=True)
