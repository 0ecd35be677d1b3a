"""The headlines of a tuning job are true, and the same on the page, in the list, on the command line, in Python and in REST."""

import itertools
import json
import re
import time
import urllib.request

import pytest

import alfine
from alfine import Continuous, Integer
from alfine.jobs.home import Home


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
    assert f"Best of {repeated.history.ended} training jobs: {shown} (mean of 4 runs), reached after" in page
    layers = json.loads(visitor.get("/console/tuning-jobs/repeated/figures/best-so-far.json").body)["layer"]
    (marked,) = [each["data"]["values"][0]["x"] for each in layers if each["mark"].get("size") == 130]
    assert marked == 1 + [job.number for job in repeated.history.finished].index(best.number)
    assert "MaxNumberOfTrainingJobs: 6 " in page  # where the search ended, not the repeats
    assert shown in visitor.get("/console/?name=repeated").text
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
    told = served.cli("describe", "stopped")
    assert "saved" not in told
    best = rest(served, "tuning-jobs/stopped")["BestTrainingJob"]  # hyperparameters stand as the caller gave them
    assert [*best["TunedHyperParameters"]] == [*space] == ["x", "n"]
    page = visitor.get("/console/tuning-jobs/stopped").text
    assert re.search(r"Hyperparameters x \S+ n \d", page)
    assert re.search(r"search space\s+x .*\n\s+n ", told)
    assert "Training time saved" in visitor.get("/console/tuning-jobs/plateau").text


@pytest.fixture(scope="module")
def odd(served):
    """A job with three at a time, of which some fail for two reasons and one is stopped early."""

    def objective(hyperparameters, report):
        n = hyperparameters["n"]
        if n == 9:
            raise ValueError("n must be below 9, not 9")
        if n > 6:
            raise MemoryError(f"no room for {n} of them")
        while not report(1, float(n)) and n == 6:
            time.sleep(0.01)
        return float(n)

    def asks(job):
        for each in job.training_jobs:
            if each.running and each.hyperparameters["n"] == 6 and each.reports and not each.stop_reason:
                with Home(served.home) as home:
                    home.service.stop_training_job(each.name)

    return alfine.tune(
        objective,
        {"n": Integer(1, 9)},
        metric="loss",
        strategy="Random",
        max_training_jobs=9,
        criteria=["BestObjectiveNotImproving 3"],
        max_parallel=3,
        start_with=[{"n": n} for n in (7, 9, 8, 6, 1, 2, 3, 4, 5)],
        name="odd",
        home=served.home,
        progress=asks,
    )


def test_failures_are_grouped_by_the_last_line_of_their_log(served, visitor, odd):
    page = visitor.get("/console/tuning-jobs/odd").text
    assert "2 × MemoryError: no room for 8 of them latest: odd-" in page
    assert "1 × ValueError: n must be below 9, not 9" in page
    assert rest(served, "tuning-jobs/odd")["Alfine"]["Failures"] == [each.as_dict() for each in odd.failures]
    assert [each.count for each in odd.failures] == [2, 1]
    (failed,) = [job.name for job in odd.training_jobs if job.hyperparameters["n"] == 9]
    page = visitor.get(f"/console/training-jobs/{failed}").text
    assert f"{failed} Failed ValueError: n must be below 9, not 9" in page
    assert "Traceback" in page


def test_a_training_job_has_one_status(served, visitor, odd):
    (stopped,) = [job.name for job in odd.training_jobs if job.hyperparameters["n"] == 6]
    page = visitor.get(f"/console/training-jobs/{stopped}")
    assert re.search(r'<h1>\S+ <span class="status stopped">Stopped by the user</span></h1>', page.body)
    assert "Completed" not in page.text.partition("Timeline")[0]


def test_no_count_exceeds_its_limit(served, visitor, odd):
    """Training jobs that still ran when the criterion was met count on, but not beyond it."""
    assert odd.verdict.evidence["not_improving"] == 3
    assert "3 of 3 training jobs in a row" in visitor.get("/console/tuning-jobs/odd").text


def test_a_job_that_nobody_runs_says_so_and_its_clock_stands_still(served, visitor):
    """A server can't call a function: the job that was extended waits for the program that has it."""
    words = {"metric": "loss", "strategy": "Random", "seed": 1, "home": served.home, "progress": False}
    alfine.tune(lambda h: h["x"], {"x": Continuous(0, 1)}, name="extended", max_training_jobs=3, **words)
    assert "Nobody runs" not in visitor.get("/console/tuning-jobs/extended").text
    alfine.change("extended", home=served.home, max_training_jobs=9)
    seconds = []
    for _ in range(2):
        described = rest(served, "tuning-jobs/extended")
        assert described["Alfine"]["Standstill"].startswith("Nobody runs this job: it tunes the Python function ")
        assert alfine.attach("extended", home=served.home).standstill == described["Alfine"]["Standstill"]
        assert described["Alfine"]["Verdicts"] == []  # they are of the criteria before the change
        page = visitor.get("/console/tuning-jobs/extended").text
        assert "extended Not running Nobody runs this job: " in page
        seconds.append(re.search(r"Runtime (.*?) since", page)[1])
        assert "Not running Nobody runs this job: " in visitor.get("/console/?name=extended").text
    assert seconds[0] == seconds[1]
