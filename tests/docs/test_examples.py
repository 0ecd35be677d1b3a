"""The programs in examples/ run; test_blocks.py runs those that are one file, together with the pages."""

import re
import shutil
import sys
from pathlib import Path

from tests.docs import running
from tests.missing import missing, package

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(folder, *words):
    return running.run([sys.executable, *words], folder)


TOOLS = {"shell": ("awk", "mawk"), "r": ("Rscript", "r-base-core"), "julia": ("julia", "")}
"""Of each example in another language: the program that runs it, and Debian's package, if there is one."""


def test_job_files_run_also_in_other_languages(tmp_path):
    package("xgboost")
    lines = [["tune", str(EXAMPLES / "job_file/xgboost.yaml"), "--dry-run"]]
    lacking = {name: TOOLS[name] for name in TOOLS if shutil.which(TOOLS[name][0]) is None}
    for name in TOOLS.keys() - lacking.keys():
        job = str(EXAMPLES / name / f"{name}.yaml")
        lines.append(["tune", job, "--max-training-jobs", "3", "--quiet"])
    dry_run, *others = running.run_commands(lines, tmp_path)
    assert "validation:rmse" in dry_run
    assert [re.findall(r"training jobs +(3 of at most 3: 3 completed)", printed) for printed in others] == [
        ["3 of at most 3: 3 completed"]
    ] * len(others)
    for tool, package_of_debian in lacking.values():
        if package_of_debian:
            missing(tool, f"apt-get install {package_of_debian}")
