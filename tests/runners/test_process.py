"""Training jobs as processes: what is left of each kind of bad script, and after each kind of death."""

import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from alfine.runners.executor import LocalChannel
from alfine.runners.job_folder import Workspace
from alfine.runners.launcher import identity, mark_of, mark_on
from alfine.runners.log_files import READ_BYTES, read_lines
from alfine.runners.process import ProcessRunner
from tests.missing import missing

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and subreapers")


def is_gone(pid: int) -> bool:
    return identity(pid) is None


def process_of(launch) -> dict:
    return json.loads((launch.folder / ".alfine" / "process.json").read_text())


# ---- bad scripts


def test_a_traceback_ends_the_log_and_the_reason(process):
    last, lines = process.see_out(process.launch(code="def f():\n    1 / 0\nf()"))
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert last.exit.tail.startswith("Traceback (most recent call last):")
    assert "exit code: 1" in last.exit.reason()
    assert "ZeroDivisionError" in last.exit.reason()


def test_a_script_that_prints_nothing_ends_without_lines(process):
    last, lines = process.see_out(process.launch(code="pass"))
    assert (last.exit.succeeded, lines, last.exit.tail) == (True, [], "")


def test_the_failure_file_is_the_reason(process):
    code = "import sys\nwith open('../output/failure', 'w') as f: f.write('no such column: price')\nsys.exit(3)"
    last, _ = process.see_out(process.launch(code=code))
    assert last.exit.reason() == "AlgorithmError: no such column: price, exit code: 3"


def test_a_reason_has_at_most_1024_characters(process):
    code = "import sys\nwith open('../output/failure', 'w') as f: f.write('x' * 5000)\nsys.exit(3)"
    last, _ = process.see_out(process.launch(code=code))
    assert len(last.exit.reason()) == 1024
    assert last.exit.reason().endswith(", exit code: 3")


def test_sigterm_lets_a_script_end_in_its_own_way(process):
    code = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(0)))\n"
        "print('ready')\nwhile True: time.sleep(60)"
    )
    launch = process.launch(code=code)
    process.runner.start(launch)
    process.until_line(launch, "ready")
    process.runner.stop(launch)
    last, lines = process.wait(launch)
    assert lines == ["ready", "saved"]
    assert (last.exit.cause, last.exit.code) == ("stopped", 0)


def test_a_script_deaf_to_sigterm_is_killed_after_its_grace(process):
    code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready')\nwhile True: signal.pause()"
    launch = process.launch(code=code, grace_seconds=0.3, max_runtime_seconds=0.5)
    last, _ = process.see_out(launch)
    assert (last.exit.cause, last.exit.signal) == ("max_runtime", signal.SIGKILL)


def test_asked_again_with_less_grace_it_is_killed_at_once(process):
    code = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: print('deaf'))\nprint('ready')\nwhile True: signal.pause()"
    launch = process.launch(code=code, grace_seconds=3600)
    process.runner.start(launch)
    process.until_line(launch, "ready")
    process.runner.stop(launch)
    process.until_line(launch, "deaf")
    process.runner.stop(replace(launch, grace_seconds=0.0))
    last, _ = process.wait(launch)
    assert (last.exit.cause, last.exit.signal) == ("stopped", signal.SIGKILL)


def test_a_killed_training_job_says_which_signal_and_why_perhaps(process):
    last, _ = process.see_out(process.launch(code="import os\nos.kill(os.getpid(), 9)"))
    assert "killed by signal 9 (SIGKILL): out of memory?" in last.exit.reason()


def test_a_command_that_is_not_there_says_so(process):
    last, _ = process.see_out(process.launch(command=("no-such-command-anywhere", "--x")))
    assert last.exit.cause == "not_started"
    assert last.exit.reason().startswith("Command not found: no-such-command-anywhere.")


def test_a_command_that_is_not_executable_says_so(process, tmp_path):
    program = tmp_path / "train"
    program.write_text("#!/bin/sh\n")
    last, _ = process.see_out(process.launch(command=(str(program),)))
    assert last.exit.cause == "not_started"
    assert "chmod +x" in last.exit.reason()


