"""Autotune without ranges: those that AWS's documentation recommends for a built-in algorithm."""

from __future__ import annotations

import pytest

from alfine.core.errors import InvalidSpec
from alfine.core.ranges import Continuous, Integer
from alfine.programs.algorithms import BUILT_IN
from alfine.programs.algorithms.specification import RECOMMENDED, hyperparameters_of, value_trouble
from alfine.programs.complete_request import read_completed
from alfine.programs.machine import Machine
from tests.programs.algorithms.test_open_bounds import asked

CONFIG = "HyperParameterTuningJobConfig"


def autotuned(**static):
    whole = {**asked(**static), "Autotune": {"Mode": "Enabled"}}
    whole[CONFIG].pop("ParameterRanges")
    whole[CONFIG].pop("TrainingJobEarlyStoppingType", None)
    return whole


def test_each_tunable_hyperparameter_without_a_value_gets_its_range():
    spec = read_completed(autotuned(eta="0.2", objective="reg:squarederror"), Machine())
    tunable = {
        "alpha",
        "colsample_bylevel",
        "colsample_bynode",
        "colsample_bytree",
        "gamma",
        "lambda",
        "max_delta_step",
    }
    assert {*spec.space.names} == {*tunable, "max_depth", "min_child_weight", "subsample"}
    assert spec.space.ranges["max_depth"] == Integer(0, 10)
    assert spec.space.ranges["subsample"] == Continuous(0.5, 1)
    assert spec.definition.static_hyperparameters["eta"] == "0.2"


def test_what_has_no_recommended_ranges_is_refused():
    with pytest.raises(InvalidSpec, match="at least one hyperparameter needs a range"):
        read_completed(autotuned(sagemaker_program="train.py"), Machine())
    without = autotuned()
    without[CONFIG].pop("HyperParameterTuningJobObjective")
    with pytest.raises(InvalidSpec, match=r"MetricName: is missing\. Name the metric"):
        read_completed(without, Machine())


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_recommended_range_is_one_that_the_algorithm_accepts(name):
    known = hyperparameters_of(BUILT_IN[name].specification)
    ranges = {entry["Name"]: entry[RECOMMENDED] for entry in known.values() if RECOMMENDED in entry}
    assert ranges
    for hyperparameter, values in ranges.items():
        assert known[hyperparameter]["IsTunable"]
        assert [value_trouble(known[hyperparameter], value) for value in values] == ["", ""]
