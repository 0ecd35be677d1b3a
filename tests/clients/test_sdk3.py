"""The SageMaker SDK 3 as it comes from the package index."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.clients


def test_a_tuner_is_tuned_described_and_analysed(flow):
    told = flow("sdk3", "sdk3_first.py")
    assert (told["status"], told["completed"]) == ("Completed", 4)
    rows = {row["TrainingJobName"]: row for row in told["rows"]}
    assert len(rows) == 4
    best = min(rows.values(), key=lambda row: row["FinalObjectiveValue"])
    assert told["best"] == told["best_summary"] == best["TrainingJobName"]
    assert best["FinalObjectiveValue"] == pytest.approx((best["lr"] - 0.1) ** 2 + 0.25, abs=1e-6)


def test_every_strategy_every_criterion_and_a_stop(flow):
    told = flow("sdk3", "sdk3_searches.py")
    statuses = {name: each["status"] for name, each in told.items()}
    assert statuses == {name: "Stopped" if name == "stopped3" else "Completed" for name in told}
    assert not any(each["failed"] for each in told.values())
    strategies = [told[name]["strategy"] for name in ("random3", "bayesian3", "grid3", "hyperband3")]
    assert strategies == ["Random", "Bayesian", "Grid", "Hyperband"]
    ended = {name: each["ended"] for name, each in told.items()}
    assert (ended["random3"], ended["grid3"], ended["runtime3"]) == (6, 4, 3)
    assert max(ended["target3"], ended["plateau3"]) < 50
    assert ended["converged3"] < 100


@pytest.mark.usefixtures("a_sandbox")
def test_a_model_trainer_trains_by_its_own_driver(flow):
    told = flow("sdk3", "sdk3_trainer.py")
    script, command = told["script"], told["command"]
    assert (script["status"], command["status"]) == ("Completed", "Completed")
    assert script["entrypoint"] == command["entrypoint"] == ["/bin/bash"]
    assert json.loads(script["model"]["model.json"])["epochs"] == 3
    assert json.loads(command["model"]["model.json"])["lr"] == 0.2
    assert "argparse" in command["model"]["train.py"]


def test_tuning_jobs_begin_with_what_another_found_and_by_autotune(flow):
    told = flow("sdk3", "sdk3_warm_start.py")
    assert told["statuses"] == ["Completed"] * 4
    assert told["kinds"] == ["IdenticalDataAndAlgorithm", "TransferLearning"]
    assert told["overall"].startswith(("parent3", "identical3"))
    assert told["auto"] == "Enabled"
