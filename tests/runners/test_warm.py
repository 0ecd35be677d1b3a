"""A warm start gives what a fresh one gives; and where it can't, the training job starts cold and says why."""

import ast
import errno
import json
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from alfine.runners import launcher
from alfine.runners.process import MAX_WARM_LAUNCHERS
from alfine.runners.warm import Cold, Warm, leading_imports, plan

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="warm starts need Linux")


def how_it_started(launch) -> str:
    return json.loads((launch.folder / ".alfine" / "process.json").read_text())["start"]


def see_both(bench, code, **settings):
    """The same script, warm and cold, in folders whose paths are equally long; what they printed with the name masked."""
    outcomes = []
    for name, is_warm in (("job-w", True), ("job-c", False)):
        source = bench.home / "source"
        source.mkdir(exist_ok=True)
        (source / "train.py").write_text(code)
        launch = bench.launch(name, script=source / "train.py", source_dir=source, warm=is_warm, **settings)
        last, lines = bench.see_out(launch)
        assert how_it_started(launch).startswith("warm" if is_warm else "cold")
        outcomes.append(([line.replace(name, "job") for line in lines], last.exit.code, last.exit.signal))
    return outcomes


SELF_PORTRAIT = """
'''A docstring.'''
from __future__ import annotations
import json, os, random, sys, signal, warnings
import numpy as np
def f(x: undefined): ...
print(sys.argv, sys.orig_argv[1:], sys.executable, sys.flags, sys.path)
print(json.dumps(dict(os.environ), sort_keys=True))
print(os.getcwd(), __name__, __file__, __doc__, __package__, __spec__, type(__loader__), __builtins__)
print(sorted(globals()), sys.modules["__main__"].f.__module__)
print([s for s in signal.Signals if signal.getsignal(s) not in (signal.SIG_DFL, None)])
print(sys.stdin.read(), sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.line_buffering, sys.stdout.write_through)
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:3], os.getsid(0) == os.getpid() == os.getpgrp())
print(warnings.filters == [] , f.__annotations__, np.geterr())
import atexit, threading
atexit.register(lambda: print("at exit"))
threading.Thread(target=lambda: print("from a thread")).start()
"""


def test_a_script_sees_the_same_world_warm_and_cold(warm):
    ours, fresh = see_both(warm, SELF_PORTRAIT, hyperparameters={"lr": "0.1", "kind": '"adam"'}, environment={"X": "1"})
    assert ours == fresh
    assert ours[0][-2:] == ["from a thread", "at exit"]


TRAINING = """
import numpy as np
import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
x, y = load_breast_cancer(return_X_y=True)
a, b, c, d = train_test_split(x, y, random_state=0)
forest = RandomForestClassifier(20, random_state=1).fit(a, c)
booster = xgboost.train({"seed": 3, "subsample": 0.7, "nthread": 1}, xgboost.DMatrix(a, c), 10)
print(repr(float(forest.predict_proba(b)[:, 1].sum())), repr(float(booster.predict(xgboost.DMatrix(b)).sum())))
"""


def test_a_seeded_training_gives_the_same_numbers_warm_and_cold(warm):
    ours, fresh = see_both(warm, TRAINING)
    assert ours == fresh
    assert ours[1] == 0


@pytest.mark.parametrize(
    "ending",
    [
        "def f():\n    raise ValueError('x') from KeyError('y')\nf()",
        "import sys; sys.exit(7)",
        "import sys; sys.exit('no data')",
        "raise SystemExit",
        "import nowhere_to_be_found",
        "raise KeyboardInterrupt",
        "import os; os.kill(os.getpid(), 11)",
        "import os; os._exit(9)",
        "import ctypes; ctypes.CDLL(None).printf(b'from C\\n')",
        "import sys; sys.stdout.write('unfinished'); sys.stderr.write('end')",
        "import random, sys; sys.excepthook = lambda *a: print('hook', a[0]); 1 / 0",
    ],
)
def test_a_script_ends_the_same_way_warm_and_cold(warm, ending):
    code = f"print('begun')\n{ending}\n"
    ours, fresh = see_both(warm, code)
    assert ours == fresh


def test_each_warm_training_job_draws_its_own_random_numbers(warm):
    code = "import random, numpy\nprint(random.random(), numpy.random.rand())"
    drawn = {warm.see_out(warm.launch(f"job-{n}", code=code))[1][0] for n in range(3)}
    assert len({part for line in drawn for part in line.split()}) == 6


