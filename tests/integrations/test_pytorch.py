"""The programs of docs/how-to/pytorch.md run, and so does the script of examples/pytorch."""

import re

import pytest

from tests.docs.test_examples import EXAMPLES, run
from tests.missing import of_integration

of_integration("torch")
PAGE = (EXAMPLES.parent / "docs/how-to/pytorch.md").read_text()
PROGRAMS = [text for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "alfine.tune" in text]


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_function_is_tuned(number, tmp_path):
    assert re.search(r"\{.+\} 0\.\d+", run(tmp_path, "-c", PROGRAMS[number]))


def test_a_script_is_tuned_and_its_models_are_kept(tmp_path):
    printed = run(tmp_path, "-m", "alfine", "tune", str(EXAMPLES / "pytorch/job.yaml"), "--name", "torch")
    assert re.search(r"best +val_loss 0\.0\d+", printed)
    assert list((tmp_path / "home").rglob("model.tar.gz"))


def test_a_script_in_jax_is_tuned(tmp_path):
    of_integration("jax")
    printed = run(tmp_path, "-m", "alfine", "tune", str(EXAMPLES / "jax/jax.yaml"), "--max-training-jobs", "4")
    assert re.search(r"best +val_loss 0\.\d+", printed)
