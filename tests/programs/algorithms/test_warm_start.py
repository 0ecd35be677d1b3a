"""The built-in algorithms start warm when alfine is installed by pip, not only when it is installed editable.

A warm launcher imports installed packages before any training job has a folder. An editable alfine is not in site-packages, so
the launcher leaves it to each training job. The tests put alfine under a folder called site-packages, as pip does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import alfine
from alfine.programs.algorithms import BUILT_IN
from alfine.runners.executor import LocalChannel
from tests.runners.conftest import Bench, warm  # noqa: F401 - a fixture

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="warm starts need Linux")

HYPERPARAMETERS = {
    "xgboost": {"num_round": "2"},
    "knn": {"feature_dim": "2", "k": "3", "sample_size": "30", "predictor_type": "regressor"},
    "kmeans": {"feature_dim": "3", "k": "3"},
    "lightgbm": {"num_boost_round": "2"},
    "linear-learner": {"predictor_type": "regressor", "epochs": "1", "feature_dim": "2"},
}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that looks like site-packages, with alfine in it."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "alfine").symlink_to(Path(alfine.__file__).parent)
    return folder


@pytest.fixture
def train(tmp_path: Path) -> LocalChannel:
    folder = tmp_path / "train"
    folder.mkdir()
    rows = np.random.default_rng(0).normal(size=(40, 3))
    np.savetxt(folder / "rows.csv", rows, delimiter=",")
    return LocalChannel(name="train", path=folder, content_type="text/csv")


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_warm_training_job_uses_its_own_folder(
    warm: Bench,  # noqa: F811 - a fixture
    installed: Path,
    train: LocalChannel,
    name: str,
) -> None:
    if missing := BUILT_IN[name].missing():
        pytest.skip(missing)
    script = installed / "alfine" / BUILT_IN[name].path.relative_to(Path(alfine.__file__).parent)
    for job in ("job-1", "job-2"):
        launch = warm.launch(
            job,
            script=script,
            channels=(train,),
            hyperparameters=HYPERPARAMETERS[name],
            environment={"PYTHONPATH": str(installed)},
        )
        last, lines = warm.see_out(launch)
        assert last.exit is not None
        assert last.exit.succeeded, lines
        assert json.loads((launch.folder / ".alfine" / "process.json").read_text())["start"] == "warm"
        assert list((launch.folder / "opt" / "ml" / "model").iterdir())
