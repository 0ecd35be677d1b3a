"""With too few descriptors for all training jobs at once, those without one wait for their start, and none fails."""

import json
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Folder, alfine_cli, environment, until

SCRIPT = """
import argparse, os, resource, time
parser = argparse.ArgumentParser()
parser.add_argument("--x"); parser.add_argument("--gate")
gate = parser.parse_args().gate
print(f"loss={resource.getrlimit(resource.RLIMIT_NOFILE)[0]}", flush=True)
while not os.path.exists(gate):
    time.sleep(0.05)
"""

JOB = """
script: train.py
metric: loss
strategy: Random
space: {{x: {{min: 0.0, max: 1.0}}}}
static: {{gate: {gate}}}
max_training_jobs: {count}
max_parallel: {count}
"""


def test_more_training_jobs_than_descriptors(tmp_path: Path) -> None:
    folder, soft, hard, count = Folder(tmp_path), 56, 64, 60
    (tmp_path / "train.py").write_text(SCRIPT)
    gate = tmp_path / "gate"
    job = folder.job(JOB.format(gate=gate, count=count), "many.yaml")
    limited = f'ulimit -Sn {soft}; ulimit -Hn {hard}; exec "$@"'
    argv = [
        "sh",
        "-c",
        limited,
        "sh",
        sys.executable,
        "-m",
        "alfine",
        "--home",
        str(folder.home),
        "tune",
        str(job),
        "-q",
    ]
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, env=environment())
    until(lambda: "waits for its start" in (tmp_path / "out").read_text(), "a training job waits")
    gate.touch()
    assert process.wait(60) == 0
    trained = json.loads(alfine_cli(folder.home, "training-jobs", "many", "--json").stdout)["TrainingJobSummaries"]
    assert [one["TrainingJobStatus"] for one in trained] == ["Completed"] * count
    limits = {one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for one in trained}
    assert limits == {soft}, "training jobs get the limit that the user has"
