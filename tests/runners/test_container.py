"""Training jobs in containers, by whatever engine works here."""

import json
import os
import signal
import tarfile

import pytest

from alfine.runners.container import ContainerEngine, engine_of
from alfine.runners.job_folder import Workspace
from alfine.runners.protocol import LocalChannel
from tests.runners.engines import test_engine

WAITING = "trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
DEAF = "trap '' TERM; echo ready; while :; do sleep 0.05; done"


def run(container, program: str, **settings):
    environment = {"PROGRAM": program, **settings.pop("environment", {})}
    return container.see_out(container.launch(environment=environment, **settings))


def running(container, program: str, **settings):
    launch = container.launch(environment={"PROGRAM": program}, **settings)
    container.runner.start(launch)
    container.until_line(launch, "ready")
    return launch


def containers(launch) -> bool:
    """Whether the engine knows a container of the training job."""
    engine = test_engine()[0]
    name = json.loads((launch.folder / ".alfine" / "launch.json").read_text())["processes"][0]["kill"][-1]
    return engine.tell("container", "inspect", name)


@pytest.mark.parametrize(
    ("settings", "called"),
    [
        ({}, "(entry) called with: train"),
        ({"arguments": ("a", "b")}, "(entry) called with: a b"),
        ({"entrypoint": ("/bin/other", "x")}, "(other) called with: x"),
        ({"entrypoint": ("/bin/other", "x"), "arguments": ("y",)}, "(other) called with: x y"),
    ],
)
def test_the_image_is_started_as_sagemaker_starts_it(container, settings, called):
    assert run(container, "", **settings)[1] == [f"train {called}"]


def test_the_contract_is_mounted_at_opt_ml(container, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("1,2\n")
    program = "cat input/config/hyperparameters.json; echo; cat input/data/train/train.csv; echo w > model/weights; echo $TRAINING_JOB_NAME"
    channel = LocalChannel(name="train", path=tmp_path / "data")
    last, lines = run(container, program, hyperparameters={"lr": "0.1"}, channels=(channel,))
    assert last.exit.succeeded
    assert lines[1:] == ['{"lr": "0.1"}', "1,2", "job-1"]
    with tarfile.open(Workspace(container.launch().folder).archive) as archive:
        assert archive.getnames() == ["weights"]


def test_inputs_are_read_only(container, tmp_path):
    (tmp_path / "train.csv").write_text("1,2\n")
    channel = LocalChannel(name="train", path=tmp_path / "train.csv")
    last, _ = run(container, "echo 3 >> input/data/train/train.csv", channels=(channel,))
    assert last.exit.code != 0
    assert (tmp_path / "train.csv").read_text() == "1,2\n"


def test_values_of_the_environment_stand_in_no_command_line(container):
    _, lines = run(container, 'echo "$TOKEN $PATH"', environment={"TOKEN": "s3cret", "PATH": "/bin"})
    assert lines[-1] == "s3cret /bin"
    argv = json.loads((container.launch().folder / ".alfine" / "launch.json").read_text())["processes"][0]["argv"]
    assert "s3cret" not in " ".join(argv)


def test_its_end_comes_through_and_it_is_removed_afterwards(container):
    last, _ = run(container, "echo 'no such column' > output/failure; exit 3")
    assert last.exit.reason() == "AlgorithmError: no such column, exit code: 3"
    container.until_true(lambda: not containers(container.launch()))


def test_sigterm_reaches_it_and_its_grace_holds(container):
    launch = running(container, WAITING)
    container.runner.stop(launch)
    last, lines = container.wait(launch)
    assert (last.exit.cause, last.exit.code, lines[1:]) == ("stopped", 0, ["ready", "saved"])


def test_one_deaf_to_sigterm_is_killed_after_its_grace(container):
    launch = running(container, DEAF, grace_seconds=0.2)
    container.runner.stop(launch)
    last, _ = container.wait(launch)
    assert (last.exit.cause, last.exit.signal) == ("stopped", signal.SIGKILL)
    container.until_true(lambda: not containers(launch))


def test_it_outlives_alfine_and_is_found_again(container):
    launch = running(container, WAITING)
    container.runner.close()
    container.renew().start(launch)
    container.runner.stop(launch)
    last, lines = container.wait(launch)
    assert (last.exit.cause, lines.count("ready")) == ("stopped", 1)


def test_what_a_killed_launcher_leaves_is_ended(container):
    launch = running(container, DEAF)
    record = json.loads((launch.folder / ".alfine" / "process.json").read_text())
    os.kill(record["launcher"], signal.SIGKILL)
    last, _ = container.wait(launch)
    assert last.exit.cause == "lost"
    assert not containers(launch)


def test_an_image_that_is_not_there_is_no_fault_of_the_training_program(container):
    last, _ = run(container, "", image="localhost/alfine-tests/no-such-image:1")
    assert last.exit.cause == "not_started"
    assert last.exit.reason().startswith("The container couldn't be started: ")


def test_hosts_are_containers_with_one_model(container):
    program = "read -r config < input/config/resourceconfig.json; echo $config; touch model/$(cat /etc/hostname)"
    last, lines = run(container, program, instance_count=2)
    assert last.exit.succeeded, lines
    configs = [json.loads(line) for line in lines if line.startswith("{")]
    assert sorted(config["current_host"] for config in configs) == ["algo-1", "algo-2"]
    with tarfile.open(Workspace(container.launch().folder).archive) as archive:
        assert sorted(archive.getnames()) == ["algo-1", "algo-2"]


def test_without_an_engine_it_says_so():
    assert engine_of("no-such-engine") == (None, "no-such-engine isn't installed.")


def test_an_engine_that_hangs_or_fails_is_no_engine(tmp_path):
    broken = tmp_path / "docker"
    broken.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    broken.chmod(0o755)
    engine, reason = engine_of(str(broken))
    assert engine is None
    assert "Cannot connect to the Docker daemon" in reason


def test_podman_is_told_from_docker():
    assert (ContainerEngine("/usr/bin/podman").is_podman, ContainerEngine("/usr/bin/docker").is_podman) == (True, False)
