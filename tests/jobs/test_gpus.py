"""Training jobs get GPUs of their own: real processes, on a list of GPUs that this machine doesn't have."""

import json
import threading
from contextlib import closing

import pytest

from alfine.core.errors import InvalidSpec
from alfine.jobs.home import Home
from alfine.runners.gpu_slots import GpuSlots
from alfine.runners.gpus import gpus_of_instance_type, gpus_of_machine
from tests.building import SPACE, request

PATIENCE_SECONDS = 60.0

SEES = 'echo "sees=$CUDA_VISIBLE_DEVICES;$SM_NUM_GPUS"; echo objective: 1'
HOLDS = """
for gpu in $(echo $CUDA_VISIBLE_DEVICES | tr , " "); do mkdir {pool}/$gpu || echo "$gpu has two" >> {pool}.faults; done
sleep 0.05
for gpu in $(echo $CUDA_VISIBLE_DEVICES | tr , " "); do rmdir {pool}/$gpu; echo $gpu >> {pool}.used; done
echo objective: 1
"""


@pytest.fixture
def home(tmp_path):
    """A home whose machine has two GPUs, and what its training jobs saw."""
    (tmp_path / "alfine.toml").write_text('[run]\ngpus = ["0", "7"]\n')
    with closing(Home(tmp_path)) as opened:
        yield opened


def run(home, *names):
    """Run tuning jobs side by side to their ends, and return their statuses."""
    threads = [threading.Thread(target=home.engine().run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    return [home.service.get(name).status for name in names]


def create(home, name, script, instances=None, **words):
    words = {"strategy": "Random", "max_training_jobs": 1, **words}
    asked = request(name=name, space={"eta": SPACE["eta"]}, command=["/bin/sh", "-c", script, "train"], **words)
    asked["TrainingJobDefinition"]["ResourceConfig"] |= instances or {}
    return home.service.create(asked)


def log_of(home, name, number=0):
    job = home.service.history(name).jobs[number]
    return (home.jobs_folder / name / job.name / ".alfine" / "log").read_text()


def seen(home, name):
    """What each training job of a tuning job saw: its devices, and how many GPUs it was told to have."""
    logs = [log_of(home, name, number) for number in range(len(home.service.history(name).jobs))]
    return [line.removeprefix("sees=") for log in logs for line in log.splitlines() if line.startswith("sees=")]


def test_no_two_training_jobs_have_one_gpu_and_all_gpus_are_used(home, tmp_path):
    pool = tmp_path / "pool"
    pool.mkdir()
    for name in "ab":
        create(home, name, HOLDS.replace("{pool}", str(pool)), gpus=1, max_training_jobs=3, max_parallel=3)
    assert run(home, *"ab") == ["Completed"] * 2
    assert not (tmp_path / "pool.faults").exists()
    used = (tmp_path / "pool.used").read_text().split()
    assert (len(used), set(used)) == (6, {"0", "7"})
    assert "alfine: waits for a GPU: 0 of 2 are free." in log_of(home, "a", 2)


def test_a_training_job_sees_what_it_asked_for_and_else_what_its_instance_type_has(home):
    asked = {"both": {"gpus": 2}, "half": {"gpus": 0.5}, "none": {"gpus": 0}}
    asked |= {"typed": {"instances": {"InstanceType": "ml.g5.xlarge"}}}
    asked |= {"large": {"instances": {"InstanceType": "ml.p4d.24xlarge"}}}
    asked |= {"hosts": {"gpus": 1, "instances": {"InstanceCount": 2}}}
    for name, words in asked.items():
        create(home, name, SEES, **words)
        assert run(home, name) == ["Completed"]
    assert {name: sorted(seen(home, name)) for name in asked} == {
        "both": ["0,7;2"],
        "half": ["0;1"],
        "none": [";0"],
        "typed": ["0;1"],
        "large": ["0,7;2"],
        "hosts": ["0;1", "7;1"],
    }


def test_what_a_training_job_has_is_known_after_a_restart_and_to_other_processes(tmp_path):
    mine, theirs = (GpuSlots(tmp_path / "gpus", ("0", "1")) for _ in range(2))
    first, second, third = (str(tmp_path / name) for name in ("first", "second", "third"))
    assert mine.take(first, 0.5) == ("0",)
    assert theirs.take(second, 0.5) == ("0",)  # asked for a part: the other part of the same
    assert theirs.take(third, 2) is None
    assert theirs.take(third, 1) == ("1",)
    assert mine.take(third, 1) == theirs.of(third) == ("1",)
    assert mine.taken() == {"0": 1.0, "1": 1.0}
    mine.release(second)
    (tmp_path / "first" / ".alfine").mkdir(parents=True)
    (tmp_path / "first" / ".alfine" / "exit.json").write_text(
        json.dumps({"cause": "exited"})
    )  # its process gave nothing back
    assert theirs.take(second, 1) == ("0",)


@pytest.mark.parametrize(
    ("words", "message"), [({"gpus": 3}, "needs 3, but this machine has 2 GPUs"), ({"gpus": 1.5}, "whole number")]
)
def test_what_this_machine_never_has_is_refused_at_the_creation(home, words, message):
    with pytest.raises(InvalidSpec, match=message):
        create(home, "job", SEES, **words)


@pytest.mark.parametrize(("visible", "gpus"), [("2,GPU-1a,-1,3", ("2", "GPU-1a")), ("", ()), ("1, 1", ("1",))])
def test_alfine_gives_only_gpus_that_it_may_use_itself(monkeypatch, visible, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus_of_machine() == gpus


def test_an_instance_type_has_its_gpus():
    one, four, eight = (
        ("g5.xlarge", "p3.2xlarge"),
        ("g5.12xlarge", "g4dn.12xlarge"),
        ("g6e.48xlarge", "p6-b200.48xlarge"),
    )
    counts = dict.fromkeys(one, 1) | dict.fromkeys(four, 4) | dict.fromkeys(eight, 8) | {"m5.large": 0}
    assert {name: gpus_of_instance_type(f"ml.{name}") for name in counts} == counts
    assert (gpus_of_instance_type("local_gpu"), gpus_of_instance_type("local")) == (1, 0)
