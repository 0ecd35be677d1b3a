"""A live `alfine serve` in a process of its own, and boto3 as it comes from the package index."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from click.testing import CliRunner

from alfine import Continuous, Integer
from alfine.api.job_words import job_request
from alfine.cli import main
from alfine.core.settings import without_order

KEYS = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
SCRIPT = """
import argparse, time
p = argparse.ArgumentParser(); p.add_argument("--x", type=float, default=0); p.add_argument("--n", type=int); p.add_argument("--wait", type=float, default=0)
a = p.parse_args()
print(f"loss={a.x + a.n}", flush=True)
time.sleep(a.wait)
"""
PATIENCE_SECONDS = 40.0


class Served:
    """One running server, which takes any credentials unless `signed`."""

    def __init__(self, home: Path, *words: str, signed: bool = False) -> None:
        command = [sys.executable, "-m", "alfine", "serve", "--port", "0", "--home", str(home), *words]
        command += [] if signed else ["--open"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"ready on (https?://\S+)", line)
        assert found, line + self.process.stdout.read()
        self.url = found.group(1)
        self.home = home

    def client(self, name: str = "sagemaker", **key: str) -> Any:
        config = Config(retries={"total_max_attempts": 1})
        return boto3.client(name, endpoint_url=self.url, config=config, **{**KEYS, **key})

    def cli(self, *words: str) -> str:
        """What `alfine` with these words prints, on the server's home: in this process, which has imported everything."""
        result = CliRunner().invoke(main, [*words, "--home", str(self.home)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    def end(self) -> int:
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for most files of tests: starting one takes a second of a core. Their jobs have names of their own."""
    server = Served(tmp_path_factory.mktemp("home"))
    yield server
    server.end()


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that no other file of tests uses, for tests that look at everything it has."""
    server = Served(tmp_path_factory.mktemp("home"))
    yield server
    server.end()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for several files of tests, whose jobs don't disturb each other. It has no engine for containers."""
    home = tmp_path_factory.mktemp("home")
    (home / "alfine.toml").write_text('[run]\nengine = "/nowhere/docker"\n')
    server = Served(home)
    yield server
    server.end()


@pytest.fixture(scope="module")
def sagemaker(served: Served) -> Iterator[Any]:
    client = served.client()
    yield client
    client.close()


@pytest.fixture
def cli(served: Served) -> Any:
    """A function of words: what `alfine` with them prints, on the home of the live server."""
    return served.cli


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("code") / "train.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def make(script: Path) -> Any:
    """A function of a name and words: a CreateHyperParameterTuningJob request for the script."""

    def make(name: str, **words: Any) -> dict[str, Any]:
        space = {"x": Continuous(0, 1), "n": Integer(1, 9)}
        words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 4, "max_parallel": 2, **words}
        return without_order(
            job_request(name=name, space=space, script=script, **words)
        )  # as a client of SageMaker sends it

    return make


def until(sagemaker: Any, name: str, status: str = "InProgress", *, leaves: bool = True) -> dict[str, Any]:
    """Describe a tuning job once its status is no longer (leaves=False: is) the one given."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        told: dict[str, Any] = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        if (told["HyperParameterTuningJobStatus"] != status) is leaves:
            return told
        time.sleep(0.05)  # each look costs both sides some milliseconds of a core
    raise AssertionError(told)
