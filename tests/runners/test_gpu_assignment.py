"""GPUs stay with their training jobs over restarts of alfine, and go to those that wait: real processes, a list of one GPU."""

import os

import pytest

from alfine.runners.gpu_assignment import GpuAssignment, GpuQueue
from alfine.runners.gpu_slots import GpuSlots
from alfine.runners.process import ProcessRunner

CODE = "import os; print('sees', os.environ['CUDA_VISIBLE_DEVICES'], flush=True); open({pipe!r}).read()"


@pytest.fixture
def gpus(process, tmp_path):
    """The bench of processes, on a machine with one GPU, and the training jobs that were told to have news."""
    told = []

    def news(tuning_job, training_job):
        told.append(training_job)
        process.bell.set()

    def make(_):
        return GpuAssignment(ProcessRunner(news), GpuQueue(GpuSlots(tmp_path / "gpus", ("3",)), news))

    process._make = make
    process.renew()
    process.told = told
    os.mkfifo(process.home / "pipe")
    process.set(gpus=1.0)
    return process


def launch(bench, name):
    return bench.launch(name, CODE.format(pipe=str(bench.home / "pipe")))


def test_a_gpu_is_not_given_twice_by_an_alfine_that_was_started_anew(gpus):
    first, second = launch(gpus, "first"), launch(gpus, "second")
    gpus.runner.start(first)
    gpus.until_line(first, "sees 3")
    gpus.renew()
    gpus.runner.start(second)
    assert gpus.runner.poll(second, 0).pending == "waits for a GPU: 0 of 1 are free."
    assert gpus.runner.poll(first, 0).exit is None
    (gpus.home / "pipe").write_text("")
    assert gpus.wait(first)[0].exit.succeeded
    assert "second" in gpus.told  # its turn has come
    gpus.until_line(second, "sees 3")
    (gpus.home / "pipe").write_text("")
    assert gpus.wait(second)[0].exit.succeeded


def test_one_that_waits_ends_at_once_when_it_is_stopped_and_the_next_gets_its_turn(gpus):
    first, second, third = (launch(gpus, name) for name in ("first", "second", "third"))
    for each in (first, second, third):
        gpus.runner.start(each)
    gpus.until_line(first, "sees 3")
    assert gpus.runner.poll(second, 0).pending
    gpus.runner.stop(second)
    assert gpus.wait(second)[0].exit.cause == "stopped"
    (gpus.home / "pipe").write_text("")
    assert gpus.wait(first)[0].exit.succeeded
    gpus.until_line(third, "sees 3")
    (gpus.home / "pipe").write_text("")
    assert gpus.wait(third)[0].exit.succeeded
