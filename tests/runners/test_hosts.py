"""Training jobs of several hosts: a process for each, one end."""

import json
import tarfile

import pytest

from alfine.runners.job_folder import Workspace
from alfine.runners.launcher import identity
from alfine.runners.process import ProcessRunner


@pytest.fixture(params=["process", "sandbox"])
def bench(request):
    return request.getfixturevalue(request.param)


TELL = """
import json, os
base = os.environ["SAGEMAKER_BASE_DIR"]
config = json.load(open(base + "/input/config/resourceconfig.json"))
me = os.environ["SM_CURRENT_HOST"]
assert config["current_host"] == me and config["hosts"] == json.loads(os.environ["SM_HOSTS"])
assert json.loads(os.environ["SM_TRAINING_ENV"])["is_master"] == (me == "algo-1")
open(os.environ["SM_MODEL_DIR"] + "/" + me, "w").write("w")
open("scratch", "w").write(me)
line = f"{me} {config['hosts']} {config['network_interface_name']}\\n"
os.write(1, line.encode())  # at once: they share the log
"""


def test_each_host_knows_itself_and_the_others_and_they_leave_one_model(bench):
    launch = bench.launch(code=TELL, instance_count=3)
    last, lines = bench.see_out(launch)
    assert last.exit.succeeded, lines
    hosts = ["algo-1", "algo-2", "algo-3"]
    assert sorted(lines) == [f"{host} {hosts} lo" for host in hosts]
    with tarfile.open(Workspace(launch.folder).archive) as archive:
        assert sorted(archive.getnames()) == hosts


def test_hosts_are_sorted_by_name_as_sagemaker_sorts_them(process):
    code = "import os\nos.write(1, (os.environ['SM_HOSTS'] + '\\n').encode())"  # at once: they share the log
    last, lines = process.see_out(process.launch(code=code, instance_count=11))
    assert last.exit.succeeded
    assert json.loads(lines[0])[:3] == ["algo-1", "algo-10", "algo-11"]


REPLACING = """
import os, shutil
for name in ("model", "output", "checkpoints"):
    try:
        os.rename("/opt/ml/" + name, "/opt/ml/other")
    except OSError as error:
        os.write(1, f"{error.strerror}\\n".encode())
"""


def test_no_host_can_replace_a_folder_that_the_others_mount(sandbox):
    """A link in its place would be followed when the sandbox of the next host is made."""
    last, lines = sandbox.see_out(sandbox.launch(code=REPLACING, instance_count=2))
    assert last.exit.succeeded
    assert lines == ["Device or resource busy"] * 6


FAILING = """
import os, signal, sys
if os.environ["SM_CURRENT_HOST"] == "algo-2":
    sys.exit(3)
signal.signal(signal.SIGTERM, lambda *_: (print("told"), sys.exit(0)))
while True: signal.pause()
"""


def test_one_that_fails_ends_the_others_and_is_the_reason(bench):
    last, lines = bench.see_out(bench.launch(code=FAILING, instance_count=2))
    assert (last.exit.cause, last.exit.code) == ("exited", 3)
    assert "alfine: algo-2 ended with exit code 3, so the other hosts are asked to stop." in lines
    assert len(lines) <= 2  # algo-1 may be told before it listens


def test_a_host_that_does_not_listen_is_killed_after_its_grace(bench):
    code = FAILING.replace('lambda *_: (print("told"), sys.exit(0))', "signal.SIG_IGN")
    last, _ = bench.see_out(bench.launch(code=code, instance_count=2, grace_seconds=0.5))
    assert last.exit.code == 3


WAITING = """
import os, signal, sys
def told(*_):
    os.write(1, f"saved {os.environ['SM_CURRENT_HOST']}\\n".encode())  # at once: they share the log
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
os.write(1, f"ready {os.environ['SM_CURRENT_HOST']}\\n".encode())
while True: signal.pause()
"""


def test_a_stop_reaches_every_host(bench):
    launch = bench.launch(code=WAITING, instance_count=2)
    bench.runner.start(launch)
    seen = set()
    bench.until(launch, lambda now: seen.update(now.lines) or len(seen) == 2)
    bench.runner.stop(launch)
    last, lines = bench.wait(launch)
    assert (last.exit.cause, last.exit.code) == ("stopped", 0)
    assert sorted(lines) == ["ready algo-1", "ready algo-2", "saved algo-1", "saved algo-2"]


def test_hosts_reach_each_other_by_name_in_a_sandbox(sandbox):
    code = """
import os, socket, sys, time
if os.environ["SM_CURRENT_HOST"] == "algo-1":
    with socket.create_server(("algo-1", 0)) as server:
        open("/opt/ml/checkpoints/.port", "w").write(str(server.getsockname()[1]))
        os.rename("/opt/ml/checkpoints/.port", "/opt/ml/checkpoints/port")
        print(server.accept()[0].recv(100).decode())
else:
    while not os.path.exists("/opt/ml/checkpoints/port"):
        time.sleep(0.01)
    with socket.create_connection(("algo-1", int(open("/opt/ml/checkpoints/port").read()))) as connection:
        connection.sendall(b"hello from " + socket.gethostname().encode())
"""
    last, lines = sandbox.see_out(sandbox.launch(code=code, instance_count=2))
    assert (last.exit.succeeded, lines) == (True, ["hello from algo-2"])


def test_hosts_that_cannot_be_started_say_why(process, tmp_path):
    program = tmp_path / "train"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    last, lines = process.see_out(process.launch(command=(str(program),), instance_count=2))
    assert (last.exit.cause, last.exit.code) == ("exited", 127)
    assert f"{program} can't run: the interpreter in its first line (#!) doesn't exist." in lines


def test_what_goes_wrong_in_alfines_own_process_is_in_the_log_and_leaves_no_host(process, tmp_path):
    class Nameless(ProcessRunner):
        def _process(self, launch, host):
            return {name: value for name, value in super()._process(launch, host).items() if name != "host"}

    process._make = Nameless
    process.renew()
    code = FAILING.replace(
        "signal.signal", f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nsignal.signal"
    )
    code = code.replace(
        "sys.exit(3)", f"\n    while not os.path.exists({str(tmp_path / 'pid')!r}): pass\n    sys.exit(3)"
    )
    last, lines = process.see_out(process.launch(code=code, instance_count=2))
    assert (last.exit.cause, last.exit.code) == ("exited", 1)
    assert "KeyError: 'host'" in lines
    assert identity(int((tmp_path / "pid").read_text())) is None
