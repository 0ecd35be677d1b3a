"""What a launcher tells alfine through its socket."""

import sys
import threading

from alfine.runners import launcher
from alfine.runners.job_environment import host_environment
from alfine.runners.job_folder import make_control
from alfine.runners.launcher_connection import LauncherConnection
from tests.cli.conftest import until

MORE_THAN_A_SOCKET_HOLDS = 1200


def test_events_that_alfine_does_not_read_for_a_while_are_not_lost(tmp_path):
    """That a training job can't be taken stands in no file: without the event it would be waited for for good."""
    may_read, events = threading.Event(), []

    def heard(_, event):
        may_read.wait()
        events.append(event)

    argv = [sys.executable, "-I", "-S", launcher.PROGRAM]
    connection = LauncherConnection(argv, host_environment(), None, heard)
    missing = [str(tmp_path / f"missing-{number}") for number in range(MORE_THAN_A_SOCKET_HOLDS)]
    make_control(tmp_path / "refused")
    spec = {
        "refused": "no such program",
        "processes": [],
        "wrapper": "",
        "scratch": [],
        "settle": None,
        "start": "cold",
    }
    launcher.write_json(launcher.control_path(str(tmp_path / "refused"), launcher.LAUNCH), spec)
    for folder in [*missing, str(tmp_path / "refused")]:
        assert connection.request("start", folder)
    until((tmp_path / "refused/.alfine/exit.json").exists, "the launcher has read everything")
    may_read.set()
    until(lambda: [event["folder"] for event in events if event["event"] == "not_taken"] == missing, "all are told")
    connection.let_go()
    until(lambda: events[-1]["event"] == "gone", "the launcher has ended")
