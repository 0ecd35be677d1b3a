"""What AWS's public notebooks do, cell by cell, unpatched, led to alfine by `eval "$(alfine client)"` alone.

Each file of notebooks/ is written as those notebooks are and knows nothing of alfine. Its last line tells how its last job ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alfine.cli.notebook_report import check_notebook
from alfine.jobs.home import Home
from alfine.programs.samples import buckets
from tests.aws.conftest import Served
from tests.missing import package

NOTEBOOKS = sorted((Path(__file__).parent / "notebooks").glob("*.py"))
SETTINGS = """
[run]
engine = "/nowhere/docker"
[images]
"*/image-classification:*" = { command = "python programs/main.py", metrics = { "validation:accuracy" = "accuracy=([0-9.]+)" } }
"*/sagemaker-decision-trees:*" = { command = "python programs/trees.py" }
"""
PROGRAMS = {
    "main.py": "import sys\nwords = dict(zip(sys.argv[1::2], sys.argv[2::2]))\nprint('accuracy=' + words['--learning_rate'])\n",
    "trees.py": "import json, os\nbase = os.environ['SAGEMAKER_BASE_DIR']\n"
    "given = json.load(open(base + '/input/config/hyperparameters.json'))\nprint('score:', 2 * float(given['depth'].strip('\"')))\n",
}
STOPPED = {"boto3_stop_search_and_clean_up": ("Stopped", 0)}
JOBS = {
    "boto3_direct_marketing": 4,
    "boto3_image_classification": 2,
    "boto3_training_job_and_logs": 1,
    "boto3_warm_start_and_grid": 4,
    "sdk2_distributed_abalone": 4,
    "sdk2_kmeans_and_knn": 2,
    "sdk2_linear_learner_mnist": 2,
    "sdk2_own_container": 2,
    "sdk2_xgboost_script": 2,
    "sdk3_script": 4,
}
"""How many training jobs the last tuning job has; 3 where nothing is said."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a home that has programs in the place of two images."""
    home = tmp_path_factory.mktemp("home")
    (home / "programs").mkdir()
    for name, text in PROGRAMS.items():
        (home / "programs" / name).write_text(text)
    (home / "alfine.toml").write_text(SETTINGS)
    return home


@pytest.fixture(scope="module")
def served(place: Path) -> Iterator[Served]:
    """A server whose home has the stand-ins for AWS's data sets, too."""
    package("xgboost")
    server = Served(place, signed=True)
    server.cli("samples")
    yield server
    server.end()


@pytest.mark.clients
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_its_first_cell_to_its_last(flow, notebook):
    environment = "sdk3" if notebook.stem.startswith("sdk3") else "sdk2"
    told = flow(environment, f"../notebooks/{notebook.name}")
    expected = STOPPED.get(notebook.stem, ("Completed", JOBS.get(notebook.stem, 3)))
    assert (told["status"], told["jobs"]) == expected


def test_what_is_said_of_them_before_they_run_is_that_all_cells_will_be_answered(place):
    for bucket in buckets("us-east-1"):
        (place / "buckets" / bucket).mkdir(parents=True, exist_ok=True)
    with Home(place) as home:
        told = {path.stem: check_notebook(path, home) for path in NOTEBOOKS}
    refused = {
        (name, verdict.use.name)
        for name, cells in told.items()
        for cell in cells
        for verdict in cell.verdicts
        if verdict.answered is False
    }
    assert len(told) >= 15
    assert refused == {("boto3_image_classification", "sagemaker:CreateModel")}  # which it expects
