"""An image means a program of this machine: bring-your-own-container jobs without a container engine, by boto3 on a live server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alfine.core.errors import InvalidSpec
from alfine.programs.images import Images
from tests.aws.conftest import Served
from tests.aws.test_built_in import final_metrics, finished, log_of, request

REGISTRY = "811284229777.dkr.ecr.us-east-1.amazonaws.com"
PROGRAM = """
import json, os, sys, settings
hyperparameters = json.load(open(os.path.join(os.environ["SAGEMAKER_BASE_DIR"], "input/config/hyperparameters.json")))
print("arguments", sys.argv[1:], os.listdir(os.environ["SM_CHANNEL_TRAIN"]))
print("accuracy=", settings.WORTH * float(hyperparameters["eta"]), sep="")
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    (home / "train").mkdir()
    (home / "train" / "main.py").write_text(PROGRAM)
    (home / "train" / "settings.py").write_text("WORTH = 1\n")
    metrics = '{ "validation:accuracy" = "accuracy=([0-9.]+)" }'
    (home / "alfine.toml").write_text(
        '[run]\nengine = "/nowhere/docker"\n[images]\n'
        f'"*/image-classification:*" = {{ command = "python train/main.py", metrics = {metrics} }}\n'
        f'"acme/*" = {{ command = "python train/main.py --more 1", folder = "train", metrics = {metrics} }}\n'
    )
    server = Served(home)
    yield server
    server.end()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train", "validation"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_text("")
    return tmp_path


def test_a_program_runs_in_the_place_of_an_algorithm_and_brings_its_metrics(served, sagemaker, folder):
    image = f"{REGISTRY}/image-classification:1"
    asked = request(
        "pictures", folder, {"epochs": "3"}, metric="validation:accuracy", goal="Maximize", image=image, jobs=2
    )
    best = finished(sagemaker, asked)
    assert final_metrics(best)["validation:accuracy"] == pytest.approx(float(best["HyperParameters"]["eta"]))
    assert best["AlgorithmSpecification"]["MetricDefinitions"][0]["Name"] == "validation:accuracy"


def test_a_command_gets_the_hyperparameters_after_its_own_words(served, sagemaker, folder):
    own = [{"Name": "loss", "Regex": "accuracy=(.*)"}]
    asked = request("acme", folder, {"epochs": "3"}, metric="loss", image="acme/train:2", MetricDefinitions=own)
    best = finished(sagemaker, asked)
    (line,) = [line for line in log_of(served, best["TrainingJobName"]) if line.startswith("arguments")]
    assert line.startswith("arguments ['--more', '1', '--epochs', '3', '--eta',")
    assert line.endswith("['a.jpg']")
    assert {*final_metrics(best)} == {"loss", "validation:accuracy"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "None must be a command, such as"),
        ({"command": "python 'a"}, "must be a command, such as"),
        ({"command": "python none.py"}, "none of the words of 'python none.py' is a file"),
        ({"command": "python train.py"}, "lies beside alfine.toml"),
        ({"command": "python code/a.py", "folder": "other"}, "code/a.py doesn't lie in"),
        ({"command": "python code/a.py", "folder": 3}, "folder: 3 must be a text"),
        ({"command": "python code/a.py", "metric": {}}, "there is no 'metric' here. Did you mean metrics?"),
        ({"command": "python code/a.py", "metrics": {"loss": "loss"}}, "metrics loss"),
        ({"command": "python code/a.py", "metrics": {"loss": 3}}, "must be a table: the name of each metric"),
    ],
)
def test_a_wrong_entry_is_refused(tmp_path, entry: dict[str, Any], message):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text("")
    (tmp_path / "train.py").write_text("")
    (tmp_path / "alfine.toml").write_text("")
    with pytest.raises(InvalidSpec) as error:
        Images({"acme/*": entry}, base=tmp_path)
    assert message in str(error.value)
