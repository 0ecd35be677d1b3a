"""The clients as they come from the package index, each in an environment of its own, against a live server.

A flow is a program as a user of SageMaker writes it (flows/): it knows nothing of alfine, and prints what it saw as JSON on its last
line. It runs in a shell in which `eval "$(alfine client)"` was typed, against a server that asks for signatures. `make test` makes the
environment of SDK 2 for one flow, `make test-clients` makes all of them and runs all flows; without its environment a flow is skipped,
with what to do.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws.conftest import Served
from tests.missing import missing

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent.parent / ".clients"
PATIENCE_SECONDS = 300
# The SDKs would tell Amazon of every call of theirs.
NO_TELEMETRY = "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n"

Flow = Callable[..., Any]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("home"), signed=True)
    yield server
    server.end()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of training data: 3 rows in 2 files."""
    folder = tmp_path / "data"
    (folder / "more").mkdir(parents=True)
    (folder / "a.csv").write_text("1,2\n3,4\n")
    (folder / "more" / "b.csv").write_text("5,6\n")
    return folder


@pytest.fixture
def flow(served: Served, tmp_path: Path, data: Path) -> Flow:
    """Runs a flow of an environment as a user does; what it printed last.

    Further words are variables that the user sets after `alfine client` (None: removes).
    """

    def run(environment: str, name: str, **more: str | None) -> Any:
        python = interpreter(environment)
        for folder in ("source", "shared"):
            shutil.copytree(HERE / folder, tmp_path / folder)
        settings = tmp_path / "sagemaker.yaml"
        settings.write_text(NO_TELEMETRY)
        variables = {
            "ALFINE_HOME": str(served.home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AWS_CONFIG_FILE": str(tmp_path / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAGEMAKER_USER_CONFIG_OVERRIDE": str(settings),
            "FLOW_DATA": str(data),
        }
        set_after = [
            f"unset {key}" if text is None else f"export {key}={shlex.quote(text)}" for key, text in more.items()
        ]
        lines = ["set -e", 'eval "$(alfine client)"', *set_after, 'exec "$@"']
        command = ["bash", "-c", "\n".join(lines), "bash", str(python), str(HERE / "flows" / name)]
        host = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ALFINE_", "PYTHON"))}
        done = subprocess.run(
            command,
            env=host | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
        return json.loads(done.stdout.splitlines()[-1])

    return run


def interpreter(environment: str) -> Path:
    """The Python of a client's environment; skips the test where that wasn't made."""
    path = ENVIRONMENTS / environment / "bin" / "python"
    if not path.exists():
        missing(
            str(path.relative_to(HERE.parent.parent)), f"make {path.parents[1].relative_to(HERE.parent.parent)}/made"
        )
    return path
