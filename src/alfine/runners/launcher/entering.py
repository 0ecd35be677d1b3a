"""A warm start in a sandbox: the sandbox is made around a process that only holds it open, and a fork of ours goes inside.

Its main process, a child of the launcher, stays outside: it passes SIGTERM on, ends with the training job (with 128 + n after
signal n), and before it does, kills the sandbox's process 1, and with it whatever runs inside.

The launcher is itself in a sandbox from its start (SandboxRunner): imports see nothing else than the script would. Going from
one sandbox into another takes capabilities; the training job has none of them: it takes on the holder's, as the sandbox's
maker left them, and can't get others (no_new_privs). Steps and constants: setns(2), user_namespaces(7), capabilities(7).
"""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress

from .processes import PR_SET_PDEATHSIG, children_of, say

TYPE_CHECKING = False  # typing takes its time to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NAMESPACES = ("ipc", "uts", "net", "pid", "mnt")
NS_GET_USERNS = 0xB701  # <linux/nsfs.h>
PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_CAP_AMBIENT = 4, 24, 47  # <linux/prctl.h>
PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
CAPABILITY_VERSION = 0x20080522  # <linux/capability.h>: two words of 32 capabilities each
NOT_STARTED, TROUBLE = 1, "sandbox: "
"""The exit code, and how the log's last line begins, when it couldn't be entered (see `job.WRAPPERS`)."""
HOLD = ("/bin/sh", "-c", "echo && read end")
"""What holds a sandbox open: it says that it's there, and ends with its input."""


class Entering:
    """In a child of the launcher: `run` answers the exit code once the training job has ended.

    words: the command line that makes the sandbox, up to its `--`.
    """

    def __init__(self, words: list[str], libc: Any) -> None:
        self.words = words
        self.libc = libc
        self.asked = False
        self.maker = self.first = self.inside = 0  # outside; process 1 inside, which reaps orphans; the training job

    def run(self, within: Callable[[], object]) -> int:
        """Make the sandbox and call `within` in a process inside, which mustn't return."""
        signal.signal(signal.SIGTERM, self._ask)
        try:
            self._hold()
            if self.asked:
                return 128 + signal.SIGTERM
            return self._enter(within) if self.first else NOT_STARTED  # the sandbox's maker has said why, in the log
        except Exception as error:  # noqa: BLE001 - nothing of this child may go on in the launcher's code
            say(f"{TROUBLE}{error}")
            return NOT_STARTED
        finally:
            self._end()

    def _ask(self, _number: int, _frame: Any) -> None:
        self.asked = True
        if self.inside:
            with suppress(ProcessLookupError):
                os.kill(self.inside, signal.SIGTERM)

    def _hold(self) -> None:
        """Start the holder, and wait until it is inside."""
        hears, tells = os.pipe()
        reads, ends = os.pipe()  # `ends` is ours alone: when we end, so does the holder
        actions = [(os.POSIX_SPAWN_DUP2, reads, 0), (os.POSIX_SPAWN_DUP2, tells, 1)]
        argv = [*self.words, "--", *HOLD]
        self.maker = os.posix_spawnp(argv[0], argv, {"PATH": os.defpath}, file_actions=actions)
        for fd in (tells, reads):
            os.close(fd)
        if os.read(hears, 1):
            self.first = next(iter(children_of(self.maker)), 0)
        os.close(hears)
        self.ends = ends

    def _enter(self, within: Callable[[], object]) -> int:
        holder = next(iter(children_of(self.first)), 0)
        if not holder:
            raise ProcessLookupError("it ended at once.")
        rights = capabilities_of(holder)
        user, own = self._join()
        self.inside = os.fork()
        if self.inside == 0:
            try:
                os.close(self.ends)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                if own:
                    self._call("setns", own, 0)
                    os.close(user)
                    os.close(own)
                self._take_on(rights)
                within()
            except BaseException as error:  # noqa: BLE001 - nothing of this child may go on in our code
                say(f"{TROUBLE}{error}")
            os._exit(NOT_STARTED)
        if self.asked:  # before there was anybody to pass it on to
            self._ask(0, None)
        _, status = os.waitpid(self.inside, 0)
        self.inside = 0
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _join(self) -> tuple[int, int]:
        """Join the sandbox's namespaces; what is forked from now on is inside. Answers its user namespaces, still to be joined."""
        mine, theirs = "/proc/self/ns", f"/proc/{self.first}/ns"
        other = [
            name for name in (*NAMESPACES, "user") if os.readlink(f"{mine}/{name}") != os.readlink(f"{theirs}/{name}")
        ]
        opened = {name: os.open(f"{theirs}/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in other}
        user = own = 0
        if "user" in opened:
            own = opened.pop("user")
            user = self.libc.ioctl(
                opened["mnt"], NS_GET_USERNS
            )  # whose root made the sandbox; ours is one of its own below it
            self._call("setns", user, 0)
        for name in NAMESPACES:
            if name in opened:
                self._call("setns", opened[name], 0)
                os.close(opened[name])
        return user, own

    def _take_on(self, rights: dict[str, int]) -> None:
        """Have no other capabilities than the holder, and die with the process outside."""
        for number in range(rights["CapBnd"].bit_length(), 64):
            if self.libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0):
                break
        for number in range(rights["CapBnd"].bit_length()):
            if not rights["CapBnd"] >> number & 1:
                self.libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
        self.libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
        sets = [rights["CapEff"], rights["CapPrm"], rights["CapInh"]]
        words = (ctypes.c_uint32 * 6)(*(each & 0xFFFFFFFF for each in sets), *(each >> 32 for each in sets))
        self._call("capset", header, words)
        for number in range(rights["CapAmb"].bit_length()):
            if rights["CapAmb"] >> number & 1:
                self._call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)
        self.libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after an exec: what lies in /proc/self is its own
        self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # forgotten when capabilities change
        if capabilities_of("self") != rights:
            raise PermissionError("the sandbox's capabilities couldn't be taken on")

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self.libc, name)(*arguments):
            number = ctypes.get_errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")

    def _end(self) -> None:
        for pid in (self.inside, self.first, self.maker):
            if pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for pid in (self.inside, self.maker):
            if pid:
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)


def capabilities_of(pid: int | str) -> dict[str, int]:
    """The sets of a process's capabilities, as /proc names them."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        lines = [line.split() for line in file if line.startswith("Cap")]
    return {name.rstrip(":"): int(value, 16) for name, value in lines}
