"""Tuning jobs of more sources than there are warm launchers: each training job can still be stopped, and its limits hold."""

import shutil
from pathlib import Path

import pytest

from alfine import Continuous
from alfine.api.job_words import job_request
from tests.aws.conftest import until
from tests.cli.conftest import until as wait_until

SOURCES = 6
"""Two more than the warm launchers that a runner keeps."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory, script):
    """A script for each tuning job, in a folder of its own, so that each has a warm launcher of its own."""
    folders = [tmp_path_factory.mktemp(f"source-{number}") for number in range(SOURCES)]
    return [Path(shutil.copy(script, folder / "train.py")) for folder in folders]


def begun(sagemaker, name, source, *, training_job_seconds=None, **words):
    """Create a tuning job with one training job, which waits for minutes, and return once that runs."""
    words = {"metric": "loss", "strategy": "Random", "max_training_jobs": 1, "max_parallel": 1, **words}
    asked = job_request(name=name, space={"x": Continuous(0, 1)}, script=source, **words)
    definition = asked["TrainingJobDefinition"]
    definition["StaticHyperParameters"].update(wait="300", n="1")
    if training_job_seconds:
        definition["StoppingCondition"] = {"MaxRuntimeInSeconds": training_job_seconds}
    sagemaker.create_hyper_parameter_tuning_job(**asked)

    def runs():
        found = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        return ["TrainingStartTime" in row for row in found["TrainingJobSummaries"]]

    wait_until(lambda: any(runs()), f"{name} runs")


def test_stop_reaches_the_training_jobs_of_every_source(sagemaker, sources):
    names = [f"many-{number}" for number in range(SOURCES)]
    for name, source in zip(names, sources, strict=True):
        begun(sagemaker, name, source)
    for name in names:
        sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    for name in names:
        description = until(sagemaker, name, "Stopped", leaves=False)
        assert description["TrainingJobStatusCounters"]["Stopped"] == 1


def test_time_limits_of_tuning_jobs_and_of_training_jobs_hold_for_every_source(sagemaker, sources):
    """The launchers of the first two sources, one with each limit, are let go for those of the last two."""
    limits = [{"criteria": ["Deadline 10 active=true"]}, {"training_job_seconds": 10}] * (SOURCES // 2)
    names = [f"limited-{number}" for number in range(SOURCES)]
    for name, source, words in zip(names, sources, limits, strict=True):
        begun(sagemaker, name, source, **words)
    for name, words in zip(names, limits, strict=True):
        ended = until(sagemaker, name)
        assert ended["TrainingJobStatusCounters"]["Stopped"] == 1
        if "criteria" in words:
            assert ended["HyperParameterTuningJobStatus"] == "Completed"
