"""Whether the process that owns a lease still runs, as far as this machine can tell; and the names of owners and nodes."""

import os
import re
import socket
from pathlib import Path

from alfine.jobs.lease_owner import is_alive, machine, new_owner, node_of

HOST = socket.gethostname()
GONE = 2**22 + 1
"""More than any process id: proc(5), pid_max."""


def start_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def owner(*, host=HOST, pid=None, started=None, place=None):
    """An owner like one of this process, with something else about it."""
    _, own_pid, own_start, own_place = new_owner().rsplit(":", 3)
    parts = (host, own_pid if pid is None else pid, own_start if started is None else started)
    return ":".join((*map(str, parts), own_place if place is None else place))


def test_each_engine_of_a_process_has_a_name_of_its_own_that_says_where_it_runs():
    first, second = new_owner(), new_owner()
    assert first != second
    started = start_of(os.getpid())
    for name in (first, second):
        assert re.fullmatch(rf"{re.escape(HOST)}:{os.getpid()}:{started}:{machine()}-[0-9a-f]{{12}}", name)
    assert re.fullmatch(r"[0-9a-f]{12}", machine())


def test_an_owner_lives_as_long_as_its_process():
    assert is_alive(owner())
    assert is_alive(owner(pid=1, started=start_of(1)))
    assert not is_alive(owner(pid=GONE))
    assert not is_alive(owner(started=1))


def test_an_owner_on_another_machine_is_taken_to_live():
    assert is_alive(owner(pid=GONE, place="0123456789ab-0123456789ab"))
    assert is_alive(owner(pid=GONE, host="another", place="0123456789ab"))  # an earlier version named no machine
    assert not is_alive(owner(pid=GONE, place="0123456789ab"))
    assert is_alive(owner(place="0123456789ab"))
    assert is_alive(owner(pid=GONE, host="with:colons", place="0123456789ab-0123456789ab"))
    assert not is_alive(owner(pid=GONE, host="renamed"))  # the machine counts, not its name


def test_a_node_is_a_folder_of_a_machine_however_it_is_reached(tmp_path):
    real, other, link = tmp_path / "real", tmp_path / "other", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    assert node_of(real) == node_of(link) != node_of(other)
    assert re.fullmatch(rf"{re.escape(HOST)}:[0-9a-f]{{12}}", node_of(real))
