"""What Autotune chooses, and what it leaves."""

import copy

import pytest

from alfine import Categorical, Continuous, Integer, InvalidSpec
from alfine.core.read_spec import read_spec
from alfine.programs.autotune import autotuned, range_around
from tests.building import request, several

CONFIG, DEFINITION, DEFINITIONS = "HyperParameterTuningJobConfig", "TrainingJobDefinition", "TrainingJobDefinitions"


@pytest.mark.parametrize(
    ("name", "hint", "expected"),
    [
        ("layers", "4", Integer(2, 8)),  # AMT's own example
        ("units", '"64"', Integer(32, 128)),
        ("max_depth", "1", Integer(1, 2)),
        ("temperature", "0.8", Continuous(0.4, 1.6)),
        ("shift", "-2.0", Continuous(-4.0, -1.0)),
        ("learning_rate", "0.001", Continuous(0.0001, 0.01, scaling="Logarithmic")),
        ("lr", "0.3", Continuous(0.03, 1.0, scaling="Logarithmic")),
        ("eta", "0.2", Continuous(0.02, 1.0, scaling="Logarithmic")),
        ("weight-decay", "1e-4", Continuous(1e-5, 1e-3, scaling="Logarithmic")),
        ("reg_lambda", "0.0", Continuous(0.0, 1.0, scaling="Linear")),
        ("dropout", "0.5", Continuous(0.25, 0.75, scaling="Linear")),
        ("alpha", "0", Continuous(0.0, 1.0, scaling="Linear")),
        ("reg_lambda", "1", Continuous(0.1, 10.0, scaling="Logarithmic")),
        ("learning_rate", "1", Continuous(0.1, 1.0, scaling="Logarithmic")),
        ("dropout", "0", Continuous(0.0, 0.5, scaling="Linear")),
        ("colsample_bytree", "1", Continuous(0.5, 1.0, scaling="Linear")),
        ("subsample", "1.0", Continuous(0.5, 1.0, scaling="Linear")),
        ("momentum", "0.9", Continuous(0.0, 0.99, scaling="ReverseLogarithmic")),
        ("seed", "7", None),
        ("random_state", "7", None),
        ("n_jobs", "2", None),
        ("early_stopping", "0", None),
        ("n_best", "-1", None),
        ("gamma", "0.0", None),
        ("optimizer", "adam", None),
        ("use_bias", "true", None),
        ("sagemaker_container_log_level", "20", None),
        ("x", "nan", None),
    ],
)
def test_a_hint_becomes_a_range_by_the_rule_for_its_name_and_type(name, hint, expected):
    found = range_around(name, hint)
    if expected is None:
        assert found is None
    else:
        assert type(found) is type(expected)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert found.scaling == expected.scaling
        assert not list(found.faults("x"))


@pytest.mark.parametrize("hint", ["0.9", "0.99", "0.95", "0.7"])
def test_the_ends_of_a_range_are_numbers_as_people_write_them(hint):
    found = range_around("momentum", hint)
    assert max(len(repr(found.low)), len(repr(found.high))) <= 6


def test_an_algorithms_own_type_and_range_hold():
    own = {"Type": "Continuous", "Range": {"ContinuousParameterRangeSpecification": {"MinValue": "0", "MaxValue": "1"}}}
    assert range_around("eta", "0.3", own) == Continuous(0.03, 1.0, scaling="Logarithmic")
    assert range_around("colsample", "1", own) == Continuous(0.5, 1.0, scaling="Linear")
    few = {"Type": "Integer", "Range": {"IntegerParameterRangeSpecification": {"MinValue": "3", "MaxValue": "5"}}}
    assert range_around("depth", "4", few) == Integer(3, 5)
    assert range_around("booster", "1", {"Type": "Categorical"}) is None


