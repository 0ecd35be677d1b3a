"""Run a script in a forked child as a fresh interpreter would."""

from __future__ import annotations

import atexit
import builtins
import os
import signal
import sys

TYPE_CHECKING = False  # typing takes its time to import
if TYPE_CHECKING:
    from typing import Any, NoReturn

INTERRUPTED = -2
"""In place of an exit code: an uncaught KeyboardInterrupt, after which Python ends by SIGINT."""
PUTS_SCRIPT_FOLDER_FIRST = not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))


def run_script(script: str, process: dict[str, Any], libc: Any) -> NoReturn:
    """In a forked child: run the script as `python script …` would, and end the process as it would."""
    code = 1
    try:
        _look_fresh(script, process)
        code = _run_main(script)
        code = _shut_down(code)
    finally:
        libc.fflush(None)  # what C code printed (LightGBM does)
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
    """Draw new seeds from the system, as each fresh interpreter does; forks would all share the parent's."""
    for name in ("random", "numpy.random"):
        if name in sys.modules:
            sys.modules[name].seed()


def _run_main(script: str) -> int:
    """Execute the script's current text as a fresh `__main__`; answers the exit code."""
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
    if "__mp_main__" in sys.modules:  # multiprocessing's second name for it
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
    """What an interpreter does at its end: wait for threads, run exit handlers, flush."""
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # noqa: SLF001 - what Py_Finalize calls, here and below
    atexit._run_exitfuncs()  # noqa: SLF001
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except OSError:
        return 120  # as Python does: the output is lost
    return code
