"""Training jobs that are tried again: killed at any step of it, nothing is lost and no attempt is counted twice."""

import os
import signal
import sys

import pytest

from alfine.runners.job_folder import Workspace
from alfine.runners.launcher import read_json
from alfine.runners.retries import failed_attempts, try_again

CODE = """
import os, signal, sys
base = os.environ["SAGEMAKER_BASE_DIR"]
if os.path.exists(base + "/checkpoints/mark"):
    print("again", os.listdir(base + "/model"), os.path.exists(base + "/output/failure"))
    sys.exit()
for name in ("checkpoints/mark", "model/half", "output/failure"):
    open(base + "/" + name, "w").close()
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="lost training jobs are told on Linux")
@pytest.mark.parametrize("killed_halfway", [False, True])
def test_it_begins_anew_with_its_checkpoints_and_its_log(process, killed_halfway):
    launch = process.launch(code=CODE)
    space = Workspace(launch.folder)
    process.runner.start(launch)
    process.until_line(launch, "ready")
    os.kill(read_json(str(space.control / "process.json"))["launcher"], signal.SIGKILL)
    last, _ = process.wait(launch)
    assert last.exit.cause == "lost"
    if killed_halfway:
        (space.control / "process.json").rename(space.control / "process.1.json")
        assert process.renew().poll(launch, last.offset).exit.cause == "lost"
    try_again(space, 3)
    assert failed_attempts(space) == 1
    assert process.runner.poll(launch, last.offset) is None
    process.runner.start(launch)
    ended = process.until(launch, lambda now: now.exit is not None, last.offset)
    assert ended[-1].exit.succeeded
    lines = [line for each in ended for line in each.lines]
    assert lines[-1] == "again [] False"
    assert "alfine: the supervisor of this training job was killed. Retry 1 of 3." in lines
