"""alfine.callbacks.HuggingFace where the Trainer differs from the others: several data sets, evaluations by steps, several processes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import alfine
from tests.docs.test_examples import EXAMPLES, run
from tests.integrations.test_callbacks import Told, X, Y, with_huggingface
from tests.missing import of_integration

of_integration("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")  # the Trainer's own

PROCESSES = """
import json, os, sys
import alfine
from tests.integrations.huggingface_model import fit
from tests.integrations.test_callbacks import X, Y

def report(step, value):
    print(json.dumps({"step": step}), flush=True)
    return step >= 3

epochs, _ = fit(X, Y, 0.1, [alfine.callbacks.HuggingFace(report, every=1)], {"num_train_epochs": 9})
print(json.dumps({"epochs": epochs}), flush=True)
"""


def test_evaluations_by_steps_are_counted_one_by_one():
    told = Told()
    settings = {"eval_strategy": "steps", "eval_steps": 1, "num_train_epochs": 3, "per_device_train_batch_size": 20}
    with_huggingface(told, settings=settings)
    assert told.steps == [*range(1, 10)]


def test_of_several_data_sets_one_has_the_metric():
    from tests.integrations.huggingface_model import data_of, fit

    told = Told()
    sets = {"easy": data_of(X, Y), "hard": data_of(X, -Y)}
    fit(
        X,
        Y,
        0.1,
        [alfine.callbacks.HuggingFace(told, metric="eval_hard_loss")],
        {"num_train_epochs": 4},
        validation=sets,
    )
    assert told.steps == [1, 2, 3, 4]
    assert min(told.values) > 1
    with pytest.raises(alfine.AlfineError, match="no eval_loss to report. There is: .*eval_easy_loss.* eval_hard_loss"):
        fit(X, Y, 0.1, [alfine.callbacks.HuggingFace(told)], {"num_train_epochs": 4}, validation=sets)


def test_without_evaluation_it_says_how_to_have_some():
    with pytest.raises(alfine.AlfineError, match="no eval_loss to report. Let the Trainer evaluate"):
        with_huggingface(Told(), settings={"eval_strategy": "no"})


def test_of_two_processes_the_first_reports_and_both_end(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROCESSES)
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", str(program)]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        words,
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    assert [line["step"] for line in lines if "step" in line] == [1, 2, 3]
    assert [line["epochs"] for line in lines if "epochs" in line] == [3, 3]


def test_the_example_runs(tmp_path):
    printed = run(tmp_path, str(EXAMPLES / "huggingface_callback.py"))
    assert re.search(r"\d+ of \d+ training jobs were stopped early.\nBest: \w+_loss 0.0", printed)