def auto(*hints, **words):
    asked = copy.deepcopy(request(**{"space": {}, **words}))
    asked[CONFIG]["ParameterRanges"]["AutoParameters"] = [{"Name": name, "ValueHint": hint} for name, hint in hints]
    asked["Autotune"] = {"Mode": "Enabled"}
    for key in ("TrainingJobEarlyStoppingType", "RandomSeed"):
        asked[CONFIG].pop(key)
    return asked


def test_what_a_request_leaves_open_is_chosen_and_recorded():
    chosen = autotuned(auto(("layers", "4"), ("lr", "0.1"), ("optimizer", "adam"), max_parallel=3))
    read = read_spec(chosen)
    assert read.space.ranges["layers"] == Integer(2, 8)
    assert set(read.space.names) == {"layers", "lr"}
    assert chosen[DEFINITION]["StaticHyperParameters"] == {"optimizer": "adam"}
    assert "AutoParameters" not in chosen[CONFIG]["ParameterRanges"]
    assert chosen[DEFINITION]["RetryStrategy"] == {"MaximumRetryAttempts": 2}
    assert (read.max_training_jobs, read.max_parallel) == (40, 3)
    assert (read.early_stopping, read.detect_convergence, read.strategy) == ("Auto", True, "Bayesian")
    assert autotuned(chosen) == chosen, "what was chosen stays"


def test_what_a_request_sets_stays():
    asked = auto(("layers", "4"), max_training_jobs=7, strategy="Random")
    asked[CONFIG]["TrainingJobEarlyStoppingType"] = "Off"
    asked[CONFIG]["TuningJobCompletionCriteria"] = {"ConvergenceDetected": {"CompleteOnConvergence": "Disabled"}}
    asked[DEFINITION]["RetryStrategy"] = {"MaximumRetryAttempts": 9}
    read = read_spec(autotuned(asked))
    assert (read.max_training_jobs, read.strategy) == (7, "Random")
    assert (read.early_stopping, read.detect_convergence) == ("Off", False)
    assert read.request[DEFINITION]["RetryStrategy"] == {"MaximumRetryAttempts": 9}


def test_no_more_training_jobs_are_chosen_than_there_are_configurations():
    assert read_spec(autotuned(auto(("layers", "4")))).max_training_jobs == 7
    grid = auto(strategy="Grid", space={"c": Categorical([*"abc"])})
    assert read_spec(autotuned(grid)).max_training_jobs is None


def test_under_hyperband_the_number_of_epochs_stays_and_says_how_far_training_jobs_go():
    read = read_spec(autotuned(auto(("epochs", "9"), ("lr", "0.1"), strategy="Hyperband")))
    assert (read.max_resource, read.early_stopping, read.space.names) == (9, "Off", ("lr",))


def test_several_definitions_have_each_their_own_auto_parameters():
    asked = several({}, {"space": {}})
    asked["Autotune"] = {"Mode": "Enabled"}
    asked[CONFIG].pop("TrainingJobEarlyStoppingType")
    asked[DEFINITIONS][1]["HyperParameterRanges"] = {"AutoParameters": [{"Name": "lr", "ValueHint": "0.1"}]}
    read = read_spec(autotuned(asked))
    assert read.of("b").space.names == ("lr",)
    assert (read.early_stopping, read.detect_convergence, read.max_training_jobs) == ("Off", True, 60)
    asked[DEFINITIONS][1]["TuningObjective"] = {"Type": "Maximize", "MetricName": "objective"}
    assert not read_spec(autotuned(asked)).detect_convergence


def test_without_autotune_auto_parameters_are_refused():
    asked = auto(("lr", "0.1"))
    asked.pop("Autotune")
    with pytest.raises(InvalidSpec, match="AutoParameters: needs Autotune with Mode Enabled"):
        read_spec(asked)
    with pytest.raises(InvalidSpec, match=r"Autotune.Mode: 'On' isn't one of Enabled"):
        read_spec({**request(), "Autotune": {"Mode": "On"}})