def test_a_command_whose_interpreter_is_missing_says_so(process, tmp_path):
    program = tmp_path / "train"
    program.write_text("#!/no/such/python\n")
    program.chmod(0o755)
    last, _ = process.see_out(process.launch(command=(str(program),)))
    assert "the interpreter in its first line" in last.exit.reason()


def test_a_missing_script_says_so(process, tmp_path):
    last, _ = process.see_out(process.launch(script=Path("train.py"), source_dir=tmp_path))
    assert last.exit.reason() == f"The script {tmp_path}/train.py doesn't exist."


def test_a_missing_channel_says_so(process, tmp_path):
    channel = LocalChannel(name="train", path=tmp_path / "nothing")
    last, _ = process.see_out(process.launch(code="pass", channels=(channel,)))
    assert last.exit.reason() == f"Channel train: {tmp_path}/nothing doesn't exist."


@pytest.mark.parametrize(
    ("settings", "reason"), [({"image": "train:1"}, "image train:1"), ({"network": False}, "network")]
)
def test_what_only_other_runners_can_do_is_refused(process, settings, reason):
    last, _ = process.see_out(process.launch(code="pass", **settings))
    assert last.exit.cause == "not_started"
    assert reason in last.exit.reason()


def test_a_flood_is_read_piece_by_piece(process):
    code = "line = 'x' * 99 + '\\n'\nimport sys\nfor _ in range(300): sys.stdout.write(line * 1000)"
    launch = process.launch(code=code)
    process.runner.start(launch)
    count = sum(len(seen.lines) for seen in process.until(launch, lambda now: now.exit is not None))
    assert count == 300_000


def test_a_log_over_its_limit_stops_the_training_job(process):
    launch = process.launch(code="while True: print('x' * 1000)", max_log_bytes=200_000)
    last, _ = process.see_out(launch)
    assert last.exit.cause == "log_limit"
    assert "larger than 200000 bytes" in last.exit.reason()


def test_binary_output_gives_printable_lines(process):
    last, lines = process.see_out(process.launch(code="import os\nos.write(1, b'a\\0\\xff\\xfe\\nloss=1\\n')"))
    assert lines == ["a\0\ufffd\ufffd", "loss=1"]
    assert last.exit.tail == "a\ufffd\ufffd\ufffd\nloss=1"


def test_an_unfinished_last_line_comes_with_the_end(process):
    launch = process.launch(code="import sys, signal\nprint('first')\nsys.stdout.write('second')\nsignal.pause()")
    process.runner.start(launch)
    process.until_line(launch, "first")
    assert process.runner.poll(launch, 6).lines == ()
    process.runner.stop(launch)
    assert process.wait(launch)[1] == ["first", "second"]


@linux_only
def test_children_that_outlive_it_are_ended_first(process):
    code = "import subprocess\nprint(subprocess.Popen(['sleep', '1000']).pid)"
    _, lines = process.see_out(process.launch(code=code))
    assert is_gone(int(lines[0]))


DAEMON = """
import os, signal
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in (0, 1, 2):
            os.close(fd)
        os.write(write, str(os.getpid()).encode())
        while True:
            signal.pause()
    os._exit(0)
print(os.read(read, 20).decode())
"""


@linux_only
@pytest.mark.parametrize("kind", ["process", "warm"])
def test_daemons_that_left_the_group_are_ended_too(kind, request):
    bench = request.getfixturevalue(kind)
    _, lines = bench.see_out(bench.launch(code=DAEMON))
    assert is_gone(int(lines[0]))


HIDDEN_DAEMON = """
import os, signal, sys, time
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        quiet = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(quiet, fd)
        os.write(write, b"%d" % os.getpid())
        os.execve(sys.executable, [sys.executable, "-c", "import signal; signal.pause()"], {}) if EXEC else signal.pause()
    os._exit(0)
print(os.read(read, 20).decode(), flush=True)
signal.pause()
"""


