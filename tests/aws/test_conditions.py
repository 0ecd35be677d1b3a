"""Conditional hyperparameters, constraints and known configurations over the wire: in tags."""

import pytest
from botocore.exceptions import ClientError

from tests.aws.conftest import until


def tagged(asked, **settings):
    asked["Tags"] = [{"Key": f"alfine:{key.replace('_', '-')}", "Value": value} for key, value in settings.items()]
    return asked


def test_what_is_inactive_is_no_tuned_hyperparameter(sagemaker, make):
    rules = {"requires": "x if n at-least 3", "forbid": "n is 2", "start_with": "n=4 x=0.25 / n=1"}
    asked = tagged(make("conditional", max_training_jobs=4, strategy="Random"), **rules)
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    assert until(sagemaker, "conditional")["HyperParameterTuningJobStatus"] == "Completed"
    listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="conditional", SortBy="CreationTime", SortOrder="Ascending"
    )
    tuned = [each["TunedHyperParameters"] for each in listed["TrainingJobSummaries"]]
    assert tuned[:2] == [{"n": "4", "x": "0.25"}, {"n": "1"}]
    assert all(("x" in each) == (int(each["n"]) >= 3) and each["n"] != "2" for each in tuned)
    second = sagemaker.describe_training_job(TrainingJobName=listed["TrainingJobSummaries"][1]["TrainingJobName"])
    assert "x" not in second["HyperParameters"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"requires": "x if n above 99"}, "n > 99» never holds"),
        ({"requires": "y if n is 1"}, "no hyperparameter 'y'"),
        ({"requires": "n is 1"}, "must say of what it's a condition"),
        ({"forbid": "x if n is 1"}, "is a condition"),
        ({"forbid": "n n n"}, "after n"),
        ({"forbid": "n at-least 1"}, "every configuration is forbidden"),
        ({"start_with": "n=1"}, "x.*is missing"),
    ],
)
def test_rules_that_make_no_sense_are_refused(sagemaker, make, rules, said):
    with pytest.raises(ClientError, match=said):
        sagemaker.create_hyper_parameter_tuning_job(**tagged(make("senseless"), **rules))
