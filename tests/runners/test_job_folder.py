"""What a training job finds around it."""

import json
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from alfine.runners.executor import LocalChannel, LocalLaunch
from alfine.runners.job_environment import arguments, environment, host_environment, user_hyperparameters
from alfine.runners.job_folder import Workspace, hosts_of, lay_out
from alfine.runners.packing import pack_model


@pytest.fixture
def launch(tmp_path: Path) -> LocalLaunch:
    source = tmp_path / "source"
    (source / "package").mkdir(parents=True)
    (source / "train.py").write_text("pass")
    (tmp_path / "train.csv").write_text("1,2\n")
    (tmp_path / "images").mkdir()
    channels = (
        LocalChannel(name="train", path=tmp_path / "train.csv", content_type="text/csv"),
        LocalChannel(name="images", path=tmp_path / "images"),
    )
    hyperparameters = {"lr": "0.1", "kind": '"adam"', "plain": "adam", "_tuning_objective_metric": "rmse"}
    return LocalLaunch(
        name="job-1",
        arn="arn:aws:sagemaker:local:000000000000:training-job/job-1",
        folder=tmp_path / "jobs" / "job-1",
        script=Path("train.py"),
        source_dir=source,
        channels=channels,
        hyperparameters=hyperparameters | {"sagemaker_program": "train.py", "alfine_python": "python3"},
        threads=3,
    )


def read(space: Workspace, name: str):
    return json.loads((space.ml / "input" / "config" / name).read_text())


def test_hyperparameters_are_written_byte_for_byte(launch):
    assert read(lay_out(launch), "hyperparameters.json") == launch.hyperparameters


def test_a_lone_file_becomes_a_folder_with_it(launch):
    assert (lay_out(launch).channel("train") / "train.csv").read_text() == "1,2\n"


def test_a_folder_is_linked(launch):
    assert lay_out(launch).channel("images").is_dir()


def test_channels_are_described(launch):
    train = read(lay_out(launch), "inputdataconfig.json")["train"]
    assert (train["ContentType"], train["TrainingInputMode"]) == ("text/csv", "File")


def test_there_is_one_host(launch):
    config = read(lay_out(launch), "resourceconfig.json")
    assert (config["current_host"], config["hosts"]) == ("algo-1", ["algo-1"])


def test_code_has_a_link_to_each_entry_of_the_source(launch):
    code = lay_out(launch).code
    assert sorted(path.name for path in code.iterdir()) == ["package", "train.py"]
    assert not code.is_symlink()


def test_laying_out_again_changes_nothing(launch):
    lay_out(launch)
    (Workspace(launch.folder).model / "m").write_text("w")
    lay_out(launch)
    assert (Workspace(launch.folder).model / "m").read_text() == "w"


def test_arguments_are_decoded_sorted_and_without_reserved_names(launch):
    assert arguments(launch.hyperparameters) == ["--kind", "adam", "--lr", "0.1", "--plain", "adam"]


@pytest.mark.parametrize(
    ("text", "argument"),
    [("true", "True"), ("1e-05", "1e-05"), ("007", "007"), ('{"a": 1}', "a=1"), ("[1, 2]", "[1, 2]"), ("", "")],
)
def test_arguments_look_as_the_toolkit_makes_them(text, argument):
    assert arguments({"x": text}) == ["--x", argument]


def test_user_hyperparameters_are_decoded():
    assert user_hyperparameters({"epochs": "5", "kind": "adam"}) == {"epochs": 5, "kind": "adam"}


def test_the_environment_names_the_folders(launch):
    env = environment(launch, [], hosts_of(launch)[0])
    ml = launch.folder / "opt" / "ml"
    assert env["SM_MODEL_DIR"] == f"{ml}/model"
    assert env["SM_CHANNEL_TRAIN"] == f"{ml}/input/data/train"
    assert env["SAGEMAKER_BASE_DIR"] == str(ml)
    assert env["SM_HP_KIND"] == "adam"
    assert json.loads(env["SM_HPS"]) == {"kind": "adam", "lr": 0.1, "plain": "adam"}
    assert json.loads(env["SM_CHANNELS"]) == ["images", "train"]
    assert json.loads(env["SM_TRAINING_ENV"])["job_name"] == "job-1"
    assert (env["SM_NUM_CPUS"], env["OMP_NUM_THREADS"]) == ("3", "3")
    assert env["TRAINING_JOB_ARN"] == launch.arn


def test_the_given_environment_wins(launch):
    changed = replace(launch, environment={"SM_NUM_CPUS": "7", "OMP_NUM_THREADS": "9"})
    env = environment(changed, [], hosts_of(changed)[0])
    assert (env["SM_NUM_CPUS"], env["OMP_NUM_THREADS"]) == ("7", "9")


def test_secrets_of_the_host_stay_with_the_host(monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "ALFINE_HOME", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert "secret" not in host_environment().values()
    assert host_environment()["CUDA_VISIBLE_DEVICES"] == "0,1"


@pytest.mark.parametrize(("visible", "count"), [("", "0"), ("-1", "0"), ("0,1", "2")])
def test_visible_gpus_are_counted(launch, monkeypatch, visible, count):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert environment(launch, [], hosts_of(launch)[0])["SM_NUM_GPUS"] == count


def test_the_same_model_gives_the_same_archive(tmp_path):
    archives = []
    for name in ("one", "two"):
        space = Workspace(tmp_path / name)
        (space.model / "sub").mkdir(parents=True)
        (space.model / "sub" / "weights").write_bytes(bytes(1000))
        archives.append(pack_model(space).read_bytes())
    assert archives[0] == archives[1]


def test_an_empty_model_is_an_empty_archive(tmp_path):
    with tarfile.open(pack_model(Workspace(tmp_path))) as archive:
        assert archive.getnames() == []


def test_a_model_is_packed_once(tmp_path):
    space = Workspace(tmp_path)
    first = pack_model(space).stat().st_mtime_ns
    assert pack_model(space).stat().st_mtime_ns == first


def test_the_protocols_import_nothing_but_the_standard_library():
    program = (
        "import sys; before = set(sys.modules)\n"
        "import alfine.runners.executor\n"
        "light = {'alfine', 'alfine._version', 'alfine.runners', *map('alfine.runners.'.__add__, ('executor', 'launch', 'protocol'))}\n"
        "print([n for n in set(sys.modules) - before if n.split('.')[0] not in sys.stdlib_module_names and n not in light])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