@linux_only
@pytest.mark.parametrize("kind", ["process", "warm"])
def test_no_daemon_outlives_a_launcher_that_was_killed(kind, request):
    """It has left the group and the session, has another parent, and neither its output nor its variables tell whose it is."""
    bench = request.getfixturevalue(kind)
    launch = bench.launch(code=HIDDEN_DAEMON.replace("EXEC", str(kind == "process")))
    bench.runner.start(launch)
    daemon = int(bench.until(launch, lambda now: now.lines)[-1].lines[0])
    os.kill(process_of(launch)["launcher"], signal.SIGKILL)
    last, _ = bench.wait(launch)
    assert last.exit.cause == "lost"
    bench.until_true(lambda: is_gone(daemon))


MARKED = """
from alfine.runners.launcher.processes import mark_process
mark_process("/some/folder")
input()
"""


@linux_only
def test_a_process_that_has_ended_has_no_mark_although_nobody_has_waited_for_it():
    """Where process 1 waits for nobody, as in many containers, such processes stay for ever."""
    child = subprocess.Popen([sys.executable, "-c", MARKED], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    while mark_on(child.pid) != mark_of("/some/folder"):
        assert child.poll() is None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert mark_on(child.pid) == 0
    child.stdout.close()
    child.wait()


REMOVING = """
import os, shutil, signal, sys
from pathlib import Path
from queue import SimpleQueue
with open(sys.argv[-1], "a") as file:
    file.write("x")
folder = Path(os.environ["SAGEMAKER_BASE_DIR"]).parents[UP]
os.chdir("/")
shutil.rmtree(folder)
WAIT and signal.pause()
"""


@pytest.mark.parametrize("up", [1, 2], ids=["its folder", "the tuning job's folder"])
def test_a_script_that_removes_its_folder_runs_once(process, tmp_path, up):
    code = REMOVING.replace("UP", str(up)).replace("WAIT", "False")
    launch = process.launch(code=code, hyperparameters={"mark": str(tmp_path / "mark")})
    last, _ = process.see_out(launch)
    assert last.exit.cause == "removed"
    assert last.exit.reason().startswith("AlgorithmError: Its folder was removed while it ran")
    process.runner.start(launch)
    process.wait(launch)
    assert (tmp_path / "mark").read_text() == "x"


@linux_only
def test_a_script_that_has_removed_its_folder_is_found_after_a_restart(process, tmp_path):
    code = REMOVING.replace("UP", "1").replace("WAIT", "True")
    launch = process.launch(code=code, hyperparameters={"mark": str(tmp_path / "mark")})
    process.runner.start(launch)
    process.until_true(lambda: (tmp_path / "mark").exists() and not launch.folder.exists())
    assert process.renew().poll(launch, 0).exit.cause == "removed"


@linux_only
def test_another_training_jobs_children_live_on(process):
    code = "import subprocess, signal\nprint(subprocess.Popen(['sleep', '1000']).pid)\nprint('ready')\nsignal.pause()"
    living = process.launch("living", code=code)
    process.runner.start(living)
    process.until_line(living, "ready")
    process.see_out(process.launch("ending", code=DAEMON))
    child = int(process.runner.poll(living, 0).lines[0])
    assert not is_gone(child)
    process.runner.stop(living)
    process.wait(living)
    assert is_gone(child)


# ---- the log


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_regrouped_polls_give_the_same_lines(tmp_path, piece):
    text = b"one\n\ntwo\r\nthree \xc3\xa9\n" + b"y" * 20_000 + b"\nlast"
    log = tmp_path / "log"
    seen, offset, at_end = [], 0, False
    for end in [*range(0, len(text), piece), len(text)]:
        if piece < 100 < end < 19_900:
            continue
        log.write_bytes(text[:end])
        lines, offset, at_end = read_lines(log, offset, ended=end == len(text))
        seen += lines
    assert at_end
    assert seen == ["one", "", "two", "three é", "y" * 16_384, "last"]


def test_one_endless_line_is_cut_and_passed_over(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"z" * (READ_BYTES + 100))
    lines, offset, at_end = read_lines(log, 0, ended=False)
    assert lines == ("z" * 16_384,)
    assert (offset, at_end) == (READ_BYTES, False)
    assert read_lines(log, offset, ended=False) == ((), offset, False)
    assert read_lines(log, offset, ended=True) == (("z" * 100,), READ_BYTES + 100, True)


TRUNCATING = """
import os, sys, time
print("loss=5")
print("x" * 100, flush=True)
while not os.path.exists(sys.argv[-1]):
    time.sleep(0.01)
open("/proc/self/fd/1", "w").close()
print("loss=2", flush=True)
GROW and print("y" * 200, flush=True)
"""


@linux_only
@pytest.mark.parametrize("grow", [False, True], ids=["shorter", "longer than before"])
def test_a_truncated_log_is_read_on_from_its_new_start_and_says_so(process, tmp_path, grow):
    go = tmp_path / "go"
    launch = process.launch(code=TRUNCATING.replace("GROW", str(grow)), hyperparameters={"go": str(go)})
    process.runner.start(launch)
    before = process.until(launch, lambda now: "x" * 100 in now.lines)
    go.touch()
    after = process.until(launch, lambda now: now.exit is not None, before[-1].offset)
    lines = [line for seen in (before, after) for each in seen for line in each.lines if line.startswith("loss")]
    assert lines == ["loss=5", "loss=2"]
    assert "alfine: this log was truncated while the training job ran." in after[-1].exit.tail


# ---- the model


def test_a_model_is_packed_at_the_end(process):
    last, _ = process.see_out(process.launch(code="import os\nopen(os.environ['SM_MODEL_DIR'] + '/m', 'w').write('w')"))
    assert last.exit.succeeded
    with tarfile.open(Workspace(process.launch().folder).archive) as archive:
        assert archive.getnames() == ["m"]


def test_a_big_model_is_packed_by_a_thread(process):
    code = "import os\nwith open(os.environ['SM_MODEL_DIR'] + '/m', 'wb') as f: f.write(bytes(3_000_000))"
    last, _ = process.see_out(process.launch(code=code))
    assert last.exit.succeeded
    with tarfile.open(Workspace(process.launch().folder).archive) as archive:
        assert archive.getmember("m").size == 3_000_000


# ---- restarts and deaths


def test_a_new_runner_finds_a_training_job_that_has_ended(process):
    launch = process.launch(code="print('once')")
    before, lines = process.see_out(launch)
    process.renew()
    after, again = process.wait(launch)
    assert (after.exit, after.ended_at, again) == (before.exit, before.ended_at, lines)


def test_a_new_runner_finds_stops_and_never_doubles_a_running_one(process):
    launch = process.launch(code="import signal\nprint('ready')\nsignal.pause()")
    process.runner.start(launch)
    process.until_line(launch, "ready")
    process.runner.close()
    process.renew().start(launch)
    process.runner.stop(launch)
    last, lines = process.wait(launch)
    assert (last.exit.cause, lines) == ("stopped", ["ready"])


def test_two_runners_that_start_it_at_once_make_one_training_job(process, tmp_path):
    launch = process.launch(code=f"with open({str(tmp_path / 'mark')!r}, 'a') as f: f.write('x')")
    process.runner.start(launch)
    process.renew().start(launch)
    process.wait(launch)
    assert (tmp_path / "mark").read_text() == "x"


def test_what_begins_and_ends_while_it_is_looked_for_has_its_begin(process):
    launch = process.launch(code="pass")

    class Looking(ProcessRunner):
        def _is_asked_for(self, folder):
            process.see_out(launch)
            return super()._is_asked_for(folder)

    seen = Looking(lambda: None).poll(launch, 0)
    assert seen.exit.succeeded
    assert seen.started_at <= seen.ended_at


def test_an_intent_without_a_process_is_started_again(process):
    launch = process.launch(code="print('after all')")
    control = launch.folder / ".alfine"
    control.mkdir(parents=True)
    (control / "launch.json").write_text("{}")
    assert process.runner.poll(launch, 0) is None
    assert process.see_out(launch)[1] == ["after all"]


def test_an_intent_that_was_overwritten_ends_no_other_training_job(process):
    class Overwritten(ProcessRunner):
        def _write_launch(self, launch, decision):
            super()._write_launch(launch, decision)
            if launch.name == "bad":
                (launch.folder / ".alfine" / "launch.json").write_text('{"name": "bad"}')

    def is_refused():
        process.runner.start(bad)
        with suppress(OSError):
            process.runner.poll(bad, 0)
            return False
        return True

    process._make = Overwritten
    process.renew()
    good, bad = (
        process.launch("good", code="print('begun', flush=True)\nimport signal\nsignal.pause()"),
        process.launch("bad", code="pass"),
    )
    process.runner.start(good)
    process.until_line(good, "begun")
    process.until_true(is_refused)
    with pytest.raises(OSError, match="its launcher can't take it: KeyError: 'refused'"):
        process.runner.poll(bad, 0)
    assert process.runner.poll(good, 0).exit is None
    process.runner.stop(good)
    process.wait(good)


@linux_only
def test_a_training_job_whose_launcher_was_killed_is_lost(process):
    launch = process.launch(
        code="import subprocess\nprint(subprocess.Popen(['sleep', '1000']).pid)\nimport signal\nsignal.pause()"
    )
    process.runner.start(launch)
    child = int(process.until(launch, lambda now: now.lines)[-1].lines[0])
    process_record = process_of(launch)
    os.kill(process_record["launcher"], signal.SIGKILL)
    last, lines = process.wait(launch)
    assert (last.exit.cause, lines) == ("lost", [str(child)])
    assert "supervisor of this training job was killed" in last.exit.reason()
    assert is_gone(process_record["pid"])
    assert is_gone(child)
    assert process.see_out(process.launch("next", code="print(1)"))[0].exit.succeeded


@linux_only
def test_a_recycled_process_number_is_left_alone(process):
    launch = process.launch(code="pass")
    control = launch.folder / ".alfine"
    control.mkdir(parents=True)
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    record = {"pid": stranger.pid, "identity": "an earlier boot:1", "started_at": time.time(), "launcher": 1}
    (control / "launch.json").write_text("{}")
    (control / "process.json").write_text(json.dumps(record))
    last, _ = process.wait(launch)
    assert last.exit.cause == "lost"
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


DRIVER = """
import sys
from pathlib import Path
from queue import SimpleQueue
from alfine.runners.executor import LocalLaunch
from alfine.runners.process import ProcessRunner
from tests.missing import missing
home = Path(sys.argv[1])
runner = ProcessRunner(lambda *_: None)
for number in range(8):
    runner.start(LocalLaunch(name=f"job-{number}", folder=home / "jobs" / f"job-{number}", warm=number % 2 == 0,
                             script=Path("train.py"), source_dir=home / "source", hyperparameters={"number": str(number)}))
    print(number, flush=True)
import signal
signal.pause()
"""

COUNTING = """
import os, sys
with open("../../../../../marks", "a") as marks:
    marks.write(sys.argv[2] + "\\n")
for line in range(50):
    print("line", line)
sys.exit(int(sys.argv[2]))
"""


@pytest.mark.parametrize("kill_after", [0, 1, 2, 3, 5, 8])
def test_killing_alfine_loses_no_training_job_and_doubles_none(process, tmp_path, kill_after):
    source = tmp_path / "source"
    source.mkdir()
    (source / "train.py").write_text(COUNTING)
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path)], stdout=subprocess.PIPE)
    with driver:
        for _ in range(kill_after):
            driver.stdout.readline()
        with suppress(subprocess.TimeoutExpired):  # an instant of its own in each run of the test
            driver.wait(random.uniform(0, 0.05))
        driver.kill()
    for number in range(8):
        launch = process.launch(
            f"job-{number}", hyperparameters={"number": str(number)}, script=Path("train.py"), source_dir=source
        )
        launch = replace(launch, folder=tmp_path / "jobs" / launch.name)
        if process.runner.poll(launch, 0) is None:
            process.runner.start(launch)
        last, lines = process.wait(launch)
        assert (last.exit.cause, last.exit.code) == ("exited", number)
        assert lines == [f"line {line}" for line in range(50)]
    marks = (tmp_path / "marks").read_text().split()
    assert sorted(marks) == sorted(str(number) for number in range(8))


