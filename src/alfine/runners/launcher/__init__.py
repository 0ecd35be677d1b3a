"""The supervisor of training jobs: a program by itself, so that training jobs outlive alfine.

    python -I -S launcher/__main__.py FD        starts any command
    python launcher/__main__.py FD warm         preloads a script's imports and forks training jobs that run it

Standard library only, Python 3.8 or newer, nothing of alfine: it may run under the user's own interpreter. It reads one
request a line (JSON) from the socket FD and answers with events; at the end of file (alfine ended, or let go) it goes on
until its training jobs have ended. `supervisor` is its loop, `job` what it knows of each training job, `hosts` those of several
hosts, `preload`, `script` and `entering` the warm start, `files` and `processes` what alfine uses too.

What it promises, in the files of a job's `.alfine` folder:

- `lock` is held (fcntl, so never inherited) from before the first process until after `exit.json` is written. Hence: lock
  held = supervised; lock free with `process.json` but no `exit.json` = the supervisor was killed; neither = never started.
- `process.json` is written before the command runs: the child waits for it. A crash can't leave a process without a record.
- `exit.json` is written when every process of the training job is gone, and after it nothing is added to `log`.

Its main process need not be the training job itself: it may be the outside of a sandbox, whose inside gets the SIGTERM
(`behind` generations below), or a child of ours that stays outside of a sandbox (`entering`) or, with several hosts, runs one
process for each and ends with them. Such a main process says by an exit code of 128 + n that the training job died of signal n, as shells do.

Who belongs to a training job: its process group; and on Linux whoever left the group, since each training job reaps its own
orphans while it lives (PR_SET_CHILD_SUBREAPER, what process 1 of a container does) and hands them to the launcher when it
dies: a child of the launcher that isn't a running training job is a leftover of one that has ended.

When the launcher itself is killed, the kernel kills its training jobs on Linux (PR_SET_PDEATHSIG): nobody would end them.

Each start of a launcher is waited for: so it imports little, and its modules are files that Python keeps compiled.
"""

from .files import (
    CONTROL,
    EXIT,
    LAUNCH,
    LOCK,
    LOG,
    PROCESS,
    STOP,
    control_path,
    read_json,
    take_lock,
    write_json,
)
from .processes import children_of, identity, kill_group

PROGRAM = __file__.rpartition("/")[0] + "/__main__.py"

__all__ = [
    "CONTROL",
    "EXIT",
    "LAUNCH",
    "LOCK",
    "LOG",
    "PROCESS",
    "PROGRAM",
    "STOP",
    "children_of",
    "control_path",
    "identity",
    "kill_group",
    "read_json",
    "take_lock",
    "write_json",
]
