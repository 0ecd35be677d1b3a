"""Training jobs in a sandbox: what they find inside, what they can't reach, and how they end."""

import json
import os
import shutil
import signal
import socket
import tarfile
import venv
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from alfine.runners import sandbox as sandboxes
from alfine.runners.executor import LocalChannel
from alfine.runners.job_folder import Workspace
from alfine.runners.launcher import children_of, identity
from alfine.runners.sandbox import SandboxRunner
from alfine.runners.warm import Cold, Warm
from tests.missing import need_sandbox

READY = "print('ready', flush=True)\nimport signal\nsignal.pause()"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready')\nwhile True: signal.pause()"


@pytest.fixture(params=["warm", "cold"])
def sandbox(sandbox, request):
    """Each test holds for both ways to start."""
    sandbox.set(warm=request.param == "warm")
    return sandbox


@pytest.fixture
def closed(sandbox):
    """A port on which somebody listens, and to which this sandbox may not connect."""
    if sandboxes.why_ports_stay_open():
        pytest.skip(sandboxes.why_ports_stay_open())
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sandbox._make = partial(SandboxRunner, hidden=[sandbox.home], closed=lambda: (port,))
        sandbox.renew()
        yield port


def said(sandbox, code: str, **settings) -> list[str]:
    """What a script prints that ends well."""
    launch = sandbox.launch(code=code, **settings)
    last, lines = sandbox.see_out(launch)
    assert last.exit.succeeded, lines
    assert how_it_started(launch).startswith("cold" if launch.command or not launch.warm else "warm")
    return lines


def how_it_started(launch) -> str:
    return json.loads((launch.folder / ".alfine" / "process.json").read_text())["start"]


def descendants(pid: int) -> list[int]:
    return [each for child in children_of(pid) for each in (child, *descendants(child))]


def running(sandbox, code: str, **settings):
    launch = sandbox.launch(code=code, **settings)
    sandbox.runner.start(launch)
    sandbox.until_line(launch, "ready")
    return launch


def main_process(launch) -> int:
    return int(json.loads((launch.folder / ".alfine" / "process.json").read_text())["pid"])


# ---- what is inside


