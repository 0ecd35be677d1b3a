"""What the commands say of a job's likely cost, before it begins."""

import json

import pytest

from alfine.jobs.home import Home
from tests.cli.conftest import JOB


@pytest.mark.parametrize("words", [["check"], ["tune", "--quiet"]])
def test_the_commands_say_it_before_the_job_begins(folder, words):
    folder.run("tune", str(folder.job()), "--name", "before")
    folder.job(JOB.replace("seed: 1", "seed: 2"))
    result = folder.run(*words, str(folder.path / "job.yaml"))
    assert "about 4 training jobs" in result.output
    assert "from before" in result.output


def test_check_has_it_as_json_too(folder):
    folder.run("tune", str(folder.job()), "--name", "before")
    found = json.loads(folder.run("check", str(folder.job()), "--json").stdout)["Likely"]
    assert (found["FromTuningJobs"], found["SameDataAndSettings"]) == (["before"], True)
    assert found["TrainingJobs"] == {"Low": 4.0, "Middle": 4.0, "High": 4.0}
    with Home(folder.home) as home:
        spent = home.service.history("before").training_seconds
    assert found["ComputeSeconds"]["Middle"] == pytest.approx(spent)
