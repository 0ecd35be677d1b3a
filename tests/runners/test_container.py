"""Training jobs in containers, by whatever engine works here."""

import json
import os
import shlex
import signal
import subprocess
import tarfile
from datetime import UTC, datetime
from functools import partial

import pytest

from alfine.jobs.home import Home
from alfine.runners.container import ContainerRunner
from alfine.runners.container_engine import ContainerEngine
from alfine.runners.executor import LocalChannel
from alfine.runners.job_folder import Workspace
from alfine.runners.process import ProcessRunner
from tests.cli.conftest import alfine_cli
from tests.runners.conftest import Bench
from tests.runners.engines import IMAGE, IMAGE_OF_A_USER, networked_engine, test_engine

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


def launched(launch):
    return json.loads((launch.folder / ".alfine" / "launch.json").read_text())["processes"]


def left(launch) -> list[str]:
    """The containers and networks of the training job that the engine knows."""
    engine = test_engine()[0]
    names = [process["kill"][-1] for process in launched(launch)]
    network = names[0].removesuffix("-algo-1")
    found = [name for name in names if engine.tell("container", "inspect", name)]
    return found + ([network] if len(names) > 1 and engine.tell("network", "inspect", network) else [])


@pytest.fixture
def make(tmp_path, image):
    """A function that makes a bench whose engine has these options."""
    benches = []

    def make(*options, engine=None, home=tmp_path):
        engine = engine or test_engine()[0]
        engine = ContainerEngine(engine.command, (*engine.options, *options))
        benches.append(Bench(home, partial(ContainerRunner, engine=lambda: (engine, "")), image=image))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


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
    assert "s3cret" not in json.dumps(launched(container.launch()))


def test_the_environment_reaches_the_container_as_it_is_and_the_engines_client_not_at_all(container):
    odd = {"A": "a b  ", "B": " #x", "C": "$HOME \\n 'q' \"", "D": "", "E": "ä=€", "F": "#"}
    harmful = {
        "CONTAINERS_CONF": "/nowhere",
        "CONTAINER_HOST": "tcp://nowhere",
        "PATH": "/bin:/nowhere",
        "TMPDIR": "/nowhere",
    }
    launch = container.launch(environment={"PROGRAM": "env", **odd, **harmful})
    _, lines = container.see_out(launch)
    assert {name: dict(line.partition("=")[::2] for line in lines)[name] for name in (*odd, *harmful)} == odd | harmful
    assert not {"PROGRAM": "env", **odd, **harmful}.items() & launched(launch)[0]["env"].items()
    assert launched(launch)[0]["env"].get("PATH") != harmful["PATH"]
    assert [path.stat().st_mode & 0o777 for path in (launch.folder / ".alfine").glob("environment.*")] == [0o600]


def test_a_variable_that_no_file_can_carry_is_refused(container):
    last, _ = run(container, "", environment={"KEY": "one\ntwo"})
    assert last.exit.cause == "not_started"
    assert "the value of KEY contains a line break" in last.exit.reason()


def test_isolation_wins_over_a_network_among_the_options(make):
    bench = make("--network=host", "--add-host", "x:1.2.3.4", "--env=KEPT=1")
    _, lines = run(bench, "ls /sys/class/net; echo $KEPT", network=False)
    assert lines[1:] == ["lo", "1"]


def test_an_image_with_a_user_can_write_where_sagemaker_lets_it(container):
    program = "id -u; for place in . model output output/data checkpoints code; do touch $place/file || exit 1; done; cat input/config/*"
    before = os.umask(0o077)
    try:
        last, lines = run(container, program, image=IMAGE_OF_A_USER)
    finally:
        os.umask(before)
    assert (last.exit.code, lines[1]) == (0, "1000"), lines
    assert (container.launch().folder / "opt").stat().st_mode & 0o777 == 0o700


def test_odd_characters_in_paths_do_no_harm(make, tmp_path):
    home = tmp_path / 'a:b,"c"'
    (home / "data:1").mkdir(parents=True)
    (home / "data:1" / "x,y").write_text("1,2\n")
    channel = LocalChannel(name="train", path=home / "data:1")
    _, lines = run(make(home=home), "cat input/data/train/*", channels=(channel,))
    assert lines[1:] == ["1,2"]


