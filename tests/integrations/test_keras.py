"""alfine.callbacks.Keras where Keras differs from the others: epochs without validation, its own progress."""

import re

import pytest

import alfine
from tests.docs.test_examples import EXAMPLES, run
from tests.integrations.test_callbacks import Told, with_keras
from tests.missing import of_integration

of_integration("keras")
pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own


def test_only_validated_epochs_count():
    told = Told()
    with_keras(told, every=1, fit={"epochs": 7, "validation_freq": 3})
    assert told.steps == [3, 6]


def test_a_training_metric_needs_no_validation():
    told = Told()
    with_keras(told, metric="mae", fit={"epochs": 10, "validation_data": None})
    assert told.steps == [*range(1, 11)]


def test_without_validation_it_says_how_to_have_some():
    with pytest.raises(alfine.AlfineError, match="no val_loss to report. Give fit validation_data"):
        with_keras(Told(), fit={"epochs": 2, "validation_data": None})


def test_in_a_script_a_bar_that_prints_the_metric_is_named(caplog):
    with_keras(Told(), fit={"epochs": 1, "verbose": 2})
    assert not caplog.messages
    with_keras(fit={"epochs": 1, "verbose": 2})
    assert "Switch it off: fit(…, verbose=0)" in caplog.text


def test_the_example_runs(tmp_path):
    printed = run(tmp_path, str(EXAMPLES / "keras_callback.py"))
    assert re.search(r"\d+ of \d+ training jobs were stopped early.\nBest: \w+_loss 0.0", printed)
