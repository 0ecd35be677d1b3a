"""Finding a container engine, what its client is given, and which of its options count."""

import shutil
import subprocess

import pytest

from alfine.runners.container_command import gpu_words, run_words
from alfine.runners.container_engine import ContainerEngine, engine_of
from alfine.runners.executor import LocalChannel, LocalLaunch
from alfine.runners.job_folder import Workspace, hosts_of, lay_out


def test_without_an_engine_it_says_so():
    assert engine_of("no-such-engine") == (None, "no-such-engine isn't installed.")


def test_an_engine_that_hangs_or_fails_is_no_engine(tmp_path):
    broken = tmp_path / "docker"
    broken.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    broken.chmod(0o755)
    engine, reason = engine_of(str(broken))
    assert engine is None
    assert "Cannot connect to the Docker daemon" in reason


def test_podman_is_told_from_docker(tmp_path):
    (tmp_path / "docker").write_text("#!/bin/sh\necho podman version 4.3.1\n")
    (tmp_path / "docker").chmod(0o755)
    assert ContainerEngine(str(tmp_path / "docker")).is_podman
    assert (ContainerEngine("/usr/bin/podman").is_podman, ContainerEngine("/usr/bin/docker").is_podman) == (True, False)


def test_the_client_has_its_settings_from_alfines_environment_and_no_secrets(tmp_path, monkeypatch):
    settings = {
        "DOCKER_HOST": "ssh://far",
        "DOCKER_CONFIG": "/config",
        "XDG_RUNTIME_DIR": "/run/user/5",
        "CONTAINER_HOST": "unix:///a",
        "REGISTRY_AUTH_FILE": "/auth",
    }
    for name, text in {**settings, "AWS_SECRET_ACCESS_KEY": "s3cret"}.items():
        monkeypatch.setenv(name, text)
    client = tmp_path / "podman"
    client.write_text(f"#!/bin/sh\nenv > {tmp_path}/env\n")
    client.chmod(0o755)
    assert engine_of(str(client))[0] is not None
    lines = (tmp_path / "env").read_text().splitlines()
    assert {f"{name}={text}" for name, text in settings.items()} <= set(lines)
    assert not any("s3cret" in line for line in lines)


@pytest.mark.parametrize(
    ("options", "network", "others", "pull"),
    [
        ((), "", (), ()),
        (("--network=host", "-v", "/a:/a"), "host", ("-v", "/a:/a"), ()),
        (("--net", "mine", "--ip", "10.0.0.2", "--init"), "mine", ("--init",), ()),
        (
            ("-P", "-p", "80:80", "--platform", "linux/arm64", "--tls-verify=false"),
            "",
            None,
            ("--platform", "linux/arm64", "--tls-verify=false"),
        ),
    ],
)
def test_options_about_the_network_are_told_from_others(options, network, others, pull):
    engine = ContainerEngine("podman", options)
    assert engine.network == network
    assert engine.options_without_network == (pull if others is None else others)
    assert engine.pull_options == pull


def test_gpus_are_passed_where_the_instance_type_asks_or_they_work(tmp_path):
    docker, podman = ContainerEngine("/usr/bin/docker"), ContainerEngine("/usr/bin/podman")
    assert gpu_words(docker, "ml.g5.xlarge", devices=tmp_path) == ()
    (tmp_path / "nvidia0").touch()
    assert gpu_words(docker, "ml.g5.xlarge", devices=tmp_path) == ("--gpus", "all")
    assert gpu_words(podman, "ml.p4d.24xlarge", devices=tmp_path) == ("--device", "nvidia.com/gpu=all")
    assert gpu_words(docker, "local", ("0", "GPU-1a")) == ("--gpus", '"device=0,GPU-1a"')
    assert gpu_words(podman, "local", ("0", "1")) == ("--device", "nvidia.com/gpu=0", "--device", "nvidia.com/gpu=1")
    if shutil.which("nvidia-smi") is None:
        assert gpu_words(podman, "ml.m5.large", devices=tmp_path) == ()


def test_dockers_client_understands_the_command_line(tmp_path):
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("docker's client isn't installed")
    (tmp_path / 'a:b,"c"').mkdir()
    channel = LocalChannel(name="train", path=tmp_path / 'a:b,"c"')
    launch = LocalLaunch(
        name="job", folder=tmp_path / "x,y" / "job", image="i", channels=(channel,), environment={"A": "b c"}
    )
    lay_out(launch)
    words = run_words(ContainerEngine(docker, ("--network=host", "--init")), launch, hosts_of(launch)[0])
    done = subprocess.run(
        words,
        cwd=Workspace(launch.folder).control,
        env={"DOCKER_HOST": "unix:///nowhere", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Docker daemon" in done.stderr or "docker daemon" in done.stderr, done.stderr
