"""Repeats asked for by a tag: boto3 is told the best by its mean."""

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
