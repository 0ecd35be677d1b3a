"""alfine import, as a user types it: from an Optuna study in a file, then replayed."""

import json

import pytest

from tests.optuna_studies import optuna_storage

from .conftest import alfine_cli


@pytest.fixture
def study(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    with optuna_storage(url) as (optuna, storage):
        sampler = optuna.samplers.RandomSampler(seed=1)
        made = optuna.create_study(storage=storage, study_name="parabola", sampler=sampler)
        made.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=15)
        return url, made.best_value


def test_a_study_is_imported_and_replayed(tmp_path, study):
    url, best = study
    home = tmp_path / "home"
    shown = alfine_cli(home, "import", "optuna", url)
    assert shown.exit_code == 0, shown.output
    assert f"Imported parabola: 15 training jobs, best objective {best:.6g}." in shown.stdout
    replay = alfine_cli(home, "replay", "parabola", "--criterion", "BestObjectiveNotImproving 3", "--json")
    (row,) = json.loads(replay.stdout)["Replays"]
    assert row["Ended"]
    assert row["TrainingJobs"] < 15


def test_a_second_import_and_a_missing_study_fail_with_the_reason(tmp_path, study):
    url, _ = study
    home = tmp_path / "home"
    assert alfine_cli(home, "import", "optuna", url, "--json").exit_code == 0
    again = alfine_cli(home, "import", "optuna", url)
    assert again.exit_code != 0
    assert "already exists" in again.output
    missing = alfine_cli(home, "import", "optuna", url, "--study", "cubic")
    assert "there is no study 'cubic'. It has: parabola" in missing.output


def test_an_imported_job_that_cannot_run_here_does_not_go_on(tmp_path, study):
    url, _ = study
    home = tmp_path / "home"
    alfine_cli(home, "import", "optuna", url)
    refused = alfine_cli(home, "change", "parabola", "--max-training-jobs", "20")
    assert refused.exit_code == 2
    assert "command: there is no program 'ran-in-optuna' here." in refused.stderr
    assert (
        json.loads(alfine_cli(home, "describe", "parabola", "--json").stdout)["HyperParameterTuningJobStatus"]
        == "Completed"
    )
