"""Processes: how they are recognised, started and ended."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from contextlib import suppress

from .capacity import SHORTAGES

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from typing import Any

LINUX = sys.platform.startswith("linux")

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>: the kernel kills this process when its parent ends."""

PR_SET_CHILD_SUBREAPER = 36
"""From <linux/prctl.h>: orphans among the descendants become this process's children."""

MARK_BITS = 61
"""A mark is a number of 62 bits: as a limit in microseconds it is 73,000 years, so that it limits nothing."""

HELPERS: set[int] = set()
"""Children of the launcher that belong to no training job: they run a kill command, or flush files. Nobody waits for them."""


def identity(pid: int) -> str | None:
    """Return what distinguishes a process from a later one with the same id: boot and start time.

    Returns:
        None when the process is gone. A zombie counts as gone, since it does nothing any more.

    Raises:
        OSError: There are too few descriptors to tell, for example.
    """
    if not LINUX:
        return _identity_by_ps(pid)
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except OSError as error:
        if error.errno in SHORTAGES:  # nobody knows
            raise
        return None  # it is gone, which is what None says
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _identity_by_ps(pid: int) -> str | None:
    import subprocess  # seldom needed, slow to import

    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def mark_of(folder: str) -> int:
    """Return the number that marks the processes of the training job in a folder."""
    number = 0xCBF29CE484222325  # FNV-1a, which needs no import
    for byte in os.fsencode(folder):
        number = (number ^ byte) * 0x100000001B3 % (1 << 64)
    return 1 << MARK_BITS | number % (1 << MARK_BITS)


def mark_process(folder: str) -> None:
    """Mark this process, and all that it will start, as those of the training job in a folder.

    The mark is a limit that concerns no ordinary process: the processor time that a real-time process may use without a pause. Unlike
    a variable, an open file, a session or a parent it stays with every descendant, whatever that closes, clears or leaves.
    """
    if hasattr(resource, "RLIMIT_RTTIME"):
        _, most = resource.getrlimit(resource.RLIMIT_RTTIME)
        with suppress(ValueError, OSError):  # somebody has limited it: then processes are found by what they have open
            resource.setrlimit(resource.RLIMIT_RTTIME, (mark_of(folder), most))


def mark_on(pid: int) -> int:
    """Return the mark of a process; 0 where it has none, or has ended, also if nobody has waited for it yet."""
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            marks = [line.split()[3] for line in file if line.startswith(b"Max realtime timeout")]
    except OSError as error:
        if error.errno in SHORTAGES:  # nobody knows
            raise
        return 0  # it has ended, or is another user's
    return int(marks[0]) if marks and marks[0].isdigit() and identity(pid) is not None else 0


def terminate(pid: int, behind: int) -> bool:
    """Send SIGTERM to a process or one of its descendants.

    Args:
        pid: The process.
        behind: How many generations below it the descendant is; at each generation the eldest child is taken.

    Returns:
        False when the descendant doesn't exist yet.
    """
    for _ in range(behind):
        children = children_of(pid)
        if not children:
            return False
        pid = children[0]
    with suppress(ProcessLookupError):  # it has ended meanwhile, as it should
        os.kill(pid, signal.SIGTERM)
    return True


def kill_by_command(processes: list[dict[str, Any]]) -> bool:
    """Run the commands that kill these processes (a container's client can't be killed in place of the container).

    Args:
        processes: Those of launch.json; `kill` is the command of one that has such a command.

    Returns:
        Whether there is any such command. Nobody waits for its end.
    """
    commands = [process for process in processes if process.get("kill")]
    for process in commands:
        start_helper(process["kill"], process["env"])
    return bool(commands)


def start_helper(words: list[str], environment: dict[str, str]) -> int:
    """Run a command that belongs to no training job, and return its process. It is one of `HELPERS` until it has ended."""
    pid = quiet_fork()
    if pid == 0:
        os.setsid()
        with suppress(OSError):  # the exit code 127 tells that it couldn't be run, as in a shell
            os.execvpe(words[0], words, environment)  # noqa: S606
        os._exit(127)
    HELPERS.add(pid)
    return pid


def children_of(pid: int) -> list[int]:
    """Return the children of a process's main thread, the eldest first; none when the process is gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []  # it has ended, so it has no children


def kill_group(group: int, number: int) -> bool:
    """Send a signal to a process group; 0 sends none. Return whether there is still a process in the group."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # on macOS: only zombies are left; elsewhere: somebody is left
        return LINUX
    return True


def quiet_fork() -> int:
    """Fork without Python's warning about threads, since `preload` has checked them. Return what `os.fork` returns."""
    if sys.version_info < (3, 12):
        return os.fork()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def execute(process: dict[str, Any]) -> None:
    """Become a process of launch.json. Raise OSError where that isn't possible."""
    os.chdir(process["cwd"])
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores some; a command must not
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(process["argv"][0], process["argv"], process["env"])  # noqa: S606


def why_not(error: BaseException, process: dict[str, Any]) -> str:
    """Return a sentence for the user about the error that `execute` raised."""
    command = process["argv"][0]
    about = os.fsdecode(getattr(error, "filename", None) or command)  # execvpe names the last path that it tried
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
        return f"{command} isn't a program: its first line doesn't name an interpreter (#!)."
    return f"{command} couldn't be started: {error}."


def wakeup_pipe() -> tuple[int, int]:
    """Return a pipe for `signal.set_wakeup_fd`: the end to read from and the end to write to. Neither blocks."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def note(_number: int, _frame: Any) -> None:
    """Do nothing: a signal needs a handler to reach the wakeup pipe."""


def say(line: str) -> None:
    """Write a line to the training job's log."""
    os.write(1, f"{line}\n".encode(errors="replace"))
