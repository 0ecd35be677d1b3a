"""Ranges that begin at a number that the hyperparameter can't have."""

from __future__ import annotations

from typing import Any

import pytest

from alfine.core.errors import InvalidSpec
from alfine.programs.complete_request import read_completed
from alfine.programs.machine import Machine
from tests.building import request

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"


def asked(low: str = "0", scaling: str = "Auto", **static: str) -> dict[str, Any]:
    whole = request(metric="validation:rmse")
    entry = {"Name": "colsample_bytree", "MinValue": low, "MaxValue": "1", "ScalingType": scaling}
    whole["HyperParameterTuningJobConfig"]["ParameterRanges"] = {"ContinuousParameterRanges": [entry]}
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://any"}}
    channels = [{"ChannelName": name, "DataSource": source} for name in ("train", "validation")]
    whole["TrainingJobDefinition"] |= {
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "StaticHyperParameters": {"num_round": "1", **static},
        "InputDataConfig": channels,
    }
    return whole


def test_values_are_drawn_above_the_bound_and_evenly():
    drawn = read_completed(asked(), Machine()).space.ranges["colsample_bytree"]
    assert 0 < drawn.from_unit(0.0) < 1e-6
    assert drawn.from_unit(0.5) == pytest.approx(0.5)


def test_the_range_stays_as_it_was_asked_for():
    spec = read_completed(asked(), Machine())
    (entry,) = spec.request["HyperParameterTuningJobConfig"]["ParameterRanges"]["ContinuousParameterRanges"]
    assert (entry["MinValue"], entry["MaxValue"], entry["ScalingType"]) == ("0", "1", "Auto")
    again = read_completed(spec.request, Machine())  # as clients and proposals send what was recorded
    assert again.space == spec.space
    entry["MinValue"] = "0.5"
    assert read_completed(spec.request, Machine()).space.ranges["colsample_bytree"].from_unit(0.0) == 0.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"low": "-0.1"}, "-0.1 isn't in the range of colsample_bytree, above 0 to 1"),
        ({"subsample": "0"}, "0 isn't in the range of subsample, above 0 to 1"),
        ({"scaling": "Logarithmic"}, "can't be scaled Logarithmic"),
    ],
)
def test_nothing_else_than_the_bound_is_accepted(words, message):
    with pytest.raises(InvalidSpec, match=message):
        read_completed(asked(**words), Machine())


def test_a_script_draws_from_the_bound_itself():
    spec = read_completed(asked(sagemaker_program="train.py"), Machine())
    assert spec.space.ranges["colsample_bytree"].from_unit(0.0) == 0
