"""Become a warm launcher: import what a script imports first, and check whether a fork from here is like a fresh start."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
from contextlib import suppress

from .entering import Entering
from .processes import LINUX, quiet_fork

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from typing import Any, Self

MADV_COLLAPSE = 25
"""Advice to madvise(2) from <linux/mman.h>, Linux 6.1 or newer. Older kernels refuse it, and nothing is lost."""

HUGE_PAGE = 2 << 20
"""Bytes of a huge page on x86-64 and 64-bit ARM."""

FORK_SAFE_THREADS = {"jemalloc_bg_thd"}
"""Names of native threads that a forked child restarts or doesn't need: jemalloc (pyarrow has it) registers atfork handlers."""

THREADS_SECONDS = 30
"""Longest time, in seconds, that a fresh Python may take to import numpy and scipy, to count their threads."""


def become_warm(control: int) -> str:
    """Read the one request that says what to import, and import it.

    Args:
        control: The socket to alfine, by its number.

    Returns:
        Why forks from here would differ from fresh starts; "" where they don't.
    """
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(control, 1)  # not a byte more: the next line is another request
        if not data:
            os._exit(0)
        line += data
    request = json.loads(line)
    gc.disable()
    compile("", "<alfine>", "exec")  # the first call makes the types of all syntax, which each fork would make again
    before = _in_tmp() if request["sandbox"] else set()
    reason = preload(request["imports"], request["local"], request["per_job"])
    if request["sandbox"] and not reason:
        written = sorted(_in_tmp() - before)
        reason = f"its imports write {written[0]}" if written else _not_entered(request["sandbox"])
    gc.collect()
    gc.freeze()  # the collector doesn't touch objects from before the fork, so their memory stays shared
    gc.enable()
    use_huge_pages()
    return reason


def preload(imports: list[list[Any]], local: list[str], per_job: list[str]) -> str:
    """Import what the script imports first.

    Args:
        imports: In the script's order: a module, and the names imported from it.
        local: Modules of the script's own folder. A fresh start finds them before installed ones of the same name.
        per_job: How the names of variables begin that each training job has values of its own for.

    Returns:
        Why forks from here would differ from fresh starts; "" where they don't.
    """
    before = set(sys.modules)
    module = ""
    try:
        with _Watch(tuple(per_job)) as watch:
            for module, names in imports:
                if module.partition(".")[0] not in local and _is_installed(module):
                    _import(module, names)
    except BaseException as error:  # noqa: BLE001 - whatever a module does at import, SystemExit too
        return f"importing {module} raised {type(error).__name__}: {error}"
    return watch.reason() or _foreign_module(before) or _shadowed(local) or _busy_threads() or _cuda()


class _Watch:
    """While it is entered, notes which variables are read: a module that keeps one would keep it for all training jobs."""

    def __init__(self, beginnings: tuple[str, ...]) -> None:
        self.names = names = set()  # type: set[str]
        self.plain = plain = type(os.environ)  # type: Any

        class Watched(plain):  # type: ignore[misc]
            def __getitem__(self, name: Any) -> str:
                if isinstance(name, str) and name.startswith(beginnings):
                    names.add(name)
                value: str = plain.__getitem__(self, name)
                return value

        self.watched: Any = Watched

    def __enter__(self) -> Self:
        os.environ.__class__ = self.watched
        return self

    def __exit__(self, *_: object) -> None:
        os.environ.__class__ = self.plain

    def reason(self) -> str:
        return (
            f"its imports read {min(self.names)}, which differs from training job to training job" if self.names else ""
        )


def _import(module: str, names: list[str]) -> None:
    with suppress(ImportError):  # the script will raise it again, or handle it
        __import__(module, fromlist=names)


def _is_installed(module: str) -> bool:
    """Return whether a module is in the standard library or in site-packages. Other code may change between training jobs."""
    import importlib.util

    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = list(spec.submodule_search_locations or [])
    return _is_installed_path(spec.origin if spec.origin and spec.origin != "namespace" else (places or [""])[0])


