"""Autotune over the wire."""

import pytest
from botocore.exceptions import ClientError

from tests.aws.conftest import until

CONFIG = "HyperParameterTuningJobConfig"


def test_ranges_and_settings_are_chosen_and_described(sagemaker, make):
    asked = make("auto", max_training_jobs=3)
    asked["Autotune"] = {"Mode": "Enabled"}
    hints = [{"Name": "x", "ValueHint": "0.8"}, {"Name": "n", "ValueHint": "4"}, {"Name": "wait", "ValueHint": "0"}]
    asked[CONFIG]["ParameterRanges"] = {"AutoParameters": hints}
    del asked[CONFIG]["TrainingJobEarlyStoppingType"]
    sagemaker.create_hyper_parameter_tuning_job(**asked)
    told = until(sagemaker, "auto")
    assert told["HyperParameterTuningJobStatus"] == "Completed"
    assert told["Autotune"] == {"Mode": "Enabled"}
    ranges = told[CONFIG]["ParameterRanges"]
    integer = {"Name": "n", "MinValue": "2", "MaxValue": "8", "ScalingType": "Auto"}
    assert ranges["IntegerParameterRanges"] == [integer]
    assert ranges["ContinuousParameterRanges"][0]["Name"] == "x"
    assert ranges["AutoParameters"] == hints
    assert told[CONFIG]["TrainingJobEarlyStoppingType"] == "Auto"
    criteria = told[CONFIG]["TuningJobCompletionCriteria"]
    assert criteria == {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}
    assert told["TrainingJobDefinition"]["StaticHyperParameters"]["wait"] == "0"
    assert told["TrainingJobDefinition"]["RetryStrategy"] == {"MaximumRetryAttempts": 2}
    assert set(told["BestTrainingJob"]["TunedHyperParameters"]) == {"x", "n"}


def test_auto_parameters_without_autotune_are_refused(sagemaker, make):
    asked = make("hints")
    asked[CONFIG]["ParameterRanges"] = {"AutoParameters": [{"Name": "x", "ValueHint": "0.8"}]}
    with pytest.raises(ClientError, match="AutoParameters: needs Autotune with Mode Enabled"):
        sagemaker.create_hyper_parameter_tuning_job(**asked)


def test_a_definition_needs_resources(sagemaker, make):
    asked = make("resources")
    del asked["TrainingJobDefinition"]["ResourceConfig"]
    with pytest.raises(ClientError, match="TrainingJobDefinition: needs ResourceConfig or HyperParameterTuningResou"):
        sagemaker.create_hyper_parameter_tuning_job(**asked)
