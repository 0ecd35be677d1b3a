"""Settings in tags, over the wire: one that nobody would read is refused, instead of ending a job otherwise than was meant."""

import pytest
from botocore.exceptions import ClientError

from tests.aws.conftest import until

CONVERGENCE = {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}


def create(sagemaker, make, name, tags, criteria=None):
    request = make(name, max_training_jobs=1)
    if criteria:
        request["HyperParameterTuningJobConfig"]["TuningJobCompletionCriteria"] = criteria
    request["Tags"] = [{"Key": f"alfine:{key}", "Value": value} for key, value in tags.items()]
    sagemaker.create_hyper_parameter_tuning_job(**request)


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"MaxCosts": "5", "price-per-hour": "1"}, "alfine:MaxCosts: isn't a setting of alfine. Did you mean alfine:MaxCost?"),
        ({"price_per_hour": "1"}, "Did you mean alfine:price-per-hour?"),
        ({"deadline": "60"}, "Did you mean alfine:Deadline?"),
        ({"ConvergenceDetected": "delta=0.1"}, "ConvergenceDetected is asked for in TuningJobCompletionCriteria, not by a tag alone"),
        ({"BestObjectiveNotImproving": "strict=true"}, "is asked for in TuningJobCompletionCriteria"),
        ({"MaxNumberOfTrainingJobs": "3"}, "is asked for in ResourceLimits"),
        ({"Steady": "ConvergenceDetected"}, "Steady is asked for in the tag alfine:criteria."),
        ({"MaxCost": "5"}, "needs the price of an instance of type"),
        ({"MaxCost": "-5", "price-per-hour": "1"}, "limit -5 must be a number above 0"),
        ({"Deadline": "tomorrow"}, "'tomorrow' must be an instant with its zone"),
        ({"checkpoints": "share"}, "alfine:checkpoints: 'share' must be shared. Without the tag each training job has its own."),
        ({"runner-2": "process"}, "alfine:runner-2: isn't a setting of alfine. Did you mean alfine:runner?"),
        ({"start-with": "x = 1 n = 2", "start-with-3": "n = 3"}, "alfine:start-with-3: goes on with alfine:start-with-2, and there is none."),
        ({"criteria-2": "MaxCost 5"}, "alfine:criteria-2: goes on with alfine:criteria, and there is none."),
    ],
)  # fmt: skip
def test_a_setting_that_nobody_would_read_is_refused(sagemaker, make, tags, why):
    with pytest.raises(ClientError, match="ValidationException") as error:
        create(sagemaker, make, "refused", tags)
    assert why in str(error.value)


def test_a_misspelt_setting_of_amts_own_criteria_names_the_tag(sagemaker, make):
    with pytest.raises(ClientError) as error:
        create(sagemaker, make, "refused", {"ConvergenceDetected": "dleta=0.1"}, CONVERGENCE)
    assert "Tags.alfine:ConvergenceDetected: 'dleta' isn't one of its settings. Did you mean delta?" in str(error.value)
    with pytest.raises(ClientError) as error:
        plateau = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 5}}
        create(sagemaker, make, "refused", {"BestObjectiveNotImproving": "strict=yes"}, plateau)
    assert "strict 'yes' must be true or false" in str(error.value)


def test_tags_that_are_like_none_of_alfines_are_the_users_own(sagemaker, make):
    create(sagemaker, make, "own", {"team": "churn", "ConvergenceDetected": "delta=0.1"}, CONVERGENCE)
    assert sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="own")


MACHINES = {
    "InstanceGroups": [{"InstanceType": "ml.m5.large", "InstanceCount": 2, "InstanceGroupName": "g"}],
    "InstancePreferences": [{"InstanceType": "ml.m5.large", "InstanceCount": 2}],
    "SelectedInstanceType": "ml.m5.large",
    "SelectedInstanceCount": 2,
}


@pytest.mark.parametrize("field", MACHINES)
def test_machines_that_nobody_would_choose_are_refused_in_a_tuning_job_too(sagemaker, make, field):
    request = make("refused")
    request["TrainingJobDefinition"]["ResourceConfig"][field] = MACHINES[field]
    with pytest.raises(ClientError, match=rf"TrainingJobDefinition.ResourceConfig.{field}: .* Use InstanceType."):
        sagemaker.create_hyper_parameter_tuning_job(**request)


