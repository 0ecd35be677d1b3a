"""alfine.callbacks.Lightning where Lightning differs from the others: sanity checks, several processes, no validation."""

import json
import re

import pytest

import alfine
from tests.docs.test_examples import EXAMPLES, run
from tests.integrations.test_callbacks import Told, X, Y, with_lightning
from tests.missing import of_integration

of_integration("pytorch_lightning")
pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own


def test_the_sanity_check_and_validations_outside_of_a_training_are_no_reports():
    told = Told()
    epochs, curve = with_lightning(told, every=1, trainer={"max_epochs": 3, "num_sanity_val_steps": 1})
    assert told.values == pytest.approx(curve)
    assert len(curve) == epochs == 3


def test_validations_within_an_epoch_count_one_by_one():
    told = Told()
    with_lightning(told, trainer={"max_epochs": 40, "val_check_interval": 1.0, "check_val_every_n_epoch": 2})
    assert told.steps == [*range(1, 21)], "20 validations, each of them reported"


def test_without_validation_each_epoch_is_reported():
    from tests.integrations.lightning_model import fit

    told = Told(most=4)
    epochs, _ = fit(X, Y, 0.1, [alfine.callbacks.Lightning(told, metric="loss")], {"max_epochs": 20}, validate=False)
    assert told.steps == [1, 2, 3, 4]
    assert epochs == 4


def test_of_two_processes_the_first_reports_and_both_end(tmp_path):
    from tests.integrations.lightning_model import fit, pl

    def report(step, value):
        with (tmp_path / "reports").open("a") as file:
            file.write(json.dumps([step, value]) + "\n")
        return step >= 3

    class Ends(pl.Callback):
        def on_train_end(self, trainer, _):
            (tmp_path / f"rank{trainer.global_rank}").write_text(str(trainer.current_epoch))

    callbacks = [alfine.callbacks.Lightning(report, every=1), Ends()]
    fit(X, Y, 0.1, callbacks, {"max_epochs": 9, "devices": 2, "strategy": "ddp_fork"})
    reports = [json.loads(line) for line in (tmp_path / "reports").read_text().splitlines()]
    assert [step for step, _ in reports] == [1, 2, 3]
    ends = [(tmp_path / f"rank{rank}").read_text() for rank in (0, 1)]
    assert ends[0] == ends[1]
    assert int(ends[0]) <= 3


def test_in_a_script_a_bar_that_prints_the_metric_is_named(caplog):
    with_lightning(trainer={"max_epochs": 2, "enable_progress_bar": True})
    assert caplog.text.count("Switch it off: Trainer(enable_progress_bar=False)") == 1


def test_the_example_runs(tmp_path):
    of_integration("lightning")
    printed = run(tmp_path, str(EXAMPLES / "lightning_callback.py"))
    assert re.search(r"\d+ of \d+ training jobs were stopped early.\nBest: \w+_loss 0.0", printed)
