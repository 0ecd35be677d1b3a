"""alfine's sweeper in the real Hydra: `--multirun` until a criterion is met, with failures, and again into the same folder."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_examples import EXAMPLES, run
from tests.missing import of_integration

of_integration("hydra")

APP = str(Path(__file__).with_name("hydra_app.py"))
SPACE = ["rate=tag(log,interval(1e-4,1))", "optimizer=choice(adam,sgd)", "layers=range(1,9,2)"]


def sweep(folder, *overrides):
    """Sweep into a folder, and return what Hydra printed, and how it ended."""
    words = [sys.executable, APP, "--multirun", f"hydra.sweep.dir={folder}/sweep", *overrides]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300)
    return done.stdout + done.stderr, done.returncode


def facts(folder):
    return [json.loads(line) for line in (folder / "sweep/alfine.jsonl").read_text().splitlines()]


def test_a_sweep_ends_by_itself_and_goes_on_after_a_kill(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    printed, status = sweep(whole, *SPACE)
    assert status == 0, printed
    assert "4 of 4 training jobs in a row without improving the best" in printed
    jobs = facts(whole)
    assert 5 <= len(jobs) < 30
    for job in jobs:
        values = job["hyperparameters"]
        assert 1e-4 <= values["rate"] <= 1
        assert values["optimizer"] in ("adam", "sgd")
        assert values["layers"] in (1, 3, 5, 7), "the end of a range is left out"
    best = (whole / "sweep/optimization_results.yaml").read_text()
    assert f"best_value: {min(job['value'] for job in jobs)}" in best
    assert re.search(r"verdict: 4 of 4 training jobs", best)
    assert f"rate={jobs[3]['hyperparameters']['rate']}" in (whole / "sweep/3/.hydra/overrides.yaml").read_text()

    assert sweep(killed, *SPACE, "fail=killed")[1] != 0
    assert len(facts(killed)) == 4
    with (killed / "sweep/alfine.jsonl").open("a") as file:
        file.write('{"hyperparameters": {"ra')  # cut off by a crash
    printed, status = sweep(killed, *SPACE)
    assert status == 0, printed
    assert "Going on after the 4 jobs" in printed
    assert facts(killed) == jobs, "as if it hadn't been killed"


def test_failed_jobs_are_told_and_batches_are_given_to_the_launcher(tmp_path):
    printed, status = sweep(
        tmp_path, *SPACE, "fail=some", "hydra.sweeper.max_parallel=3", "hydra.sweeper.max_training_jobs=7"
    )
    assert status == 0, printed
    assert printed.count("Launching 3 jobs locally") == 2
    failed = [job for job in facts(tmp_path) if "failed" in job]
    assert failed
    assert all(job["failed"] == "ValueError: too large" for job in failed)
    assert {job["hyperparameters"]["optimizer"] for job in failed} == {"sgd"}


def test_the_search_space_may_be_in_the_settings(tmp_path):
    params = "+hydra.sweeper.params={rate: 'interval(0,1)', layers: 'int(interval(1,4))', optimizer: 'adam'}"
    printed, status = sweep(
        tmp_path, params, "optimizer=sgd", "hydra.sweeper.max_training_jobs=2", "hydra.sweeper.strategy=Random"
    )
    assert status == 0, printed
    assert all(set(job["hyperparameters"]) == {"rate", "layers"} for job in facts(tmp_path))
    assert "optimizer=sgd" in (tmp_path / "sweep/1/.hydra/overrides.yaml").read_text(), "the command line wins"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["rate=0.5"], "there is nothing to search. Give a hyperparameter a range"),
        (["rate=interval(1,0)"], "rate: low 1.0 must be below high 0.0. Swap them."),
        (["rate=tag(log,interval(0,1))"], "rate: low 0.0 can't be scaled Logarithmic"),
        (["rate=range(3,3)"], "rate=range(3,3): the range has no values."),
        ([SPACE[0], "hydra.sweeper.criteria=Convergence"], "'Convergence' isn't one. Did you mean"),
        ([SPACE[0], "fail=nothing"], "the task function returned None. It must return the objective as a number."),
        ([SPACE[0], "fail=all"], "none of the first 5 jobs succeeded. The last one: ValueError: too large"),
    ],
)
def test_bad_input_gets_a_sentence(overrides, message, tmp_path):
    printed, status = sweep(tmp_path, *overrides)
    assert status != 0
    assert message in printed
    assert "Traceback" not in printed


def test_a_folder_of_another_sweep_is_refused(tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep/alfine.jsonl").write_text('{"hyperparameters": {"width": 3}, "value": 1.0}\n')
    printed, status = sweep(tmp_path, SPACE[0])
    assert status != 0
    assert re.search(r"(?s)alfine.jsonl, line 1: .*width.* Sweep into another folder: hydra.sweep.dir=", printed)


def test_the_example_runs(tmp_path):
    printed = run(tmp_path, str(EXAMPLES / "hydra/train.py"), "--multirun")
    assert re.search(r"Best: job \d+, 0\.", printed)
