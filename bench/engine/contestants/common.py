"""What the contestants share. Each is a program: `python <engine>.py CASE JOBS PARALLEL FOLDER`, and answers with one JSON line.

The answer: `called` and `returned` (when the engine was called, and when it came back), `ended` (when each training job had
ended, by the engine's own record), `cpu` (user and system seconds of this process from call to return, children left out).
All instants are seconds since 1970. Imports come before `called`.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
SCRIPT_PYTHON = os.environ.get("SCRIPT_PYTHON", sys.executable)
"""Every engine runs the scripts with this interpreter."""

EXTRA = {"marks": os.environ["MARKS"]} if "MARKS" in os.environ else {}
"""One more argument for the script of the kill -9 case."""


class Call:
    """The arguments, and the clock around the call of an engine."""

    def __init__(self):
        self.case, jobs, parallel, self.folder = sys.argv[1:5]
        self.jobs, self.parallel = int(jobs), int(parallel)
        self.script = str(SCRIPTS / f"{self.case}.py")
        self.runs_script = Path(self.script).exists()

    def __enter__(self):
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.cpu = usage.ru_utime + usage.ru_stime
        self.called = time.time()
        return self

    def __exit__(self, *exception):
        self.returned = time.time()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.cpu = usage.ru_utime + usage.ru_stime - self.cpu

    def answer(self, ended):
        ended = sorted(ended)
        assert len(ended) == self.jobs, f"{len(ended)} of {self.jobs} training jobs have a record of their end"
        print(json.dumps({"called": self.called, "returned": self.returned, "ended": ended, "cpu": self.cpu}))


def run_script(script, hyperparameters):
    """One training job as a plain `subprocess.run`, its metric read from its output."""
    words = [word for name, value in {**hyperparameters, **EXTRA}.items() for word in (f"--{name}", str(value))]
    done = subprocess.run([SCRIPT_PYTHON, script, *words], stdout=subprocess.PIPE, text=True, check=True)
    return next(float(line[10:]) for line in done.stdout.splitlines() if line.startswith("objective="))


def function(hyperparameters):
    """The training job of the function cases: next to nothing."""
    return (hyperparameters["x"] - 0.3) ** 2 + hyperparameters["y"] + hyperparameters["k"]
