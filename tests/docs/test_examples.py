"""The programs in examples/ run."""

import json
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


PROGRAMS = {
    "replay.py": r"ConvergenceDetected: \d+ training jobs",
    "ask_tell.py": r"Best: training job \d+, rmse 5\d\.",
    "sklearn_search.py": r"candidates: .+\nBest: .+ accuracy 0\.9\d+",
    "function.py": r"Completed after \d+ training jobs",
    "optuna_study.py": r"Stopped after \d\d of 100 trials: .+\nBest: rmse 5\d\.",
    "xgboost_callback.py": r"\d+ of \d+ training jobs were stopped early",
}
"""The programs, and what each prints."""

ONE_AFTER_THE_OTHER = """
import contextlib, io, json, os, runpy, sys

start, printed = os.getcwd(), {}
for path in sys.argv[1:]:
    name = os.path.basename(path)
    os.mkdir(name)
    os.chdir(name)
    os.environ["ALFINE_HOME"] = os.path.abspath("home")
    sys.argv = [path]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_path(path, run_name="__main__")
    printed[name] = out.getvalue()
    os.chdir(start)
print(json.dumps(printed))
"""


def test_each_program_runs(tmp_path):
    """In one process, since importing takes longer than most of them; a traceback names the one that failed."""
    for name in ("sklearn", "optuna", "xgboost"):
        package(name)
    told = run(tmp_path, "-c", ONE_AFTER_THE_OTHER, *(str(EXAMPLES / name) for name in PROGRAMS))
    printed = json.loads(told.splitlines()[-1])
    assert {name: text for name, text in printed.items() if not re.search(PROGRAMS[name], text)} == {}
    assert printed.keys() == PROGRAMS.keys()


def test_an_experiment_of_ray_tune_ends_by_itself(tmp_path):
    pytest.importorskip("ray.tune", reason="pip install 'ray[tune]'", exc_type=ImportError)
    printed = run(tmp_path, str(EXAMPLES / "ray_tune.py"))
    assert re.search(r"\d+ of 60 trials: ", printed)


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