@pytest.mark.parametrize("count", [0, 101, 10**6])
def test_a_training_job_has_at_least_one_instance_and_no_more_than_a_machine_can_run(sagemaker, make, count):
    """Without one the training jobs never began; with a million the server wrote their folders for hours, and nothing else."""
    request = make("refused")
    request["TrainingJobDefinition"]["ResourceConfig"]["InstanceCount"] = count
    with pytest.raises(ClientError, match=f"ResourceConfig.InstanceCount: {count} must be 1 to 100"):
        sagemaker.create_hyper_parameter_tuning_job(**request)
    definition = request["TrainingJobDefinition"]
    definition["HyperParameters"] = definition.pop("StaticHyperParameters")
    with pytest.raises(ClientError, match=f" ResourceConfig.InstanceCount: {count} must be 1 to 100"):
        sagemaker.create_training_job(TrainingJobName="refused", **definition)


def test_a_job_may_run_as_long_as_aws_lets_it_run(sagemaker, make):
    request = make("refused", max_runtime_seconds=15_768_001)
    with pytest.raises(ClientError, match="value less than or equal to 15768000"):
        sagemaker.create_hyper_parameter_tuning_job(**request)
    request = make("refused")
    definition = request["TrainingJobDefinition"]
    definition["StoppingCondition"] = {"MaxRuntimeInSeconds": 28 * 86400 + 1}
    with pytest.raises(ClientError, match=r"Definition.StoppingCondition.MaxRuntimeInSeconds: 2419201 .* \(28 days\)"):
        sagemaker.create_hyper_parameter_tuning_job(**request)
    definition["HyperParameters"] = definition.pop("StaticHyperParameters")
    with pytest.raises(ClientError, match=" StoppingCondition.MaxRuntimeInSeconds: 2419201 is more than 2419200"):
        sagemaker.create_training_job(TrainingJobName="refused", **definition)
    sagemaker.create_hyper_parameter_tuning_job(**make("as-long", max_training_jobs=1, max_runtime_seconds=15_768_000))


def test_a_setting_of_a_job_that_is_there_is_neither_added_nor_taken_away(sagemaker, make):
    create(sagemaker, make, "fixed", {"grace-seconds": "5"})
    arn = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="fixed")[
        "HyperParameterTuningJobArn"
    ]
    kept = {"Key": "alfine:grace-seconds", "Value": "5"}
    with pytest.raises(
        ClientError, match="alfine:grace-seconds: a setting of alfine counts as it was when the job was created"
    ):
        sagemaker.add_tags(ResourceArn=arn, Tags=[{**kept, "Value": "6"}])
    with pytest.raises(ClientError, match="alfine:forbid-2: a setting of alfine"):
        sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "alfine:forbid-2", "Value": "n = 1"}])
    with pytest.raises(ClientError, match="`alfine change` changes limits"):
        sagemaker.delete_tags(ResourceArn=arn, TagKeys=["alfine:grace-seconds"])
    sagemaker.add_tags(ResourceArn=arn, Tags=[kept, {"Key": "alfine", "Value": "mine"}])
    assert kept in sagemaker.list_tags(ResourceArn=arn)["Tags"]


@pytest.mark.parametrize(
    ("static", "ranges", "why"),
    [
        ({"alfine_pyton": "python3"}, [], "alfine_pyton: alfine has no setting of this name. Did you mean alfine_python?"),
        ({}, ["alfine_python"], "alfine_python: names the program to run, so it can't be tuned. Give one value."),
        ({}, ["sagemaker_submit_directory"], "sagemaker_submit_directory: this hyperparameter also has a range."),
    ],
)  # fmt: skip
def test_what_says_what_runs_is_known_and_static(sagemaker, make, static, ranges, why):
    request = make("refused", max_training_jobs=2)
    request["TrainingJobDefinition"]["StaticHyperParameters"] |= static
    lists = request["HyperParameterTuningJobConfig"]["ParameterRanges"]
    lists["CategoricalParameterRanges"] = [{"Name": name, "Values": ["a", "b"]} for name in ranges]
    with pytest.raises(ClientError) as error:
        sagemaker.create_hyper_parameter_tuning_job(**request)
    assert why in str(error.value)


def test_the_name_of_a_single_definition_is_told(sagemaker, make):
    request = make("called", max_training_jobs=1)
    request["TrainingJobDefinition"]["DefinitionName"] = "forest"
    sagemaker.create_hyper_parameter_tuning_job(**request)
    told = until(sagemaker, "called")
    rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="called")
    names = [each["TrainingJobDefinitionName"] for each in (told["BestTrainingJob"], *rows["TrainingJobSummaries"])]
    assert names == ["forest", "forest"]
