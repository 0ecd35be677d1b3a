"""Training jobs in a sandbox: what they find inside, what they can't reach, and how they end."""

import json
import os
import signal
import socket
import tarfile
from dataclasses import replace

import pytest

from alfine.runners import Channel
from alfine.runners import sandbox as sandboxes
from alfine.runners.launcher import children_of, identity
from alfine.runners.workspace import Workspace

READY = "print('ready', flush=True)\nimport signal\nsignal.pause()"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready')\nwhile True: signal.pause()"


def said(sandbox, code: str, **settings) -> list[str]:
    """What a script prints that ends well."""
    last, lines = sandbox.see_out(sandbox.launch(code=code, **settings))
    assert last.exit.succeeded, lines
    return lines


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
    channel = Channel(name="train", path=tmp_path / "data")
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
    channels = (Channel(name="file", path=bucket / "object"), Channel(name="folder", path=links.parent))
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
    code = "import os\nprint(sorted(int(n) for n in os.listdir('/proc') if n.isdigit()) == [1, os.getpid()])"
    assert said(sandbox, code) == ["True"]


@pytest.mark.parametrize(("network", "reached"), [(True, "True"), (False, "False")])
def test_the_network_is_there_or_not(sandbox, network, reached):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"""
import socket
with socket.socket() as s:
    print(s.connect_ex(("127.0.0.1", {server.getsockname()[1]})) == 0, socket.gethostbyname("algo-1"))
"""
        if sandboxes.why_not(network=network):
            pytest.skip(sandboxes.why_not(network=network))
        assert said(sandbox, code, network=network) == [f"{reached} 127.0.0.1"]


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
    [first] = children_of(outside)
    inside = children_of(first)
    os.kill(outside, signal.SIGKILL)
    last, _ = sandbox.wait(launch)
    assert last.exit.signal == signal.SIGKILL
    assert [identity(pid) for pid in (first, *inside)] == [None] * (1 + len(inside))


def test_a_training_job_outlives_alfine_and_its_sandbox(sandbox):
    launch = running(sandbox, READY)
    sandbox.runner.close()
    sandbox.renew().stop(launch)
    last, lines = sandbox.wait(launch)
    assert (last.exit.signal, lines) == (signal.SIGTERM, ["ready"])


def test_what_a_killed_launcher_leaves_is_ended(sandbox):
    launch = running(sandbox, READY)
    record = json.loads((launch.folder / ".alfine" / "process.json").read_text())
    [first] = children_of(record["pid"])
    os.kill(record["launcher"], signal.SIGKILL)
    last, _ = sandbox.wait(launch)
    assert last.exit.cause == "lost"
    assert identity(first) is None


def test_without_bubblewrap_it_says_so(sandbox, monkeypatch):
    sandboxes._probed.cache_clear()
    with monkeypatch.context() as nowhere:
        nowhere.setenv("PATH", "/nowhere")
        last, _ = sandbox.see_out(replace(sandbox.launch(code=READY), warm=False))
    sandboxes._probed.cache_clear()
    assert last.exit.reason() == "bubblewrap isn't installed (no bwrap on PATH)."
