"""Run a tuning job that is tracked: HOME TRACKER COUNT ENDING, for tests that kill it. After ENDING training jobs each one waits for the kill."""

import itertools
import sys
import threading

import alfine

home, tracker, count, ending = sys.argv[1:]
trainings = itertools.count(1)


def objective(hyperparameters, report):
    waits = next(trainings) > int(ending)
    for epoch in range(4):
        if waits and epoch == 2:
            threading.Event().wait()
        report(epoch, 1 / (epoch + 1) + hyperparameters["x"])
    return hyperparameters["x"]


if __name__ == "__main__":
    alfine.tune(
        objective,
        {"x": alfine.Continuous(0, 1), "kind": alfine.Categorical(["a", "b"])},
        max_training_jobs=int(count),
        criteria=["BestObjectiveNotImproving 100"],
        name="tracked",
        seed=1,
        home=home,
        track=tracker,
        progress=False,
    )
