"""Stand-ins for modules of SageMaker's containers, as scripts import them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alfine.programs.stand_ins import FOLDER
from tests.missing import package


def run(program: str, *, behind: Path | None = None, **variables: str) -> list[str]:
    """What a Python with the stand-ins on its path prints; behind: another folder on the path."""
    path = os.pathsep.join(map(str, filter(None, (FOLDER, behind))))
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_environment_is_that_of_the_training_job():
    told = '{"hosts": ["algo-1"], "hyperparameters": {"lr": 0.1}, "is_master": true, "model_dir": "/opt/ml/model"}'
    program = """
import sagemaker_containers
from sagemaker_containers.beta.framework import content_types, encoders, env, modules, transformer, worker
from sagemaker_training import environment
one, other = environment.Environment(), sagemaker_containers.training_env()
print(one.hosts, other["hyperparameters"], one.is_main, dict(one) == dict(other), one.to_cmd_args())
print(hasattr(one, "none"), encoders.decode(b"1,2", content_types.CSV).tolist(), worker.Response("a").status)
"""
    assert run(program, SM_TRAINING_ENV=told, SM_USER_ARGS='["--lr", "0.1"]') == [
        "['algo-1'] {'lr': 0.1} True True ['--lr', '0.1']",
        "False [1.0, 2.0] 200",
    ]


def test_the_xgboost_container_reads_channels_and_its_debugger_is_silent(tmp_path):
    package("xgboost")
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "a.csv").write_text("1,2,3\n0,5,6\n")
    (tmp_path / "lib.txt").write_text("1 0:2 2:3\n0 1:5\n")
    (tmp_path / "none").mkdir()
    program = f"""
import xgboost
from sagemaker_xgboost_container import distributed, encoder
from sagemaker_xgboost_container.data_utils import get_dmatrix
from smdebug import SaveConfig
from smdebug.xgboost import Hook
data = get_dmatrix({str(tmp_path / "csv")!r}, "text/csv; label_size=1")
sparse = get_dmatrix({str(tmp_path / "lib.txt")!r}, "libsvm")
print(data.num_col(), data.get_label().tolist(), sparse.num_row(), get_dmatrix({str(tmp_path / "none")!r}, "csv"))
print(encoder.csv_to_dmatrix("1,2").num_col(), encoder.libsvm_to_dmatrix("1 0:2 2:3").num_col())
hook = Hook(out_dir="/none", save_config=SaveConfig(save_interval=1), train_data=data)
def train(is_master, rounds):
    hook.set_mode("train")
    print(is_master, xgboost.train({{}}, data, rounds, callbacks=[hook]).num_boosted_rounds())
arguments = {{"hosts": ["algo-2", "algo-1"], "include_in_training": True, "update_rabit_args": True}}
for host in arguments["hosts"]:
    distributed.rabit_run(exec_fun=train, args={{"rounds": 3}}, current_host=host, **arguments)
"""
    assert run(program) == [
        "2 [1.0, 0.0] 2 None",
        "2 3",
        "algo-2 doesn't train: here the first of 2 hosts trains alone.",
        "True 3",
    ]


def test_hooks_of_pytorch_do_nothing_and_return_what_they_wrap():
    program = """
import smdebug.pytorch as smd
from smdebug.core.modes import ModeKeys
hook = smd.Hook.create_from_json_file()
hook.register_module("model"); hook.set_mode(smd.modes.TRAIN)
print(hook.wrap_optimizer("sgd"), smd.modes is ModeKeys, bool(smd.get_hook(create_if_not_exists=True)))
"""
    assert run(program) == ["sgd True True"]


@pytest.mark.parametrize(
    "name", ["smdebug", "sagemaker_training", "sagemaker_containers", "sagemaker_xgboost_container"]
)
def test_a_module_that_is_installed_goes_before_its_stand_in(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("real = 1\n")
    (tmp_path / name / "part.py").write_text("")
    assert run(f"import {name}.part\nfrom {name} import real\nprint(real)", behind=tmp_path) == ["1"]
