"""What every runner promises, for each of them."""

import sys
from pathlib import Path

import pytest

from alfine.runners.container import ContainerRunner
from alfine.runners.job_folder import Workspace
from alfine.runners.launch import Launch
from alfine.runners.protocol import StaleEpoch
from tests.runners.conftest import HostBench


def _report_once(hyperparameters, report):
    report(1, 0.5)


def _mark(hyperparameters, report):
    with Path(hyperparameters["mark"]).open("a") as file:
        file.write("x")


def _fail(hyperparameters, report):
    raise ValueError("lr is too big")


def _until_told(hyperparameters, report):
    while not report(None, 1.0):
        pass


# In Python, as a function, and for the shell of the tests' container image.
BEHAVIOURS = {
    "short": ("print('loss=0.5')", _report_once, "echo loss=0.5"),
    "marking": (
        "import os\nwith open(os.environ['SM_OUTPUT_DATA_DIR'] + '/mark', 'a') as file: file.write('x')",
        _mark,
        "printf x >> /opt/ml/output/data/mark",
    ),
    "failing": ("raise ValueError('lr is too big')", _fail, "echo 'ValueError: lr is too big' >&2; exit 1"),
    "waiting": (
        "print('ready', flush=True)\nimport signal\nsignal.pause()",
        _until_told,
        "trap 'exit 143' TERM; echo ready; while :; do sleep 0.05; done",
    ),
}


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="warm starts need Linux")


@pytest.fixture(params=["inline", "process", pytest.param("warm", marks=linux), "sandbox", "container"])
def bench(request):
    return HostBench(request.getfixturevalue(request.param))


@pytest.fixture
def is_inline(bench):
    return bench.is_inline


def job(bench, is_inline, behaviour: str, **settings) -> Launch:
    code, function, shell = BEHAVIOURS[behaviour]
    if isinstance(bench.runner.executor, ContainerRunner):
        return bench.launch(environment={"PROGRAM": shell}, **settings)
    if is_inline:
        mark = {"mark": str(mark_of(bench, bench.launch()))}
        return bench.launch(function=function, hyperparameters=mark, **settings)
    return bench.launch(code=code, **settings)


def mark_of(bench, launch: Launch) -> Path:
    """The file that a marking training job adds a letter to."""
    folder = bench.folder(launch)
    return folder.with_suffix(".mark") if bench.is_inline else Workspace(folder).ml / "output" / "data" / "mark"


def waiting_job(bench, is_inline, **settings) -> Launch:
    return job(bench, is_inline, "waiting", **settings)


def wait_until_it_runs(bench, is_inline, launch: Launch) -> None:
    bench.until(launch, lambda now: now.points if is_inline else "ready" in bench.log(launch))


def test_a_training_job_that_works_ends_without_a_reason(bench, is_inline):
    last, _ = bench.see_out(job(bench, is_inline, "short"))
    assert last.exit.succeeded
    assert last.exit.reason() is None


def test_the_instants_of_a_training_job_are_in_order_and_aware(bench, is_inline):
    last, _ = bench.see_out(job(bench, is_inline, "short"))
    assert last.started_at <= last.ended_at
    assert last.started_at.utcoffset().total_seconds() == 0


def test_start_twice_is_one_training_job(bench, is_inline):
    launch = job(bench, is_inline, "marking")
    mark = mark_of(bench, launch)
    mark.parent.mkdir(parents=True, exist_ok=True)
    bench.runner.start(launch)
    bench.see_out(launch)
    bench.runner.start(launch)
    last, _ = bench.wait(launch)
    assert last.exit is not None
    assert mark.read_text() == "x"


def test_a_training_job_that_was_never_started_is_unknown(bench, is_inline):
    assert bench.runner.poll(job(bench, is_inline, "short"), 0) is None


def test_a_failing_training_job_gives_a_reason(bench, is_inline):
    last, _ = bench.see_out(job(bench, is_inline, "failing"))
    assert not last.exit.succeeded
    assert last.exit.code == 1
    assert "AlgorithmError: exit code: 1" in last.exit.reason()
    assert "ValueError: lr is too big" in last.exit.reason()


def test_a_stopped_training_job_keeps_what_it_told(bench, is_inline):
    launch = waiting_job(bench, is_inline)
    bench.runner.start(launch)
    wait_until_it_runs(bench, is_inline, launch)
    bench.runner.stop(launch)
    bench.wait(launch)
    again = bench.again(launch, 0)
    assert again.exit.cause == "stopped"
    assert again.exit.reason() is None
    assert again.points if is_inline else bench.log(launch).splitlines()[-1] == "ready"


def test_stop_twice_is_one_stop(bench, is_inline):
    launch = waiting_job(bench, is_inline)
    bench.runner.start(launch)
    wait_until_it_runs(bench, is_inline, launch)
    bench.runner.stop(launch)
    bench.runner.stop(launch)
    last, _ = bench.wait(launch)
    bench.runner.stop(launch)
    assert last.exit.cause == "stopped"


def test_a_training_job_stopped_before_its_start_never_runs(bench, is_inline):
    launch = job(bench, is_inline, "marking")
    mark = mark_of(bench, launch)
    bench.runner.stop(launch)
    last, _ = bench.see_out(launch)
    assert last.exit.cause == "stopped"
    assert not mark.exists()


def test_a_training_job_that_runs_too_long_is_stopped_and_says_so(bench, is_inline):
    launch = waiting_job(bench, is_inline, max_runtime_seconds=0.3)
    last, _ = bench.see_out(launch)
    assert last.exit.cause == "max_runtime"
    assert "MaxRuntimeInSeconds (0.3 s)" in last.exit.reason()


def test_the_end_can_be_asked_for_again(bench, is_inline):
    launch = job(bench, is_inline, "short")
    last, _ = bench.see_out(launch)
    assert bench.again(launch, last.offset).exit == last.exit
    assert bench.again(launch, 0).exit == last.exit


def test_nothing_to_run_is_an_end_with_a_reason(bench):
    last, _ = bench.see_out(bench.launch(image=None))
    assert last.exit.cause == "not_started"
    assert "There is nothing to run" in last.exit.reason()


def test_its_values_are_points_and_its_log_is_read_in_pieces(bench, is_inline):
    launch = job(bench, is_inline, "short", metric="loss", metrics=[("loss", "loss=([0-9.]+)")])
    _, points = bench.see_out(launch)
    assert [(point.name, point.value, point.count) for point in points] == [("loss", 0.5, 1)]
    again = bench.again(launch, 0, {"loss": 3})
    assert [point.count for point in again.points] == [4]
    log = bench.log(launch)
    assert ("loss=0.5" in log) is not is_inline
    piece = bench.runner.log(launch, 5, 3)
    assert (piece.begin, piece.data.decode(), piece.size) == (5, log[5:8], len(log))


def test_an_engine_that_lost_the_tuning_job_stops_nothing(bench, is_inline):
    launch = waiting_job(bench, is_inline, epoch=2)
    bench.runner.start(launch)
    wait_until_it_runs(bench, is_inline, launch)
    stale = waiting_job(bench, is_inline, epoch=1)
    if not is_inline:  # a function runs in the one process that has it
        for runner in (bench.runner, bench.renew()):
            for refused in (runner.stop, runner.start):
                with pytest.raises(StaleEpoch, match="claimed in epoch 2"):
                    refused(stale)
    assert bench.runner.poll(launch, 0).exit is None
    bench.runner.stop(launch)
    assert bench.wait(launch)[0].exit.cause == "stopped"
