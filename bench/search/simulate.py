"""Simulates a search of training jobs that report one final value. `python bench/play.py search` plays it.

The search is asynchronous: as soon as one of the `parallel` training jobs ends (after the seconds its task says it took), the
contestant hears its value and is asked again. `regret` is that of the best configuration seen so far by the values the
contestant was told, at its noise-free value, after each ended training job; `cpu` the seconds of CPU that each question took,
with what the contestant did on hearing a value.
"""

from __future__ import annotations

import heapq
import json
import time

import numpy as np


def search(make, subject, seed: int, jobs: int, parallel: int):
    contestant = make(subject.space, seed, jobs, parallel)
    rng = np.random.default_rng((seed, 12345))
    running, told, clock, launched = [], [], 0.0, 0
    regret, cpu, seen, best = [], [], {}, (np.inf, np.nan)
    while len(told) < jobs:
        while len(running) < parallel and launched < jobs:
            began = time.process_time()
            handle, configuration = contestant.ask()
            cpu.append(time.process_time() - began)
            if configuration is None:
                launched = jobs  # a finite space is used up
                break
            value, seconds = subject.evaluate(configuration, rng)
            heapq.heappush(running, (clock + seconds, launched, handle, configuration, value))
            key = json.dumps(configuration, sort_keys=True)
            seen[key] = seen.get(key, 0) + 1
            launched += 1
        if not running:
            break
        clock, number, handle, configuration, value = heapq.heappop(running)
        began = time.process_time()
        contestant.tell(handle, value)
        cpu[min(number, len(cpu) - 1)] += time.process_time() - began
        told.append(value)
        if value < best[0]:
            best = (value, subject.regret(subject.truth(configuration)))
        regret.append(best[1])
    regret += [regret[-1]] * (jobs - len(regret))
    return {
        "regret": [float(f"{r:.5g}") for r in regret],
        "cpu": [float(f"{c:.3g}") for c in cpu],
        "repeated": sum(seen.values()) - len(seen),
    }
