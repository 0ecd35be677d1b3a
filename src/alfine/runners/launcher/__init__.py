"""The launcher: a program that starts and supervises training jobs, so that they outlive alfine.

    python -I -S launcher/__main__.py FD LIMIT HOME   starts any command
    python launcher/__main__.py FD LIMIT warm HOME    imports a script's modules, and forks training jobs that run the script

It uses only the standard library, works with Python 3.8 or newer, and imports nothing of alfine, because it may run under the user's
interpreter. It reads requests from the socket FD, one JSON object a line, and writes events to it. At the end of file (alfine has
ended, or has let go) it goes on until its training jobs have ended. LIMIT is the soft limit on descriptors that training jobs get: the
launcher itself takes the hard one, since it holds one for each. HOME is for whoever looks at processes: the launcher doesn't read it.
`supervisor` is its loop, `job` one training job, `hosts` a training job of several hosts; `preload`, `script` and `entering` are the
warm start; alfine itself uses `files` and `processes` too.

Each training job has a folder `.alfine`, whose files alfine can rely on:

- `lock` is locked (by fcntl, so that no child inherits the lock) from before the first process until after `exit.json` is written.
  So a held lock means: supervised. A free lock with `process.json` and without `exit.json` means: the launcher was killed. Neither
  file means: never started.
- `process.json` is written before the command runs; the child waits for it. So no crash leaves a process without a record.
- `exit.json` is written when every process of the training job is gone. After that nothing is added to `log`.

The main process isn't always the training job itself. It may be the outside of a sandbox, with the training job `behind` generations
below it, which then gets the SIGTERM. Or it is a child of the launcher that stays outside a sandbox (`entering`), or that runs one
process for each of several hosts and ends with them (`hosts`). Such a main process reports that the training job died of signal n by
the exit code 128 + n, as shells do.

The processes of a training job are its process group and, on Linux, also those that left the group: a training job reaps its orphans
while it lives (PR_SET_CHILD_SUBREAPER, as process 1 of a container does), and they become children of the launcher when it dies. So a
child of the launcher that is no running training job is left over from one that has ended.

When the launcher is killed, the kernel kills its training jobs on Linux (PR_SET_PDEATHSIG), since nobody else would. Their orphans are
found by alfine's next look, by a mark that each process inherits (`processes.mark_process`).

While the machine has no more descriptors, processes or memory, training jobs wait for their start, and the launcher says so (event
`short`).

Each start of a launcher is waited for. So it imports little, and its modules are files, which Python keeps compiled.
"""

from .beneath import Beneath, open_regular
from .files import (
    CONTAINER,
    CONTROL,
    DELETED,
    EXIT,
    HEARD,
    LAUNCH,
    LOCK,
    LOG,
    PROCESS,
    STOP,
    control_path,
    open_log,
    read_json,
    take_lock,
    write_json,
)
from .job import REMOVED
from .processes import children_of, identity, kill_group, mark_of, mark_on

PROGRAM = __file__.rpartition("/")[0] + "/__main__.py"

__all__ = [
    "CONTAINER",
    "CONTROL",
    "DELETED",
    "EXIT",
    "HEARD",
    "LAUNCH",
    "LOCK",
    "LOG",
    "PROCESS",
    "PROGRAM",
    "REMOVED",
    "STOP",
    "Beneath",
    "children_of",
    "control_path",
    "identity",
    "kill_group",
    "mark_of",
    "mark_on",
    "open_log",
    "open_regular",
    "read_json",
    "take_lock",
    "write_json",
]