def test_a_script_that_names_opt_ml_runs_unmodified(sandbox, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("1,2\n")
    code = """
import json
lr = json.load(open("/opt/ml/input/config/hyperparameters.json"))["lr"]
print(lr, open("/opt/ml/input/data/train/train.csv").read().strip())
open("/opt/ml/model/weights", "w").write("w")
"""
    channel = LocalChannel(name="train", path=tmp_path / "data")
    assert said(sandbox, code, hyperparameters={"lr": "0.1"}, channels=(channel,)) == ["0.1 1,2"]
    with tarfile.open(Workspace(sandbox.launch().folder).archive) as archive:
        assert archive.getnames() == ["weights"]


def test_every_variable_names_opt_ml(sandbox, tmp_path):
    code = "import os\nprint(*sorted({os.environ[n] for n in os.environ if n.startswith('SM_') and n.endswith('_DIR')}), os.getcwd())"
    [line] = said(sandbox, code)
    assert line.split()[0] == "/opt/ml/code"
    assert all(path.startswith("/opt/ml/") for path in line.split())
    assert str(tmp_path) not in line


def test_a_lone_file_and_a_folder_of_links_are_channels_too(sandbox, tmp_path):
    bucket = tmp_path / "buckets" / "b"
    links = sandbox.launch().folder.parent / ".inputs" / "deep"
    for folder in (bucket, links):
        folder.mkdir(parents=True)
    (bucket / "object").write_text("of a bucket")
    (bucket / "another").write_text("not given")
    (links / "one").symlink_to(bucket / "object")
    channels = (LocalChannel(name="file", path=bucket / "object"), LocalChannel(name="folder", path=links.parent))
    code = f"""
import os
print(open("/opt/ml/input/data/file/object").read(), open("/opt/ml/input/data/folder/deep/one").read())
print(os.listdir({str(bucket)!r}))
"""
    assert said(sandbox, code, channels=channels) == ["of a bucket of a bucket", "['object']"]


def test_tmp_and_home_are_its_own_and_gone_when_it_has_ended(sandbox):
    code = """
import os, tempfile
open("/tmp/mine", "w").write("x")
open(os.path.expanduser("~/mine"), "w").write("x")
print(tempfile.gettempdir(), os.listdir("/var/tmp"), sorted(os.listdir(os.path.expanduser("~"))))
"""
    assert said(sandbox, code) == ["/tmp [] ['mine']"]
    assert sorted(path.name for path in sandbox.launch().folder.iterdir()) == [".alfine", "opt", "output"]


def test_alfines_home_and_credentials_are_hidden(sandbox, tmp_path, monkeypatch):
    user = tmp_path.parent / "user"
    for secret in (tmp_path / "alfine.db", tmp_path / "tuning-jobs" / "other" / "log", user / ".aws" / "credentials"):
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("secret")
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("ALFINE_HOME", str(tmp_path))
    code = f"""
import os, pathlib
print([str(p) for root in ({str(tmp_path)!r}, {str(user)!r}) for p in pathlib.Path(root).rglob("*") if p.is_file()])
print([name for name in os.environ if name.startswith(("AWS_", "ALFINE_"))])
"""
    seen, variables = said(sandbox, code)
    assert "job-1.py" in seen  # its own code, which lies there
    assert not any(name in seen for name in ("alfine.db", "log", "credentials"))
    assert variables == "[]"


def test_this_machine_is_read_only(sandbox):
    code = """
for path in ("/usr/x", "/etc/x", "/opt/x", "/opt/ml/code/job-1.py"):
    try:
        open(path, "w")
    except OSError as error:
        print(error.strerror)
"""
    lines = said(sandbox, code)
    assert lines[:2] == ["Read-only file system"] * 2
    assert lines[-1] == "Read-only file system"


def test_it_sees_its_own_processes_only(sandbox):
    code = "import os\nprint({int(n) for n in os.listdir('/proc') if n.isdigit()} - {os.getpid()} <= {1, 2})"
    assert said(sandbox, code) == ["True"]


@pytest.mark.parametrize(("network", "reached"), [(True, "True"), (False, "False")])
def test_the_network_is_there_or_not(sandbox, network, reached):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"""
import socket
with socket.socket() as s:
    print(s.connect_ex(("127.0.0.1", {server.getsockname()[1]})) == 0, socket.gethostbyname("algo-1"))
"""
        need_sandbox(network=network)
        assert said(sandbox, code, network=network) == [f"{reached} 127.0.0.1"]


WAYS = """
import errno, socket
def answer(kind, family, connect, protocol=0):
    try:
        with socket.socket(family, socket.SOCK_STREAM, protocol) as one:
            connect(one)
        print(kind, "connected")
    except OSError as error:
        print(kind, errno.errorcode[error.errno])
here, v4, v6 = ("127.0.0.1", {port}), socket.AF_INET, socket.AF_INET6
answer("TCP", v4, lambda one: one.connect(here))
answer("IPv6", v6, lambda one: one.connect(("::ffff:127.0.0.1", {port})))
answer("MPTCP", v4, lambda one: one.connect(here), 262)
answer("fast open", v4, lambda one: one.sendto(b"x", socket.MSG_FASTOPEN, here))
answer("fast open again", v4, lambda one: one.sendmsg([b"x"], [], socket.MSG_FASTOPEN, here))
answer("SMC", v4, lambda one: one.setsockopt(socket.IPPROTO_TCP, 31, b"smc"))
answer("another port", v4, lambda one: one.connect(("127.0.0.1", {other})))
"""


def test_a_closed_port_is_reached_in_no_way_and_others_are(sandbox, closed):
    with socket.create_server(("127.0.0.1", 0)) as other:
        told = said(sandbox, WAYS.format(port=closed, other=other.getsockname()[1]))
    assert told[:3] == ["TCP EACCES", "IPv6 EACCES", "MPTCP EPROTONOSUPPORT"]
    assert all(line.endswith(("ENOTSUP", "EOPNOTSUPP", "ENOPROTOOPT")) for line in told[3:6])
    assert told[6] == "another port connected"


def test_what_a_training_job_sets_for_the_linker_is_not_for_the_program_that_closes_ports(sandbox, closed):
    code = "import os\nprint(os.environ['LD_LIBRARY_PATH'])"
    assert said(sandbox, code, environment={"LD_LIBRARY_PATH": "/opt/ml/code"}, warm=False) == ["/opt/ml/code"]


PORTRAIT = """
import json, os, signal, sys
print(sys.argv, sys.path, os.getcwd(), os.getsid(0), os.getppid() <= 1, os.geteuid(), os.nice(0))
print(json.dumps(dict(os.environ), sort_keys=True))
print([line.split() for line in open("/proc/self/status") if line.startswith(("Cap", "NoNewPrivs", "Seccomp:", "Groups", "Uid"))])
print(open("/proc/self/uid_map").read().split(), os.access("/proc/self/mem", os.R_OK), os.stat("/proc/self").st_uid)
places = "/ /usr /etc /opt /opt/ml /opt/ml/code /opt/ml/model /tmp /tmp/home /var/tmp /run /dev /dev/shm /dev/pts /proc /sys".split()
print([(place, os.statvfs(place).f_flag, os.stat(place).st_mode, os.stat(place).st_uid) for place in places])
print(sorted(os.listdir("/")), sorted(os.listdir("/tmp")), sorted(os.listdir("/dev")), sorted(os.listdir("/run")), os.uname().nodename)
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd")))
print([s for s in signal.Signals if signal.getsignal(s) not in (signal.SIG_DFL, None)])
"""


def test_a_script_sees_the_same_world_warm_and_cold(sandbox, closed):
    here = said(sandbox, PORTRAIT)
    source = sandbox.home / "source"
    other = sandbox.launch("job-2", script=Path("job-1.py"), source_dir=source, warm=not sandbox.launch().warm)
    there = sandbox.see_out(other)[1]
    assert how_it_started(other)[:4] != how_it_started(sandbox.launch())[:4]
    assert here == [line.replace("job-2", "job-1") for line in there]


def test_orphans_are_reaped(sandbox):
    code = """
import os, time
reads, writes = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.close(reads)
        os.write(writes, str(os.getpid()).encode())
        os._exit(0)
    os._exit(0)
os.wait()
os.close(writes)
orphan = os.read(reads, 9).decode() + os.read(reads, 9).decode()
while os.path.exists(f"/proc/{orphan}"): time.sleep(0.01)
"""
    assert said(sandbox, code) == []


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """An interpreter that has modules installed which look around, or write."""
    folder = tmp_path_factory.mktemp("interpreter")
    venv.create(folder)
    [installed] = folder.glob("lib/python*/site-packages")
    (installed / "curious.py").write_text(
        "import os\nSEEN = [file for *_, files in os.walk('/tmp') for file in files if file in ('job-1.py', 'secret')], os.path.expanduser('~'), os.environ['TMPDIR']\n"
    )
    (installed / "scribe.py").write_text("open('/tmp/notes', 'w').close()\n")
    return folder / "bin" / "python"


def test_imports_see_what_the_script_sees(sandbox, tmp_path, python):
    (tmp_path / "secret").write_text("of another")
    code = "import curious\nprint(*curious.SEEN)"
    [line] = said(sandbox, code, python=str(python))
    assert "job-1.py" in line
    assert "secret" not in line
    assert line.endswith("/tmp/home /tmp")


def test_imports_that_write_make_the_start_cold(sandbox, python):
    launch = sandbox.launch(code="import scribe, os\nprint(os.listdir('/tmp'))", python=str(python))
    assert "notes" in sandbox.see_out(launch)[1][0]
    assert how_it_started(launch) == ("cold: its imports write /tmp/notes" if launch.warm else "cold")


@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_PRELOAD", "HOME", "OPENSSL_CONF", "MPLCONFIGDIR"])
def test_code_of_its_own_never_runs_in_the_launcher(sandbox, name):
    harmless = {"KERAS_BACKEND": "jax", "TRACKING": "http://127.0.0.1/x", "SM_HINT": "/x", "PYTHONHASHSEED": "0"}
    launch = sandbox.launch(code="import json", environment=harmless)
    assert isinstance(sandbox.runner._plan(launch), Warm if launch.warm else Cold)
    launch = replace(launch, environment={**harmless, name: "/opt/ml/code"})
    assert sandbox.runner._plan(launch) == Cold(f"{name} is set" if launch.warm else "")


def test_an_interpreter_of_its_own_never_runs_the_launcher(sandbox, tmp_path):
    launch = sandbox.launch(code="import json")
    launch = replace(launch, python=shutil.copy("/bin/sh", tmp_path / "source" / "sh"))
    assert sandbox.runner._plan(launch) == Cold("its interpreter is one of its own files" if launch.warm else "")


def test_bubblewrap_itself_loads_nothing_that_the_training_job_names(sandbox):
    code = "import os\nprint(os.environ['LD_LIBRARY_PATH'])"
    launch = sandbox.launch(code=code, environment={"LD_LIBRARY_PATH": "/opt/ml/code"})
    assert sandbox.see_out(launch)[1] == ["/opt/ml/code"]
    [process] = json.loads((launch.folder / ".alfine" / "launch.json").read_text())["processes"]
    assert not any(name.startswith("LD_") for name in process["env"])


# ---- how it ends


def test_sigterm_reaches_the_script_and_its_grace_holds(sandbox):
    code = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(0)))\n"
        "print('ready')\nwhile True: time.sleep(60)"
    )
    launch = running(sandbox, code)
    sandbox.runner.stop(launch)
    last, lines = sandbox.wait(launch)
    assert lines == ["ready", "saved"]
    assert (last.exit.cause, last.exit.code) == ("stopped", 0)