def test_close_leaves_running_training_jobs_alone(process):
    launch = process.launch(
        code="import sys\nprint('ready')\nprint(open(sys.argv[2]).read())",
        hyperparameters={"f": str(process.home / "pipe")},
    )
    os.mkfifo(process.home / "pipe")
    process.runner.start(launch)
    process.until_line(launch, "ready")
    process.runner.close()
    (process.home / "pipe").write_text("went on")
    process.renew()
    assert process.wait(launch)[1] == ["ready", "went on"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_runner_tells_of_the_begin_of_each_line_and_of_the_end(process, restarted):
    """Whoever polls at news alone misses nothing, also after a restart of alfine."""
    told = SimpleQueue()
    process.runner = runner = ProcessRunner(lambda *names: told.put(names))
    process.runners.append(runner)
    os.mkfifo(process.home / "pipe")
    launch = process.launch(
        code=f"for n in range(3): print(n, flush=True); open({str(process.home / 'pipe')!r}).read()"
    )
    runner.start(launch)
    lines, seen = [], None
    while seen is None or seen.exit is None:
        assert told.get(timeout=30) == ("tuning", "job-1")
        seen = runner.poll(launch, 0 if seen is None else seen.offset)
        lines += seen.lines
        if seen.lines and restarted and len(lines) == 1:
            process.runner = runner = ProcessRunner(lambda *names: told.put(names))
            process.runners.append(runner)
            runner.poll(launch, seen.offset)
        if seen.lines and seen.exit is None:
            (process.home / "pipe").write_text("")
    assert (lines, seen.exit.succeeded) == (["0", "1", "2"], True)


@pytest.fixture
def group():
    """A control group of processes whose number can be limited."""
    top = next(
        (path for path in map(Path, ("/sys/fs/cgroup/pids", "/sys/fs/cgroup")) if (path / "cgroup.procs").exists()),
        Path("/none"),
    )
    folder = top / f"alfine-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "pids.max").write_text("max")
    except OSError as error:
        with suppress(OSError):
            folder.rmdir()
        missing(f"a control group for the number of processes ({error.strerror})", "run the tests as root")
    yield folder
    for pid in (folder / "cgroup.procs").read_text().split():
        (top / "cgroup.procs").write_text(pid)
    folder.rmdir()


@linux_only
def test_while_there_can_be_few_more_processes_all_but_the_first_training_job_wait(process, group, caplog):
    waits = "import signal\nprint('begun', flush=True)\nsignal.pause()"
    launches = [process.launch(f"job-{number}", code=waits) for number in range(3)]
    process.runner.start(launches[0])
    process.until_line(launches[0], "begun")
    launcher = process_of(launches[0])["launcher"]
    (group / "cgroup.procs").write_text(str(launcher))
    (group / "pids.max").write_text("20")
    for launch in launches[1:]:
        process.runner.start(launch)
    process.until_true(lambda: "waits for its start: only 19 more processes are allowed here." in caplog.text)
    assert [process.runner.poll(launch, 0).started_at for launch in launches[1:]] == [None, None]
    process.runner.stop(launches[1])
    assert process.wait(launches[1])[0].exit.cause == "stopped"
    (group / "pids.max").write_text("max")
    process.until_line(launches[2], "begun")
    for launch in launches:
        process.runner.stop(launch)
        assert process.wait(launch)[0].exit.cause == "stopped"


@linux_only
def test_a_host_for_which_there_can_be_no_process_yet_is_started_later(process, group, tmp_path):
    first = process.launch("first", code="pass")
    process.see_out(first)
    (group / "cgroup.procs").write_text(str(process_of(first)["launcher"]))
    (group / "pids.max").write_text("3")  # the launcher, the parent of the hosts, the first host
    code = f"import os\nos.mkdir({str(tmp_path)!r} + '/' + os.environ['SM_CURRENT_HOST'])"
    launch = process.launch(code=code, instance_count=2)
    process.runner.start(launch)
    process.until_true((tmp_path / "algo-1").exists)
    process.until_true(lambda: "max 0" not in (group / "pids.events").read_text())
    (group / "pids.max").write_text("max")
    assert process.wait(launch)[0].exit.succeeded
    assert (tmp_path / "algo-2").exists()