def test_the_scripts_current_text_is_run(warm):
    launch = warm.launch("job-1", code="import json\nprint('old')")
    assert warm.see_out(launch)[1] == ["old"]
    (warm.home / "source" / "job-1.py").write_text("import json\nprint('new')")
    again = replace(launch, name="job-2", folder=launch.folder.with_name("job-2"))
    assert warm.see_out(again)[1] == ["new"]


def test_modules_of_the_scripts_folder_are_read_afresh(warm):
    (warm.home / "source").mkdir()
    module = warm.home / "source" / "settings.py"
    module.write_text("VALUE = 'old'")
    launch = warm.launch("job-1", code="import json\nimport settings\nprint(settings.VALUE)")
    assert warm.see_out(launch)[1] == ["old"]
    module.write_text("VALUE = 'newer'")
    assert warm.see_out(replace(launch, folder=launch.folder.with_name("job-2"), name="job-2"))[1] == ["newer"]


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()", "Python threads"),
        ("raise RuntimeError('no licence')", "raised RuntimeError: no licence"),
        ("import sys\nsys.exit(0)", "raised SystemExit"),
        ("import os\nos._exit(0)", "its launcher was killed"),
        ("import os\nMODEL = os.environ.get('SM_MODEL_DIR')", "its imports read SM_MODEL_DIR"),
        ("import os\nBASE = os.getenv('SAGEMAKER_BASE_DIR', '/opt/ml')", "its imports read SAGEMAKER_BASE_DIR"),
        ("import os\nIN_A_JOB = 'TRAINING_JOB_NAME' in os.environ", "its imports read TRAINING_JOB_NAME"),
    ],
)
def test_imports_that_act_make_the_start_cold_and_are_reported(warm, tmp_path, module, reason, caplog):
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "acting_module.py").write_text(module)
    code = "try:\n    import acting_module\nexcept BaseException:\n    pass\nprint('went on', flush=True)"
    launch = warm.launch(code=code, environment={"PYTHONPATH": str(installed)})
    warm.see_out(launch)
    assert reason in how_it_started(launch)
    warm.see_out(replace(launch, folder=launch.folder.with_name("again"), name="again"))
    assert caplog.text.count("starts cold") == 1
    assert reason in caplog.text


def test_imports_that_initialise_cuda_make_the_start_cold(warm, tmp_path):
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "torch.py").write_text("class cuda:\n    is_initialized = staticmethod(lambda: True)")
    launch = warm.launch(code="import torch\nprint('went on')", environment={"PYTHONPATH": str(installed)})
    assert warm.see_out(launch)[1] == ["went on"]
    assert "its imports initialise CUDA" in how_it_started(launch)


def test_a_local_module_that_hides_an_installed_one_makes_the_start_cold(warm):
    (warm.home / "source").mkdir()
    (warm.home / "source" / "selectors.py").write_text("MINE = True")
    launch = warm.launch(code="import socket\nimport selectors\nprint(selectors.MINE)")
    assert warm.see_out(launch)[1] == ["True"]
    assert "selectors in the script's folder" in how_it_started(launch)


def test_code_that_is_not_installed_is_left_to_the_script(warm, tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "shared_code.py").write_text("VALUE = 1")
    environment = {"PYTHONPATH": str(tmp_path / "shared")}
    first = warm.launch(code="import shared_code\nprint(shared_code.VALUE)", environment=environment)
    assert warm.see_out(first)[1] == ["1"]
    (tmp_path / "shared" / "shared_code.py").write_text("VALUE = 'two'")
    assert warm.see_out(replace(first, folder=first.folder.with_name("job-2"), name="job-2"))[1] == ["two"]
    assert how_it_started(first) == "warm"


def test_an_edited_import_list_gets_a_launcher_of_its_own_and_the_old_one_goes(warm):
    first = warm.launch(code="import json\nprint('1')")
    warm.see_out(first)
    second = warm.launch(code="import json\nimport decimal\nprint('2')")
    second = replace(second, folder=second.folder.with_name("job-2"), name="job-2")
    assert warm.see_out(second)[1] == ["2"]
    assert how_it_started(second) == "warm"
    assert len(warm.runner._warm) == 1


def test_a_stop_while_imports_are_loaded_is_kept(warm, tmp_path):
    launch = warm.launch(code=f"import json\nopen({str(tmp_path / 'mark')!r}, 'w')")
    warm.runner.start(launch)
    warm.runner.stop(launch)
    last, _ = warm.wait(launch)
    assert last.exit.cause == "stopped"


