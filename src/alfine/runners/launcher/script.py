"""Run a script in a forked child as a fresh interpreter would."""

from __future__ import annotations

import atexit
import builtins
import os
import signal
import sys

TYPE_CHECKING = False  # the module typing takes long to import
if TYPE_CHECKING:
    from typing import Any, NoReturn

INTERRUPTED = -2
"""Stands for an exit code after an uncaught KeyboardInterrupt, after which Python ends by SIGINT."""

UNWRITTEN = 120
"""The exit code of a Python that couldn't flush its output at its end."""

PUTS_SCRIPT_FOLDER_FIRST = not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))
"""Whether this interpreter puts the folder of a script first on sys.path."""


def run_script(script: str, process: dict[str, Any], libc: Any) -> NoReturn:
    """Run a script in a forked child and end the process, both as `python SCRIPT …` would.

    Args:
        script: The script.
        process: `argv` and `env` of the process.
        libc: The C library.
    """
    code = 1
    try:
        _look_fresh(script, process)
        code = _run_main(script)
        code = _shut_down(code)
    finally:
        libc.fflush(None)  # output of C code, such as LightGBM's
        if code == INTERRUPTED:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(code)


def _look_fresh(script: str, process: dict[str, Any]) -> None:
    env = dict(process["env"])
    if "LC_CTYPE" in os.environ and "LC_ALL" not in env:
        env.setdefault("LC_CTYPE", os.environ["LC_CTYPE"])  # Python's own coercion of the C locale (PEP 538)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = process["argv"][1:]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = process["argv"]
    if PUTS_SCRIPT_FOLDER_FIRST:
        sys.path.insert(0, os.path.dirname(os.path.realpath(script)))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _reseed()


def _reseed() -> None:
    """Seed random and numpy.random anew, as a fresh interpreter does. Otherwise all forks would draw the same numbers."""
    for name in ("random", "numpy.random"):
        if name in sys.modules:
            sys.modules[name].seed()


def _run_main(script: str) -> int:
    """Execute the script's present text as a fresh `__main__`, and return the exit code."""
    try:
        main = _fresh_main(script)
        with open(script, "rb") as file:
            text = file.read()
        exec(compile(text, script, "exec", dont_inherit=True), main.__dict__)  # noqa: S102 - that's the task
    except SystemExit as leaving:
        return _exit_code(leaving.code)
    except BaseException as error:  # noqa: BLE001 - as the interpreter does
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
            traceback = traceback.tb_next
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _fresh_main(script: str) -> Any:
    from importlib.machinery import SourceFileLoader

    main: Any = type(sys)("__main__")
    main.__builtins__ = builtins
    main.__file__ = script
    main.__loader__ = SourceFileLoader("__main__", script)
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    if sys.version_info < (3, 15):
        main.__cached__ = None
    sys.modules["__main__"] = main
    if "__mp_main__" in sys.modules:  # what multiprocessing calls it
        sys.modules["__mp_main__"] = main
    return main


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _shut_down(code: int) -> int:
    """Do what an interpreter does at its end: wait for threads, run exit handlers, flush. Return the exit code."""
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # noqa: SLF001 - what Py_Finalize calls, as below
    atexit._run_exitfuncs()  # noqa: SLF001
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except OSError:
        return UNWRITTEN
    return code
