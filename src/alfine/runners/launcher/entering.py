"""A warm start in a sandbox: the sandbox is made around a process that only keeps it open, and a fork of the launcher enters it.

The main process is a child of the launcher that stays outside. It passes SIGTERM on and ends with the training job (with 128 + n after
signal n). Before it ends it kills process 1 of the sandbox, and with it everything inside.

The launcher itself runs in a sandbox too (SandboxRunner), so that imports see nothing that the script wouldn't see. Entering one
sandbox from another takes capabilities. The training job doesn't keep them: it takes the capabilities of the process that keeps the
sandbox open, as bwrap left them, and can't get others (no_new_privs). Sources of the steps and constants: setns(2),
user_namespaces(7), capabilities(7).
"""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress

from .processes import PR_SET_PDEATHSIG, children_of, say

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NAMESPACES = ("ipc", "uts", "net", "pid", "mnt")
"""The namespaces that are entered, in this order, after the user namespace."""

NS_GET_USERNS = 0xB701
"""From <linux/nsfs.h>."""

PR_SET_DUMPABLE = 4
"""From <linux/prctl.h>, as the next four."""

PR_CAPBSET_DROP = 24
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

CAPABILITY_VERSION = 0x20080522
"""From <linux/capability.h>: two words of 32 capabilities each."""

NOT_STARTED = 1
"""The exit code when the sandbox couldn't be entered (see `job.WRAPPERS`)."""

TROUBLE = "sandbox: "
"""Beginning of the last line of the log then."""

HOLD = ("/bin/sh", "-c", "echo && read end")
"""The process that keeps a sandbox open: it prints a line once it runs, and ends at the end of its input."""


class Entering:
    """The main process of a training job in a sandbox, in a child of the launcher.

    Args:
        words: The command line that makes the sandbox, up to its `--`.
        libc: The C library.
    """

    def __init__(self, words: list[str], libc: Any) -> None:
        self.words = words
        self.libc = libc
        self.asked = False
        self.maker = 0  # bwrap, outside
        self.first = 0  # process 1 inside, which reaps orphans
        self.inside = 0  # the training job

    def run(self, within: Callable[[], object]) -> int:
        """Make the sandbox and call `within` in a process inside.

        Args:
            within: Becomes the training job; it mustn't return.

        Returns:
            The exit code, once the training job has ended.
        """
        signal.signal(signal.SIGTERM, self._ask)
        try:
            self._hold()
            if self.asked:
                return 128 + signal.SIGTERM
            return self._enter(within) if self.first else NOT_STARTED  # bwrap has written the reason to the log
        except Exception as error:  # noqa: BLE001 - this child mustn't go on in the launcher's code
            say(f"{TROUBLE}{error}")
            return NOT_STARTED
        finally:
            self._end()

    def _ask(self, _number: int, _frame: Any) -> None:
        self.asked = True
        if self.inside:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.kill(self.inside, signal.SIGTERM)

    def _hold(self) -> None:
        """Make the sandbox with the process that keeps it open, and wait until that process runs."""
        from_inside, to_outside = os.pipe()
        reads, ends = os.pipe()  # only this process has `ends`: when it ends, so does the one inside
        actions = [(os.POSIX_SPAWN_DUP2, reads, 0), (os.POSIX_SPAWN_DUP2, to_outside, 1)]
        argv = [*self.words, "--", *HOLD]
        self.maker = os.posix_spawnp(argv[0], argv, {"PATH": os.defpath}, file_actions=actions)
        for fd in (to_outside, reads):
            os.close(fd)
        if os.read(from_inside, 1):
            self.first = next(iter(children_of(self.maker)), 0)
        os.close(from_inside)
        self.ends = ends

    def _enter(self, within: Callable[[], object]) -> int:
        holder = next(iter(children_of(self.first)), 0)
        if not holder:
            raise ProcessLookupError("its first process ended at once.")
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
            except BaseException as error:  # noqa: BLE001 - this child mustn't go on in the launcher's code
                say(f"{TROUBLE}{error}")
            os._exit(NOT_STARTED)
        if self.asked:  # it was asked to stop before there was a process to pass that on to
            self._ask(0, None)
        _, status = os.waitpid(self.inside, 0)
        self.inside = 0
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _join(self) -> tuple[int, int]:
        """Join the sandbox's namespaces, so that what is forked from now on is inside. Return two user namespaces, or 0 for none."""
        mine, theirs = "/proc/self/ns", f"/proc/{self.first}/ns"
        other = [
            name for name in (*NAMESPACES, "user") if os.readlink(f"{mine}/{name}") != os.readlink(f"{theirs}/{name}")
        ]
        opened = {name: os.open(f"{theirs}/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in other}
        user = own = 0
        if "user" in opened:
            own = opened.pop("user")
            # The namespace whose root made the sandbox; `own` is one that bwrap made below it.
            user = self.libc.ioctl(opened["mnt"], NS_GET_USERNS)
            self._call("setns", user, 0)
        for name in NAMESPACES:
            if name in opened:
                self._call("setns", opened[name], 0)
                os.close(opened[name])
        return user, own

    def _take_on(self, rights: dict[str, int]) -> None:
        """Keep only the capabilities of the process that keeps the sandbox open, and end with the process outside."""
        for number in range(rights["CapBnd"].bit_length(), 64):
            if self.libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0):
                break
        for number in range(rights["CapBnd"].bit_length()):
            if not rights["CapBnd"] >> number & 1:
                self.libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
        self.libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
        sets = [rights["CapEff"], rights["CapPrm"], rights["CapInh"]]
        words = (ctypes.c_uint32 * 6)(*(mask & 0xFFFFFFFF for mask in sets), *(mask >> 32 for mask in sets))
        self._call("capset", header, words)
        for number in range(rights["CapAmb"].bit_length()):
            if rights["CapAmb"] >> number & 1:
                self._call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)
        self.libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after an exec, so that it owns its /proc/self
        self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # set again: a change of capabilities clears it
        if capabilities_of("self") != rights:
            raise PermissionError("the sandbox's capabilities couldn't be taken on")

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self.libc, name)(*arguments):
            number = ctypes.get_errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")

    def _end(self) -> None:
        for pid in (self.inside, self.first, self.maker):
            if pid:
                with suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(pid, signal.SIGKILL)
        for pid in (self.inside, self.maker):
            if pid:
                with suppress(ChildProcessError):  # somebody else has reaped it: it's no zombie
                    os.waitpid(pid, 0)


def capabilities_of(pid: int | str) -> dict[str, int]:
    """Return the capability sets of a process as bit masks, by their names in /proc (CapEff, CapBnd, …)."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        lines = [line.split() for line in file if line.startswith("Cap")]
    return {name.rstrip(":"): int(value, 16) for name, value in lines}
