"""The programs in examples/ run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.missing import missing, package

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_SECONDS = 180.0


def run(folder, *words):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ALFINE_"))}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**environment, "ALFINE_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("replay.py", r"ConvergenceDetected: \d+ training jobs"),
        ("ask_tell.py", r"Best: training job \d+, rmse 5\d\."),
        ("sklearn_search.py", r"candidates: .+\nBest: .+ accuracy 0\.9\d+"),
        ("function.py", r"Completed after \d+ training jobs"),
    ],
)
def test_a_program_runs(name, printed, tmp_path):
    package("sklearn")
    assert re.search(printed, run(tmp_path, str(EXAMPLES / name)))


def test_a_study_of_optuna_ends_by_itself(tmp_path):
    package("optuna")
    printed = run(tmp_path, str(EXAMPLES / "optuna_study.py"))
    assert re.search(r"Stopped after \d\d of 100 trials: .+\nBest: rmse 5\d\.", printed)


def test_an_experiment_of_ray_tune_ends_by_itself(tmp_path):
    pytest.importorskip("ray.tune", reason="pip install 'ray[tune]'", exc_type=ImportError)
    printed = run(tmp_path, str(EXAMPLES / "ray_tune.py"))
    assert re.search(r"\d+ of 60 trials: ", printed)


def test_weak_models_of_xgboost_are_stopped(tmp_path):
    package("xgboost")
    printed = run(tmp_path, str(EXAMPLES / "xgboost_callback.py"))
    assert re.search(r"\d+ of \d+ training jobs were stopped early", printed)


def test_the_job_file_runs(tmp_path):
    package("xgboost")
    printed = run(tmp_path, "-m", "alfine", "tune", str(EXAMPLES / "job_file/xgboost.yaml"), "--dry-run")
    assert "validation:rmse" in printed


@pytest.mark.parametrize(
    ("name", "tool", "package_of_debian"), [("shell", "awk", "mawk"), ("r", "Rscript", "r-base-core")]
)
def test_a_script_of_another_language_is_tuned(name, tool, package_of_debian, tmp_path):
    if shutil.which(tool) is None:
        missing(tool, f"apt-get install {package_of_debian}")
    job = str(EXAMPLES / name / f"{name}.yaml")
    printed = run(tmp_path, "-m", "alfine", "tune", job, "--max-training-jobs", "3", "--quiet")
    assert re.search(r"training jobs +3 of at most 3: 3 completed", printed)


def test_a_script_in_julia_is_tuned(tmp_path):
    if shutil.which("julia") is None:
        pytest.skip("Julia is neither in Debian nor on PyPI: install it from julialang.org to test examples/julia.")
    printed = run(tmp_path, "-m", "alfine", "tune", str(EXAMPLES / "julia/julia.yaml"), "--max-training-jobs", "3")
    assert re.search(r"training jobs +3 of at most 3", printed)


def test_when_to_stop_compares_three_criteria_and_draws_them(tmp_path):
    package("xgboost")
    printed = run(tmp_path, str(EXAMPLES / "when_to_stop/run.py"), "--max-training-jobs", "3")
    assert len(re.findall(r"^\([abc]\) \w+", printed, re.MULTILINE)) >= 3
    assert {file.name for file in (tmp_path / "when-to-stop").glob("when-to-stop.*")} == {
        "when-to-stop.html",
        "when-to-stop.png",
    }