def test_a_script_deaf_to_sigterm_is_killed_after_its_grace(sandbox):
    launch = running(sandbox, DEAF, grace_seconds=0.2)
    sandbox.runner.stop(launch)
    last, _ = sandbox.wait(launch)
    assert (last.exit.cause, last.exit.signal) == ("stopped", signal.SIGKILL)


def test_a_stop_while_the_sandbox_is_made_is_kept(sandbox):
    launch = sandbox.launch(code=READY)
    sandbox.runner.start(launch)
    sandbox.runner.stop(launch)
    assert sandbox.wait(launch)[0].exit.cause == "stopped"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit(3)", "exit code: 3"),
        ("import sys; sys.exit(255)", "exit code: 255"),
        ("import os; os.kill(os.getpid(), 9)", "killed by signal 9 (SIGKILL): out of memory?"),
        (
            "open('/opt/ml/output/failure', 'w').write('no such column'); raise SystemExit(1)",
            "no such column, exit code: 1",
        ),
    ],
)
def test_its_end_comes_through(sandbox, code, reason):
    last, _ = sandbox.see_out(sandbox.launch(code=code))
    assert f"AlgorithmError: {reason}" in last.exit.reason()


def test_a_command_that_is_not_there_says_so(sandbox):
    last, _ = sandbox.see_out(sandbox.launch(command=("no-such-command-anywhere",)))
    assert last.exit.reason().startswith("Command not found: no-such-command-anywhere.")


