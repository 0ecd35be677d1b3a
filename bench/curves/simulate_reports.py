"""Simulates a search of training jobs that report on their way. `python bench/play.py curves` plays it.

Four training jobs at a time on a simulated clock: a report takes the seconds that the task says. Each costs one 27th of a training,
and a search ends when it has spent the cost of 25 trainings. After that of 5, 10, 15, 20 and 25: `full`, the regret of the best
training job that reported all 27 values (1, the median configuration, while there is none), and `any`, that of the best value
reported by any. With noise, added to each report in units of regret, «best» is by what was reported and regret by what it's
worth without. `missed`: training jobs cut short that would have become the best fully trained one by then. `cpu`: seconds of CPU
that the contestant took for an ask, and for a report.
"""

from __future__ import annotations

import heapq
import math
import time

import numpy as np
from curve_tasks import REPORTS

TRAININGS, WORKERS = 25, 4
MARKS = (5, 10, 15, 20, 25)


def search(make, subject, seed: int, noise: float = 0.0):
    contestant = make(subject.space, seed)
    running: list = []  # (when, number, handle, curve, seconds a report, reports so far)
    spent, launched, stopped, missed, clock = 0, 0, 0, 0, 0.0
    asking, reporting = 0.0, 0.0
    best_full, best_any = (subject.median, subject.median), (math.inf, subject.median)  # as reported, and in truth
    full, anywhere = [], []
    while spent < TRAININGS * REPORTS:
        while len(running) < WORKERS:
            began = time.process_time()
            handle, configuration = contestant.ask()
            asking += time.process_time() - began
            if handle is None:
                break
            step = subject.cost(configuration)
            curve = subject.curve(configuration)
            error = noise * (subject.median - subject.least) * _normal(seed, launched)
            reports = [value + float(e) for value, e in zip(curve, error, strict=True)]
            heapq.heappush(running, (clock + step, launched, handle, (reports, curve), step, 0))
            launched += 1
        if not running:
            break
        clock, number, handle, (reports, curve), step, count = heapq.heappop(running)
        count, spent, value, true = count + 1, spent + 1, reports[count], curve[count]
        began = time.process_time()
        stop = contestant.report(handle, count, value)
        best_any = min(best_any, (value, true))
        if count == REPORTS:
            best_full = min(best_full, (value, true))
        if stop or count == REPORTS:
            contestant.tell(handle, value, full=count == REPORTS)
            stopped += count < REPORTS
            missed += count < REPORTS and curve[-1] < best_full[1]
        else:
            heapq.heappush(running, (clock + step, number, handle, (reports, curve), step, count))
        reporting += time.process_time() - began
        if spent % REPORTS == 0 and spent // REPORTS in MARKS:
            full.append(subject.regret(best_full[1]))
            anywhere.append(subject.regret(best_any[1]))
    for each in (full, anywhere):
        each.extend(each[-1:] * (len(MARKS) - len(each)))
    return {
        "full": [float(f"{r:.4g}") for r in full],
        "any": [float(f"{r:.4g}") for r in anywhere],
        "launched": launched,
        "stopped": stopped,
        "missed": missed,
        "cpu": [float(f"{asking / launched:.3g}"), float(f"{reporting / spent:.3g}")],
    }


def _normal(seed: int, number: int):
    """(REPORTS,) the same for every contestant's training job of that number."""
    return np.random.default_rng((seed, number)).standard_normal(REPORTS)
