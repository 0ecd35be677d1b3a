"""The headlines of a tuning job are true, and the same on the page, in the list, on the command line, in Python and in REST."""

import itertools
import json
import urllib.request

import pytest

import alfine
from alfine import Continuous, Integer


@pytest.fixture(scope="module")
def repeated(served):
    """A job whose first results were lucky, and whose best configurations were run again: its Job."""
    values = itertools.count()

    def objective(hyperparameters):
        return hyperparameters["x"] + (0 if next(values) < 6 else 1)

    return alfine.tune(
        objective,
        {"x": Continuous(0, 1)},
        metric="loss",
        strategy="Random",
        max_training_jobs=12,
        repeats={"best": 2, "times": 3},
        seed=1,
        name="repeated",
        home=served.home,
        progress=False,
    )


def rest(served, path):
    with urllib.request.urlopen(f"{served.url}/_alfine/{path}") as answer:
        return json.load(answer)


def test_after_repeats_the_mean_is_the_best_objective_everywhere(served, visitor, repeated):
    best = repeated.best
    mean = best.objective + 3 / 4  # the three repeats were worse by 1
    assert repeated.best_objective == pytest.approx(mean)
    shown = f"{mean:.6g}"
    assert f"best {shown} of training job {best.number}" in repr(repeated)
    page = visitor.get("/console/tuning-jobs/repeated").text
    assert f"Best loss {shown} mean of 4 runs" in page
    assert shown in visitor.get("/console/?name=repeated").text
    assert f"loss {shown}" in served.cli("list")
    assert f"loss {shown}  mean of 4 runs" in served.cli("describe", "repeated")
    assert rest(served, "tuning-jobs/repeated")["Alfine"]["BestObjective"] == {"Value": pytest.approx(mean), "Runs": 4}


def test_saved_is_only_what_a_criterion_saved(served, visitor):
    def stopped(hyperparameters):
        if next(numbers) == 3:
            alfine.attach("stopped", home=served.home).stop()
        return hyperparameters["x"]

    space = {"x": Continuous(0, 1), "n": Integer(1, 9)}
    words = {"strategy": "Random", "seed": 1, "home": served.home, "progress": False, "max_training_jobs": 50}
    numbers = itertools.count(1)
    assert alfine.tune(stopped, space, name="stopped", **words).status == "Stopped"
    alfine.tune(lambda h: h["x"], space, name="plateau", criteria=["BestObjectiveNotImproving 3"], **words)
    assert "saved" not in visitor.get("/console/tuning-jobs/stopped").text
    assert "saved" not in served.cli("describe", "stopped")
    assert "Training time saved" in visitor.get("/console/tuning-jobs/plateau").text
    assert "saved" in served.cli("describe", "plateau")
