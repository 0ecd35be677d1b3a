"""Keeps a training job in the sandbox from connecting to TCP ports: those of alfine's own server.

    python -I -S closed_ports.py PORT[,PORT …] [NAME=VALUE …] -- COMMAND …

It closes the ports for itself and everything that it starts, for good, sets the variables, and becomes the command. It runs inside the
sandbox, whose network is this machine's. Landlock (Linux 6.7) allows connections by port, so it gets a rule for every port that stays open.
It looks at connect(2) alone, so a seccomp filter refuses the other ways to open a TCP connection: MPTCP, SMC and TCP Fast Open, io_uring,
and the system calls of other architectures (programs for 32 bits don't run).

Sources of the constants: <linux/landlock.h>, <linux/seccomp.h>, <linux/filter.h>, <linux/audit.h>, <linux/prctl.h>, <linux/socket.h>.

It uses only the standard library, and imports nothing of alfine.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

LEAST_ABI = 4
"""The version of Landlock that knows ports (Linux 6.7)."""

ALL_PORTS = 65536
CREATE_RULESET, ADD_RULE, RESTRICT_SELF, SECCOMP = 444, 445, 446, {"x86_64": 317, "aarch64": 277}
VERSION_FLAG = 1
CONNECT_TCP = 2
NET_PORT_RULE = 2
PR_SET_NO_NEW_PRIVS = 38
SET_MODE_FILTER = 1
SPECULATION_ALLOWED = 4
"""A flag of seccomp(2): without it some kernels slow down every program that has a filter."""

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""Instructions of a filter: load a word, compare with it, return."""

NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
"""Where a filter finds the number of a system call, the architecture, and the arguments of 8 bytes each."""

ALLOW, ERROR = 0x7FFF0000, 0x00050000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000
"""The numbers of the system calls of x32 begin here, on x86_64."""

CALLS = {
    "x86_64": {"socket": 41, "sendto": 44, "sendmsg": 46, "setsockopt": 54, "sendmmsg": 307, "io_uring_setup": 425},
    "aarch64": {
        "socket": 198,
        "sendto": 206,
        "sendmsg": 211,
        "setsockopt": 208,
        "sendmmsg": 269,
        "io_uring_setup": 425,
    },
}
"""The numbers of the system calls that the filter looks at."""

AF_SMC, IPPROTO_MPTCP, IPPROTO_TCP, TCP_ULP, MSG_FASTOPEN = 43, 262, 6, 31, 0x20000000

REFUSED = [
    ("socket", [(EQUAL, 0, AF_SMC)], errno.EAFNOSUPPORT),
    ("socket", [(EQUAL, 2, IPPROTO_MPTCP)], errno.EPROTONOSUPPORT),
    ("sendto", [(ANY_BIT, 3, MSG_FASTOPEN)], errno.EOPNOTSUPP),
    ("sendmsg", [(ANY_BIT, 2, MSG_FASTOPEN)], errno.EOPNOTSUPP),
    ("sendmmsg", [(ANY_BIT, 3, MSG_FASTOPEN)], errno.EOPNOTSUPP),
    ("setsockopt", [(EQUAL, 1, IPPROTO_TCP), (EQUAL, 2, TCP_ULP)], errno.ENOPROTOOPT),  # turns TCP into SMC
    ("io_uring_setup", [], errno.ENOSYS),
]
"""Refused system calls: the name, the conditions (comparison, number of the argument, value), and the error, as kernels without it answer."""

TROUBLE = "sandbox: "
"""Beginning of the last line of the log when the command wasn't started (see `launcher.job.WRAPPERS`)."""


def why_not() -> str:
    """Return why ports can't be closed on this machine; "" where they can."""
    if not sys.platform.startswith("linux") or platform.machine() not in CALLS or sys.byteorder != "little":
        return f"ports can't be closed on {sys.platform} {platform.machine()}"
    abi = _libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)
    return "" if abi >= LEAST_ABI else "the kernel has no Landlock rules for ports (Linux 6.7)"


def close_ports(ports: set[int]) -> None:
    """Refuse connections to these TCP ports, at any address, to this process and all that it starts."""
    libc = _libc()
    _checked("no_new_privs", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    handled = struct.pack("=QQ", 0, CONNECT_TCP)  # of files: none
    rules = _checked("landlock", libc.syscall(CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0))
    rule = (ctypes.c_uint64 * 2)(CONNECT_TCP, 0)
    add, place = libc.syscall, ctypes.byref(rule)
    for port in range(ALL_PORTS):
        if port not in ports:
            rule[1] = port
            if add(ADD_RULE, rules, NET_PORT_RULE, place, 0):
                _checked("landlock", -1)
    _checked("landlock", libc.syscall(RESTRICT_SELF, rules, 0))
    os.close(rules)
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in _filter(platform.machine()))
    text = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(text))
    _checked("seccomp", libc.syscall(SECCOMP[platform.machine()], SET_MODE_FILTER, SPECULATION_ALLOWED, head))


def _filter(machine: str) -> list[tuple[int, int, int, int]]:
    """Return the instructions of the filter: code, steps to go on a true and a false comparison, and a value."""
    nowhere = (RETURN, 0, 0, ERROR | errno.ENOSYS)
    program = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, ARCHITECTURES[machine]), nowhere]
    if machine == "x86_64":
        program += [(LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32), nowhere]
    for name, conditions, error in REFUSED:
        tests = [(EQUAL, NUMBER, CALLS[machine][name])]
        tests += [(comparison, ARGUMENTS + 8 * index, value) for comparison, index, value in conditions]
        left = 2 * len(tests)  # instructions to the end of this block, after the present load
        for comparison, place, value in tests:
            left -= 2
            program += [(LOAD, 0, 0, place), (comparison, 0, left + 1, value)]
        program.append((RETURN, 0, 0, ERROR | error))
    return [*program, (RETURN, 0, 0, ALLOW)]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(what: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def main(words: list[str]) -> None:
    """Close the ports and become the command."""
    end = words.index("--")
    try:
        close_ports({int(port) for port in words[0].split(",")})
        for word in words[1:end]:
            name, _, text = word.partition("=")
            os.environ[name] = text
        os.execvp(words[end + 1], words[end + 1 :])  # noqa: S606 - the command is what this was started for
    except OSError as error:
        print(f"{TROUBLE}{error}", flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
