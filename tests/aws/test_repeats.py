"""Repeats asked for by a tag: boto3 is told the best by its mean."""

import collections

import pytest
from botocore.exceptions import ClientError

from alfine import Categorical
from alfine.api.job_words import job_request
from tests.aws.conftest import until

PROGRAM = """
import os
number = int(os.environ["TRAINING_JOB_NAME"].split("-")[-2])
print(f"loss={[1.0, 2.0, 3.0, 9.0, 2.5, 9.0, 2.5][number - 1]}")
"""


def test_best_training_job_is_the_one_with_the_best_mean(sagemaker, make, tmp_path):
    script = tmp_path / "lucky.py"
    script.write_text(PROGRAM)
    request = make("again", max_training_jobs=7, max_parallel=1, repeats="best=2 times=2")
    static = request["TrainingJobDefinition"]["StaticHyperParameters"]
    static |= {"sagemaker_program": "lucky.py", "sagemaker_submit_directory": tmp_path.as_uri()}
    sagemaker.create_hyper_parameter_tuning_job(**request)
    told = until(sagemaker, "again")
    assert told["HyperParameterTuningJobStatus"] == "Completed"
    assert told["TrainingJobStatusCounters"]["Completed"] == 7
    assert "-002-" in told["BestTrainingJob"]["TrainingJobName"]  # 2, 2.5 and 2.5 again; the first had 1, 9 and 9
    assert told["TuningJobCompletionDetails"]["NumberOfTrainingJobsObjectiveNotImproving"] == 2
    listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="again", SortBy="CreationTime"
    )
    values = [each["TunedHyperParameters"] for each in listed["TrainingJobSummaries"]]
    assert values.count(values[0]) == 3


@pytest.fixture
def small(script):
    """A function of a name and words: a request for a space of three configurations, of which two are run again twice."""

    def small(name, **words):
        space = {"x": Categorical(["0", "1", "2"])}
        return job_request(
            name=name, space=space, script=script, metric="loss", static={"n": 1}, repeats="best=2 times=2", **words
        )

    return small


@pytest.mark.parametrize("strategy", ["Grid", "Random", "Bayesian"])
@pytest.mark.parametrize("limit", [7, None])
def test_a_small_space_is_searched_whole_and_its_best_are_run_again(sagemaker, small, strategy, limit):
    name = f"small-{strategy}-{limit}"
    sagemaker.create_hyper_parameter_tuning_job(**small(name, strategy=strategy, max_training_jobs=limit))
    told = until(sagemaker, name)
    assert told["HyperParameterTuningJobStatus"] == "Completed"
    assert told["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"] == 7
    rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    tried = collections.Counter(row["TunedHyperParameters"]["x"] for row in rows["TrainingJobSummaries"])
    assert tried == {"0": 3, "1": 3, "2": 1}


def test_a_limit_beyond_a_small_space_and_its_repeats_is_refused(sagemaker, small):
    with pytest.raises(ClientError, match="number of configurations of the grid, 3, with 4 to run the best again 7."):
        sagemaker.create_hyper_parameter_tuning_job(**small("refused", strategy="Grid", max_training_jobs=3))
    with pytest.raises(
        ClientError, match=r"ranges \[3.0\] must be equal or greater than the value of MaxNumberOfJobs, \[4\]"
    ):
        sagemaker.create_hyper_parameter_tuning_job(**small("refused", strategy="Random", max_training_jobs=8))
