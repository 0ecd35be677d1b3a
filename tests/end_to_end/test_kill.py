"""alfine is killed with SIGKILL at random instants, and started again: nothing is lost, doubled or counted twice."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from alfine.core.facts import Launched
from alfine.jobs.home import Home

DRIVER = """
import sys, alfine
alfine.tune(sys.argv[1], {"x": alfine.Continuous(0, 1), "n": alfine.Integer(1, 9)}, metric="loss", name="killed",
            strategy="Random", seed=3, max_training_jobs=14, max_parallel=2, home=sys.argv[2], progress=False)
"""
TRAIN = """
import os, sys, time
with open(os.environ["DIARY"], "a") as diary:
    diary.write("begin " + os.environ["TRAINING_JOB_NAME"] + chr(10))
for step in range(4):
    print(f"loss={4 - step}", flush=True)
    time.sleep(0.03)
with open(os.environ["DIARY"], "a") as diary:
    diary.write("end " + os.environ["TRAINING_JOB_NAME"] + chr(10))
"""


def run_killed(arguments, rng, kills, patience=60):
    """Start the driver again and again, killing it `kills` times at random instants, until it ends by itself.

    A kill between the end of the job and the driver's own leaves an ended job, whose name is refused from then on.
    """
    deadline, killed = time.monotonic() + patience, False
    while time.monotonic() < deadline:
        with subprocess.Popen(arguments, stderr=subprocess.PIPE) as driver:
            try:
                _, errors = driver.communicate(timeout=rng.uniform(0.3, 1.3) if kills else patience)
            except subprocess.TimeoutExpired:
                kills, killed = kills - 1, True
                driver.send_signal(signal.SIGKILL)
                driver.communicate()
                continue
        assert driver.returncode == 0 or (killed and b"InUse: " in errors), errors.decode()
        return
    raise AssertionError("the driver never ended")


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_killed_at_random_instants_it_loses_nothing(tmp_path, seed, warm):
    script, diary = tmp_path / "train.py", tmp_path / "diary"
    script.write_text(TRAIN)
    driver = DRIVER.replace("progress=False", f"progress=False, warm={warm}, environment={{'DIARY': {str(diary)!r}}}")
    run_killed([sys.executable, "-c", driver, str(script), str(tmp_path / "home")], random.Random(seed), kills=4)
    with Home(tmp_path / "home") as home:
        job, history = home.store.get("killed"), home.store.history("killed")
    assert (job.status, history.launches, history.ended) == ("Completed", 14, 14)
    assert len({fact.name for fact in history.facts if isinstance(fact, Launched)}) == 14
    assert Counter(diary.read_text().splitlines()) == Counter(
        f"{word} {each.name}" for each in history.jobs for word in ("begin", "end")
    )
    for each in history.jobs:
        assert (each.status, each.curve("loss"), each.objective) == ("Completed", [4.0, 3.0, 2.0, 1.0], 1.0)


def test_killed_while_the_best_are_run_again_each_is_run_as_often_as_asked(tmp_path):
    script, diary = tmp_path / "train.py", tmp_path / "diary"
    script.write_text(TRAIN)
    words = f"progress=False, repeats={{'best': 3, 'times': 3}}, environment={{'DIARY': {str(diary)!r}}}"
    driver = DRIVER.replace("progress=False", words)
    run_killed([sys.executable, "-c", driver, str(script), str(tmp_path / "home")], random.Random(7), kills=5)
    with Home(tmp_path / "home") as home:
        job, history = home.store.get("killed"), home.store.history("killed")
    assert (job.status, history.launches, history.searched) == ("Completed", 14, 5)
    assert sorted(map(len, history.repeated.values())) == [3, 3, 3]
    assert Counter(line.split()[1] for line in diary.read_text().splitlines()) == Counter(
        {each.name: 2 for each in history.jobs}
    )