def test_what_the_sandbox_cannot_run_never_started(sandbox):
    last, _ = sandbox.see_out(sandbox.launch(command=("./not-among-the-code",)))
    assert last.exit.cause == "not_started"
    assert "No such file or directory" in last.exit.reason()


def test_killing_the_sandbox_from_outside_ends_what_is_inside(sandbox):
    launch = running(sandbox, READY)
    outside = main_process(launch)
    inside = descendants(outside)
    os.kill(outside, signal.SIGKILL)
    last, _ = sandbox.wait(launch)
    assert last.exit.signal == signal.SIGKILL
    assert len(inside) >= 2
    assert [identity(pid) for pid in inside] == [None] * len(inside)


def test_a_training_job_outlives_alfine_and_its_sandbox(sandbox):
    launch = running(sandbox, READY)
    sandbox.runner.close()
    sandbox.renew().stop(launch)
    last, lines = sandbox.wait(launch)
    assert (last.exit.signal, lines) == (signal.SIGTERM, ["ready"])


def test_what_a_killed_launcher_leaves_is_ended(sandbox):
    launch = running(sandbox, READY)
    record = json.loads((launch.folder / ".alfine" / "process.json").read_text())
    inside = descendants(record["pid"])
    os.kill(record["launcher"], signal.SIGKILL)
    last, _ = sandbox.wait(launch)
    assert last.exit.cause == "lost"
    assert len(inside) >= 2
    sandbox.until_true(lambda: not any(map(identity, inside)))


