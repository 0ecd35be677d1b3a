"""Become warm: import what a script imports first, and judge whether forks from here are like fresh starts."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
from contextlib import suppress

from .entering import Entering
from .processes import LINUX, quiet_fork

TYPE_CHECKING = False  # typing takes its time to import
if TYPE_CHECKING:
    from typing import Any

MADV_COLLAPSE, HUGE_PAGE = 25, 2 << 20
"""<linux/mman.h>, from Linux 6.1 on; older kernels refuse it, and nothing is lost."""
FORK_SAFE_THREADS = {"jemalloc_bg_thd"}
"""Native threads that are restarted or not needed in a forked child: jemalloc's (pyarrow) registers atfork handlers."""


def become_warm(control: int) -> str:
    """Read the one line that says what to import, and import it; answers why not."""
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(control, 1)  # not a byte more: the next line is a request
        if not data:
            os._exit(0)
        line += data
    request = json.loads(line)
    gc.disable()
    compile("", "<alfine>", "exec")  # the first call makes the types of all syntax; each fork would make them again
    before = _in_tmp() if request["sandbox"] else set()
    reason = preload(request["imports"], request["local"])
    if request["sandbox"] and not reason:
        written = sorted(_in_tmp() - before)
        reason = f"its imports write {written[0]}" if written else _not_entered(request["sandbox"])
    gc.collect()
    gc.freeze()  # shared pages stay shared: the collector doesn't touch what was there before the fork
    gc.enable()
    use_huge_pages()
    return reason


def preload(imports: list[list[Any]], local: list[str]) -> str:
    """Import what the script imports first; answers why forking from here would differ from a fresh start, or "".

    imports: [module, names taken from it], in the script's order.
    local: modules of the script's own folder, which in a fresh start come before installed ones of the same name.
    """
    before = set(sys.modules)
    try:
        for module, names in imports:
            if module.partition(".")[0] not in local and _is_installed(module):
                _import(module, names)
    except BaseException as error:  # noqa: BLE001 - whatever a module does at import, SystemExit too
        return f"importing {module} raised {type(error).__name__}: {error}"
    return _foreign_module(before) or _shadowed(local) or _busy_threads() or _cuda()


def _import(module: str, names: list[str]) -> None:
    with suppress(ImportError):  # the script will raise it, or handle it, by itself
        __import__(module, fromlist=names)


def _is_installed(module: str) -> bool:
    """Whether the module is the standard library's or in site-packages: other code may change between training jobs."""
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
            return f"its imports load {path}, which is not installed and may change"
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
    """Threads of this process, those that are known to survive a fork left out."""
    names = []
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{thread}/comm", encoding="utf-8", errors="replace") as file:
            names.append(file.read().strip())
    return sum(name not in FORK_SAFE_THREADS for name in names)


def _threads_of_numpy() -> int:
    """Threads that numpy's and scipy's BLAS alone start: their pools have atfork handlers."""
    import subprocess

    loaded = [name for name in ("numpy", "scipy.linalg") if name in sys.modules]
    if not loaded:
        return 1
    program = f"import os, {', '.join(loaded)}; print(len(os.listdir('/proc/self/task')))"
    answer = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False, timeout=30)
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
            continue
    return ""


def use_huge_pages() -> None:
    """Gather this process's own memory in huge pages, where the kernel can: fewer pages, so forks and their ends cost less.

    They stay shared after a fork all the same: the kernel splits one up before it copies a small page of it.
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
    """In a sandbox of our own: what lies in /tmp, where HOME is too. Other places that could be written lie in mounts."""
    found: set[str] = set()
    for folder, names, files in os.walk("/tmp"):  # noqa: S108
        names[:] = [name for name in names if not os.path.ismount(f"{folder}/{name}")]
        found.update(f"{folder}/{name}" for name in (*names, *files))
    return found


def _not_entered(words: list[str]) -> str:
    """Try to enter a sandbox from here: not every machine lets sandboxes be made in sandboxes."""
    pid = quiet_fork()
    if pid == 0:
        os._exit(Entering(words, ctypes.CDLL(None, use_errno=True)).run(lambda: os._exit(0)))
    _, status = os.waitpid(pid, 0)
    return "a sandbox can't be entered from another one here" if status else ""