def test_links_that_lead_out_of_a_channel_lead_to_their_files(container, tmp_path):
    for name in ("channel/inner", "far/deep", "near"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "near" / "a.csv").write_text("a\n")
    (tmp_path / "far" / "deep" / "b.csv").write_text("b\n")
    (tmp_path / "channel" / "a.csv").symlink_to("../near/a.csv")
    (tmp_path / "channel" / "inner" / "far").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "c.csv").symlink_to(tmp_path / "near" / "a.csv")
    (tmp_path / "channel" / "system").symlink_to("/usr/bin/env")
    (tmp_path / "channel" / "nowhere").symlink_to("/nowhere")
    (tmp_path / "channel" / "itself").symlink_to("itself")
    channel = LocalChannel(name="train", path=tmp_path / "channel")
    _, lines = run(
        container,
        "cd input/data/train; cat a.csv inner/far/deep/b.csv inner/far/c.csv; echo x > a.csv",
        channels=(channel,),
    )
    assert lines[1:4] == ["a", "b", "a"]
    assert (tmp_path / "near" / "a.csv").read_text() == "a\n"


def test_too_many_links_out_of_a_channel_are_refused(container, tmp_path):
    (tmp_path / "channel").mkdir()
    for number in range(1001):
        (tmp_path / f"{number}").touch()
        (tmp_path / "channel" / f"{number}").symlink_to(tmp_path / f"{number}")
    last, _ = run(container, "", channels=(LocalChannel(name="train", path=tmp_path / "channel"),))
    assert "more than 1000 links that lead out of them" in last.exit.reason()


def test_its_end_comes_through_and_it_is_removed_afterwards(container):
    last, _ = run(container, "echo 'no such column' > output/failure; exit 3")
    assert last.exit.reason() == "AlgorithmError: no such column, exit code: 3"
    assert left(container.launch()) == []


@pytest.mark.parametrize("code", [125, 127])
def test_a_programs_own_exit_code_is_told_as_such(container, code):
    last, _ = run(container, f"echo 'Error: no such column'; exit {code}")
    assert last.exit.reason().startswith(f"AlgorithmError: exit code: {code}")


def test_a_program_that_is_not_in_the_image_is_told_as_such(container):
    last, _ = run(container, "", entrypoint=("/bin/nowhere",))
    assert last.exit.cause == "not_started"
    assert last.exit.reason().startswith("The container couldn't be started: ")
    assert left(container.launch()) == []


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
    assert left(launch) == []


def test_one_that_the_kernel_sends_no_sigterm_does_not_take_its_grace(container):
    launch = running(container, "echo ready; while :; do sleep 0.05; done", grace_seconds=600.0)
    container.runner.stop(launch)
    last, _ = container.wait(launch)
    assert (last.exit.cause, last.exit.signal) == ("stopped", signal.SIGKILL)


def test_it_outlives_alfine_and_is_found_again(container):
    launch = running(container, WAITING)
    container.runner.close()
    container.renew().start(launch)
    container.runner.stop(launch)
    last, lines = container.wait(launch)
    assert (last.exit.cause, lines.count("ready")) == ("stopped", 1)


def test_a_check_of_the_home_names_a_container_of_which_nothing_is_recorded(container, tmp_path):
    Home(tmp_path).close()
    (tmp_path / "alfine.toml").write_text(f'[run]\nengine = "{test_engine()[0].command}"\n')
    launch = running(container, WAITING)
    found = json.loads(alfine_cli(tmp_path, "doctor", "--check", "--json").stdout)["Problems"]
    [stray] = [problem for problem in found if problem["Kind"] == "container"]
    assert stray["What"] == "a container of job-1, which is not recorded"
    assert left(launch)
    subprocess.run(shlex.split(stray["Remedy"].removeprefix("Remove it: ")), check=True, capture_output=True)
    assert not left(launch)
    container.wait(launch)
    found = json.loads(alfine_cli(tmp_path, "doctor", "--check", "--json").stdout)["Problems"]
    kinds = [problem["Kind"] for problem in found if problem["Kind"] != "process"]  # launchers of other tests that end
    assert kinds == ["folder"]


@pytest.mark.parametrize("make_runner", [ContainerRunner, ProcessRunner])
def test_what_a_killed_launcher_leaves_is_ended_by_whoever_looks_next(container, make_runner):
    launch = running(container, DEAF)
    record = json.loads((launch.folder / ".alfine" / "process.json").read_text())
    os.kill(record["launcher"], signal.SIGKILL)
    container.runner = make_runner(lambda *_: container.bell.set())
    container.runners.append(container.runner)
    last, _ = container.wait(launch)
    assert last.exit.cause == "lost"
    assert left(launch) == []