def _is_installed_path(path: str) -> bool:
    standard = os.path.dirname(os.__file__)
    real = os.path.realpath(path)
    return (
        path in ("built-in", "frozen")
        or any(part in ("site-packages", "dist-packages") for part in path.split("/"))
        or real.startswith((standard + "/", os.path.realpath(standard) + "/"))
    )


def _foreign_module(before: set[str]) -> str:
    for name in sorted(set(sys.modules) - before):
        module = sys.modules[name]
        path = getattr(module, "__file__", None)
        if module is not sys.modules["__main__"] and isinstance(path, str) and not _is_installed_path(path):
            return f"its imports load {path}, which isn't installed and may change"
    return ""


def _shadowed(local: list[str]) -> str:
    loaded = {name.partition(".")[0] for name in sys.modules}
    shared = sorted(loaded & set(local) - {"__main__"})
    return f"{shared[0]} in the script's folder hides an installed module of that name" if shared else ""


def _busy_threads() -> str:
    import threading

    if threading.active_count() > 1:
        return f"its imports start Python threads ({threading.enumerate()[-1].name})"
    count = native_threads()
    if count > 1 and count > _threads_of_numpy():
        return f"its imports start native threads ({count - 1})"
    return ""


def native_threads() -> int:
    """Return how many threads this process has, without those that are known to survive a fork."""
    names = []
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{thread}/comm", encoding="utf-8", errors="replace") as file:
            names.append(file.read().strip())
    return sum(name not in FORK_SAFE_THREADS for name in names)


def _threads_of_numpy() -> int:
    """Count the threads that the BLAS of numpy and scipy starts. Those are harmless: their pools have atfork handlers."""
    import subprocess

    loaded = [name for name in ("numpy", "scipy.linalg") if name in sys.modules]
    if not loaded:
        return 1
    program = f"import os, {', '.join(loaded)}; print(len(os.listdir('/proc/self/task')))"
    answer = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, check=False, timeout=THREADS_SECONDS
    )
    return int(answer.stdout or 1)


def _cuda() -> str:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "its imports initialise CUDA"
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("/dev/nvidia"):
                return "its imports open a GPU"
        except OSError:
            continue  # the descriptor of this very listing is closed by now
    return ""


def use_huge_pages() -> None:
    """Gather this process's own memory in huge pages, where the kernel can: with fewer pages forks and their ends take less time.

    The pages stay shared after a fork: the kernel splits a huge page before it copies a small one of it.
    """
    if not LINUX:
        return
    libc = ctypes.CDLL(None)
    with open("/proc/self/maps", encoding="ascii") as maps:
        fields = [line.split() for line in maps]
    for span, rights, _, _, inode, *_ in fields:
        first, last = (int(end, 16) for end in span.split("-"))
        if rights == "rw-p" and inode == "0" and last - first >= HUGE_PAGE:
            libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), MADV_COLLAPSE)


def _in_tmp() -> set[str]:
    """List /tmp, where HOME is too: the only place in the launcher's sandbox that can be written and isn't mounted."""
    paths: set[str] = set()
    for folder, names, files in os.walk("/tmp"):  # noqa: S108
        names[:] = [name for name in names if not os.path.ismount(f"{folder}/{name}")]
        paths.update(f"{folder}/{name}" for name in (*names, *files))
    return paths


def _not_entered(words: list[str]) -> str:
    """Try to enter a sandbox from here, which not every machine allows. words: the command line that makes the sandbox."""
    pid = quiet_fork()
    if pid == 0:
        os._exit(Entering(words, ctypes.CDLL(None, use_errno=True)).run(lambda: os._exit(0)))
    _, status = os.waitpid(pid, 0)
    return "a sandbox can't be entered from another one here" if status else ""