def test_without_bubblewrap_it_says_so(sandbox, monkeypatch):
    sandboxes._probed.cache_clear()
    with monkeypatch.context() as nowhere:
        nowhere.setenv("PATH", "/nowhere")
        last, _ = sandbox.see_out(replace(sandbox.launch(code=READY), warm=False))
    sandboxes._probed.cache_clear()
    assert last.exit.reason() == "bubblewrap isn't installed (no bwrap on PATH)."


def put_before_bwrap(launch, monkeypatch, text):
    """Let a shell's text decide what is made in place of the sandboxes of training jobs: $number counts them from 0."""
    program = launch.folder.parent / "bwrap"  # where the launcher's own sandbox shows it, too
    program.parent.mkdir(parents=True)
    program.write_text(f"""#!/bin/sh
number=0
case "$*" in
    *launcher/__main__.py*) ;;
    *) while ! mkdir "{program.parent}/$number" 2> /dev/null; do number=$((number + 1)); done; {text};;
esac
exec {shutil.which("bwrap")} "$@"
""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize("sandbox", ["warm"], indirect=True)
@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ("sleep 600 & echo; wait", "sandbox: its first process ended at once."),
        (
            "set -- --unshare-pid --ro-bind / / --proc /proc --tmpfs /opt -- /bin/sh -c 'echo && read end'",
            "sandbox: [Errno 2] No such file or directory: '/opt/ml/code'",
        ),
    ],
)
def test_a_warm_start_in_a_sandbox_that_was_not_made_as_asked_says_so(sandbox, monkeypatch, made, reason):
    """Such as by another version of bubblewrap. The first one is the launcher's try whether it can enter a sandbox."""
    launch = sandbox.launch(code="import json")
    put_before_bwrap(launch, monkeypatch, f"[ $number = 0 ] || {{ {made}; }}")
    last, lines = sandbox.see_out(launch)
    assert (last.exit.cause, lines) == ("not_started", [reason])


def test_a_sandbox_that_cannot_be_made_for_want_of_something_is_made_later(sandbox, monkeypatch):
    launch = sandbox.launch(code="import json\nprint('ran')")
    said = "bwrap: Can't fork for pid 1: Resource temporarily unavailable"
    first = int(launch.warm)
    short = f'case $number in {first}|{first + 1}) echo "{said}" >&2; exit 1; esac'
    put_before_bwrap(launch, monkeypatch, short)
    last, lines = sandbox.see_out(launch)
    assert (last.exit.succeeded, lines) == (True, [said, said, "ran"])
    assert how_it_started(launch) == ("warm" if launch.warm else "cold")


@pytest.mark.parametrize("sandbox", ["cold"], indirect=True)
def test_that_no_sandbox_can_be_tried_for_want_of_something_is_forgotten(sandbox, monkeypatch):
    """It would be said to work nowhere, and `auto` would run scripts without one, until alfine is started again."""
    launch = sandbox.launch(code="print('ran')")
    short = "case $number in 0) echo bwrap: Creating new namespace failed: Resource temporarily unavailable >&2; exit 1; esac"
    put_before_bwrap(launch, monkeypatch, short)
    sandboxes._probed.cache_clear()
    with pytest.raises(BlockingIOError, match="can't be made at present: bwrap: Creating new namespace failed"):
        sandbox.runner.start(launch)
    assert sandbox.see_out(launch)[1] == ["ran"]


def test_a_script_that_fails_with_such_a_message_ran_and_does_not_run_again(sandbox, tmp_path):
    said = "bwrap: Can't fork for pid 1: Resource temporarily unavailable"
    last, lines = sandbox.see_out(sandbox.launch(code=f"import json\nprint('ran')\nraise SystemExit({said!r})"))
    assert lines == ["ran", said]
    assert not last.exit.succeeded