def test_a_container_whose_client_is_killed_is_not_called_out_of_memory(container):
    launch = running(container, DEAF)
    os.kill(json.loads((launch.folder / ".alfine" / "process.json").read_text())["pid"], signal.SIGKILL)
    last, _ = container.wait(launch)
    assert last.exit.reason().startswith(
        "InternalServerError: The container engine's client ended while the container ran"
    )
    assert "memory" not in last.exit.reason()
    assert left(launch) == []


def test_a_killed_container_may_have_been_out_of_memory(container):
    launch = running(container, DEAF)
    assert test_engine()[0].tell("kill", launched(launch)[0]["kill"][-1])
    last, _ = container.wait(launch)
    assert last.exit.reason().startswith("AlgorithmError: killed by signal 9 (SIGKILL): out of memory?")


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


def test_hosts_find_each_other_by_name(make):
    bench = make(engine=networked_engine())
    serve = "busybox httpd -p 5000 -h /opt/ml/input/config; until [ -s model/heard ]; do sleep 0.05; done"
    ask = "until busybox wget -qO /tmp/heard algo-1:5000/resourceconfig.json; do sleep 0.05; done; cat /tmp/heard > model/heard"
    program = f"if [ $(cat /etc/hostname) = algo-1 ]; then {serve}; else {ask}; fi"
    last, lines = run(bench, program, instance_count=2)
    assert last.exit.succeeded, lines
    heard = json.loads((Workspace(bench.launch().folder).model / "heard").read_text())
    assert (heard["current_host"], heard["network_interface_name"]) == ("algo-1", "eth0")
    assert left(bench.launch()) == []


@pytest.mark.parametrize("end", ["stopped", "lost"])
def test_hosts_that_end_at_once_leave_no_network(make, end):
    bench = make(engine=networked_engine())
    launch = bench.launch(environment={"PROGRAM": DEAF}, instance_count=2, grace_seconds=0.5)
    bench.runner.start(launch)
    bench.until_true((launch.folder / ".alfine" / "process.json").exists)
    if end == "stopped":
        bench.runner.stop(launch)
    else:
        os.kill(json.loads((launch.folder / ".alfine" / "process.json").read_text())["launcher"], signal.SIGKILL)
    last, _ = bench.wait(launch)
    assert last.exit.cause == end
    assert left(launch) == []


@pytest.fixture
def slow(make, tmp_path):
    """A bench whose engine pulls an image when somebody writes to a pipe, and that pipe."""
    real, pipe, script = test_engine()[0], tmp_path / "pipe", tmp_path / "slow-podman"
    os.mkfifo(pipe)
    target = f"alfine-tests/pulled-{tmp_path.name}:1"
    script.write_text(
        f'''#!/bin/sh
case "$1" in pull) read -r go < {pipe}; echo "Copying blob" >&2; exec {real.command} tag {IMAGE} {target};; esac
exec {real.command} "$@"'''
    )
    script.chmod(0o755)
    bench = make(engine=ContainerEngine(str(script), real.options))
    bench.set(image=target)
    yield bench, pipe
    real.tell("rmi", target)


def test_the_pull_of_an_image_is_no_part_of_the_training_time(slow):
    bench, pipe = slow
    launch = bench.launch(environment={"PROGRAM": "echo done"}, max_runtime_seconds=60)
    bench.runner.start(launch)
    bench.runner.start(launch)
    waiting = bench.until(launch, lambda now: now.lines)[-1]
    assert waiting.lines == (f"alfine: pulling the image {launch.image}.",)
    assert waiting.started_at is None
    there_at = datetime.now(UTC)
    pipe.write_text("go\n")
    last, lines = bench.wait(launch)
    assert last.exit.succeeded, lines
    assert (lines[1], lines[-1]) == ("alfine: Copying blob", "done")
    assert last.started_at >= there_at


def test_a_stop_does_not_wait_for_the_pull(slow):
    bench, pipe = slow
    launch = bench.launch(environment={"PROGRAM": "echo done"})
    bench.runner.start(launch)
    bench.runner.stop(launch)
    last, lines = bench.wait(launch)
    pipe.write_text("go\n")
    assert (last.exit.cause, last.started_at) == ("stopped", None)
    assert "done" not in lines