def test_a_warm_training_job_outlives_alfine(warm):
    launch = warm.launch(code="import signal\nprint('ready')\nsignal.pause()")
    warm.runner.start(launch)
    warm.until_line(launch, "ready")
    warm.runner.close()
    warm.renew().stop(launch)
    last, lines = warm.wait(launch)
    assert (last.exit.signal, lines) == (signal.SIGTERM, ["ready"])


def test_only_imports_before_the_first_action_are_loaded_ahead():
    text = """
'''Docstring.'''
from __future__ import annotations
import os.path, sys
import warnings
warnings.filterwarnings("ignore")
SEED = 3
if TYPE_CHECKING:
    import never
try:
    import xgboost
except ImportError:
    xgboost = None
from sklearn import datasets, svm
from . import sibling
def f():
    import inside
os.environ["KERAS_BACKEND"] = "jax"
import keras
"""
    imports = list(leading_imports(ast.parse(text)))
    assert [module for module, _ in imports] == ["__future__", "os.path", "sys", "warnings", "xgboost", "sklearn"]
    assert imports[-1] == ("sklearn", ("datasets", "svm"))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"warm": False}, ""),
        ({"python": "/no/such/python"}, "no such interpreter"),
        ({"environment": {"PYTHONPATH": "relative"}}, "a relative PYTHONPATH is set"),
        ({"code": "def broken(:"}, "its imports can't be read"),
    ],
)
def test_a_cold_plan_says_why(warm, settings, reason):
    decision = plan(warm.launch(**{"code": "import json", **settings}))
    assert isinstance(decision, Cold)
    assert decision.reason.startswith(reason)


def test_training_jobs_of_one_script_share_a_launcher(warm):
    one = warm.launch("job-1", code="import json")
    two = replace(one, name="job-2", hyperparameters={"lr": "1"}, environment={"AWS_REGION": "local"})
    assert isinstance(plan(one), Warm)
    assert plan(one) == plan(two)
    assert plan(one) != plan(replace(one, threads=2))
    assert plan(one) != plan(replace(one, environment={"KERAS_BACKEND": "jax"}))


OLD = next(iter(sorted(Path("~/.pyenv/versions").expanduser().glob("3.8.*/bin/python"))), shutil.which("python3.8"))


@pytest.mark.skipif(OLD is None, reason="no Python 3.8 here, and no package index has one")
def test_the_launcher_runs_under_an_old_interpreter(warm):
    launch = warm.launch(code="import json, sys\nprint(sys.version_info[:2])\n1 / 0", python=str(OLD))
    last, lines = warm.see_out(launch)
    assert how_it_started(launch) == "warm"
    assert (lines[0], last.exit.code) == ("(3, 8)", 1)
    assert "launcher/" not in last.exit.tail


WAITS = "import time\nprint('begun', flush=True)\ntime.sleep(300)"


def more_than_are_kept(warm):
    """Training jobs of one script each, all of which run; the launchers of the first ones have been let go."""
    launches = [warm.launch(f"job-{number}", code=WAITS, grace_seconds=0.0) for number in range(MAX_WARM_LAUNCHERS + 2)]
    for launch in launches:
        warm.runner.start(launch)
        warm.until_line(launch, "begun")
        assert how_it_started(launch) == "warm"
    return launches


def test_a_stop_reaches_a_training_job_whose_launcher_was_let_go(warm):
    launches = more_than_are_kept(warm)
    for launch in launches:
        warm.runner.stop(launch)
    assert [warm.wait(launch)[0].exit.cause for launch in launches] == ["stopped"] * len(launches)


def test_a_connection_says_whether_a_request_arrived(warm):
    launches = more_than_are_kept(warm)
    connection = warm.runner._owners[str(launches[0].folder)]
    assert connection.alive
    assert not connection.request("stop", str(launches[0].folder))
    for launch in launches:
        warm.runner.stop(launch)
        warm.wait(launch)


def test_a_stop_arrives_although_its_file_cannot_be_written(warm, monkeypatch):
    launch = warm.launch(code=WAITS, grace_seconds=0.0)
    warm.runner.start(launch)
    warm.until_line(launch, "begun")

    def full(path, value):
        raise OSError(errno.ENOSPC, "No space left on device", path)

    with monkeypatch.context() as disk:
        disk.setattr(launcher, "write_json", full)
        warm.runner.stop(launch)
    assert warm.wait(launch)[0].exit.cause == "stopped"
