"""What a training image means on this machine, with and without [images] in alfine.toml."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from alfine import Continuous, Home, InvalidSpec
from alfine.api.job_words import job_request
from alfine.core.read_spec import read_spec
from alfine.programs.algorithms import BUILT_IN
from alfine.programs.images import Container, Images, NoRunner, Script
from alfine.programs.machine import Machine
from alfine.programs.program import program_for
from alfine.store.config import Running

ECR = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
OURS = Script(sys.executable)


@pytest.mark.parametrize(
    "image",
    [
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        f"{ECR}/pytorch-training:2.1-cpu-py310",
        f"{ECR}/tensorflow-training:2.13-cpu-py310",
        f"{ECR}/huggingface-pytorch-training:2.1.0-transformers4.36.0-gpu-py310-cu121-ubuntu20.04",
        f"{ECR}/mxnet-training:1.9-cpu-py38",
        "acme/train:2",
    ],
)
def test_an_image_that_comes_with_a_script_runs_it_on_our_python(image):
    assert Images().find(image, has_script=True) == OURS


@pytest.mark.parametrize(
    ("image", "algorithm"),
    [
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1", "xgboost"),
        ("811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:latest", "xgboost"),
        ("382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1", "linear-learner"),
    ],
)
def test_an_algorithms_image_without_a_script_is_the_built_in_algorithm(image, algorithm):
    assert Images().find(image, has_script=False) == BUILT_IN[algorithm]


def test_a_framework_image_without_a_script_is_refused_even_where_containers_run():
    with pytest.raises(NoRunner, match="sagemaker_program"):
        Images(no_containers=str).find(f"{ECR}/pytorch-training:2.1-cpu-py310", has_script=False)


def test_an_unknown_image_without_a_script_runs_in_a_container_or_not_at_all():
    assert Images(no_containers=str).find("acme/train:2", has_script=False) == Container("acme/train:2")
    with pytest.raises(NoRunner) as refused:
        Images().find("acme/train:2", has_script=False)
    said = str(refused.value)
    assert said.startswith("no runner for image 'acme/train:2'.")
    assert said.endswith("Add it under [images] in alfine.toml.")
    assert "sagemaker-xgboost" in said


def home_with(folder: Path, table: str) -> Home:
    (folder / "alfine.toml").write_text(f"[images]\n{table}\n")
    return Home(folder)


def test_the_table_of_the_file_comes_before_the_built_in_one(tmp_path):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    table = f'"acme/boost:*" = "algorithm:xgboost"\n"*/pytorch-training:*" = "script:{tmp_path}"\n"acme/*" = "container:mine:1"\n[run]\nengine = "no-such-engine"'
    with home_with(tmp_path, table) as home:
        assert home.machine.images.find("acme/boost:3", has_script=False) == BUILT_IN["xgboost"]
        assert home.machine.images.find(f"{ECR}/pytorch-training:2.1-cpu-py310", has_script=True) == Script(str(python))
        with pytest.raises(NoRunner, match="no container engine works here: no-such-engine isn't installed"):
            home.machine.images.find("acme/train:2", has_script=True)
    assert Images({"acme/*": "container:mine:1"}, str).find("acme/a:2", has_script=True) == Container("mine:1")


def test_entries_that_mean_nothing_are_named_all_at_once(tmp_path):
    table = '"a" = "scripts"\n"b" = "algorithm:xgbost"\n"c" = "script:/nowhere/python"\n"d" = "container:"'
    with pytest.raises(InvalidSpec) as refused:
        home_with(tmp_path, table)
    assert [fault.path for fault in refused.value.faults] == [f"[images] {name!r}" for name in "abcd"]
    assert "Did you mean xgboost?" in str(refused.value)
    assert "/nowhere/python" in str(refused.value)


def test_entries_of_the_wrong_type_are_told(tmp_path):
    with pytest.raises(InvalidSpec, match="must be a table of texts"):
        home_with(tmp_path, '"a" = 3')


def test_a_job_runs_its_script_on_the_interpreter_of_its_image(tmp_path):
    script, python = tmp_path / "train.py", tmp_path / "python"
    script.write_text("import os; print('loss=', float(os.environ['MARKED']))")
    python.write_text(f'#!/bin/sh\nMARKED=7 exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    request = job_request(
        name="marked", space={"x": Continuous(0, 1)}, metric="loss", script=script, max_training_jobs=1, warm=False
    )
    request["TrainingJobDefinition"]["AlgorithmSpecification"]["TrainingImage"] = "acme/train:2"
    with home_with(tmp_path, f'"acme/*" = "script:{python}"') as home:
        home.service.create(request)
        home.engine().run("marked")
        assert (
            home.service.describe("marked")["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
            == 7
        )


@pytest.mark.parametrize("words", [{"script": "train.py"}, {"command": ["true"]}])
def test_a_local_program_has_no_image_to_run_in_a_container(tmp_path, words):
    (tmp_path / "train.py").touch()
    words = {key: tmp_path / value if key == "script" else value for key, value in words.items()}
    spec = read_spec(job_request(name="local", space={"x": Continuous(0.0, 1.0)}, **words))
    machine = Machine(images=Images(no_containers=str), running=Running(runner="container"))
    with pytest.raises(InvalidSpec, match="has no image to run in a container. Use sandbox or process"):
        program_for(spec, tmp_path, machine=machine, fetch=False)


def test_a_container_is_refused_a_variable_with_a_line_break():
    request = job_request(name="broken", space={"x": Continuous(0.0, 1.0)}, metric="loss", command=["true"])
    definition = request["TrainingJobDefinition"]
    definition["StaticHyperParameters"] = {}
    definition["AlgorithmSpecification"]["TrainingImage"] = "acme/train:2"
    definition["Environment"] = {"GOOD": "1 = 2", "CERTIFICATE": "BEGIN\nEND"}
    with pytest.raises(InvalidSpec) as refused:
        program_for(
            read_spec(request), Path("/nowhere"), machine=Machine(images=Images(no_containers=str)), fetch=False
        )
    assert [(fault.path, fault.message.partition(",")[0]) for fault in refused.value.faults] == [
        ("TrainingJobDefinition.Environment", "the value of CERTIFICATE contains a line break")
    ]
