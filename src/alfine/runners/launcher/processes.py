"""Processes: who they are, how they begin, how they are told to end."""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress

TYPE_CHECKING = False  # typing takes its time to import
if TYPE_CHECKING:
    from typing import Any

LINUX = sys.platform.startswith("linux")
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
HELPERS: set[int] = set()
"""Our children that nobody waits for and that belong to no training job: they kill by a command, or flush."""


def identity(pid: int) -> str | None:
    """What tells the process from a later one of the same number: boot and start time. None when it's gone.

    A zombie is gone: it does nothing any more, and who has to reap it isn't us.
    """
    if not LINUX:
        return _identity_by_ps(pid)
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _identity_by_ps(pid: int) -> str | None:
    import subprocess  # seldom needed, slow to import

    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def terminate(pid: int, behind: int) -> bool:
    """SIGTERM to the process `behind` generations below `pid`, always the eldest child; False when it isn't there yet."""
    for _ in range(behind):
        children = children_of(pid)
        if not children:
            return False
        pid = children[0]
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    return True


def kill_by_command(processes: list[dict[str, Any]]) -> bool:
    """Run the commands by which these processes are killed, where they have such; nobody waits for them."""
    commands = [each for each in processes if each.get("kill")]
    for each in commands:
        pid = quiet_fork()
        if pid == 0:
            os.setsid()
            with suppress(OSError):
                os.execvpe(each["kill"][0], each["kill"], each["env"])  # noqa: S606
            os._exit(127)
        HELPERS.add(pid)
    return bool(commands)


def children_of(pid: int) -> list[int]:
    """The children of a process's main thread, the eldest first; none when it's gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(each) for each in file.read().split()]
    except OSError:
        return []


def kill_group(group: int, number: int) -> bool:
    """Send a signal to a process group (0 only asks); False when nobody is left in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS answers so for a group of zombies; elsewhere: someone is there
        return LINUX
    return True


def quiet_fork() -> int:
    """Fork; Python's warning about threads is left out, since `preload` has judged them."""
    if sys.version_info < (3, 12):
        return os.fork()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def execute(process: dict[str, Any]) -> None:
    """Become the process; raises OSError when it can't be."""
    os.chdir(process["cwd"])
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores some; a command must not
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(process["argv"][0], process["argv"], process["env"])  # noqa: S606


def why_not(error: BaseException, process: dict[str, Any]) -> str:
    """What to tell the user when `execute` failed."""
    command = process["argv"][0]
    about = os.fsdecode(getattr(error, "filename", None) or command)  # execvpe names the last place that it tried
    about_command = os.path.basename(about) == os.path.basename(command)
    if not about_command or not isinstance(error, OSError):
        return f"{command} couldn't be started: {error}."
    if isinstance(error, FileNotFoundError) and os.path.exists(os.path.join(process["cwd"], command)):
        return f"{command} can't run: the interpreter in its first line (#!) doesn't exist."
    if isinstance(error, FileNotFoundError):
        return f"Command not found: {command}. Give a full path, or put its folder on PATH in Environment."
    if isinstance(error, PermissionError):
        return f"{command} is not executable. Run chmod +x on it, or put its interpreter before it."
    if error.errno == errno.ENOEXEC:
        return f"{command} is no program: its first line doesn't name an interpreter (#!)."
    return f"{command} couldn't be started: {error}."


def wakeup_pipe() -> tuple[int, int]:
    """A pipe for `signal.set_wakeup_fd`: (to read from, to write to), and neither blocks."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def note(_number: int, _frame: Any) -> None:
    """A signal that has a handler reaches the wakeup pipe; there is nothing more to do."""


def say(line: str) -> None:
    """Write a line of ours to the training job's log."""
    os.write(1, f"{line}\n".encode(errors="replace"))
