import copy
import json

import pytest

from alfine import (
    BestObjectiveNotImproving,
    Categorical,
    Continuous,
    ConvergenceDetected,
    Integer,
    InvalidSpec,
    MaxRuntimeInSeconds,
    TargetObjectiveMetricValue,
)
from alfine.core.read_spec import read_spec
from alfine.core.spec import definition_of, objective_of, with_space
from tests.building import SPACE, request, several, spec

CONFIG = "HyperParameterTuningJobConfig"
DEFINITION, DEFINITIONS = "TrainingJobDefinition", "TrainingJobDefinitions"
FEW = {"space": {"n": Categorical([*"xyz"])}}


def changed(*path, to=None, **words):
    """A good request with one thing changed: the value at the path, or (to=None) the key removed."""
    broken = copy.deepcopy(request(**words))
    where = broken
    for key in path[:-1]:
        where = where.setdefault(key, {}) if isinstance(where, dict) else where[key]
    if to is None:
        where.pop(path[-1])
    else:
        where[path[-1]] = to
    return broken


def ranges(kind, *entries, **words):
    return changed(CONFIG, "ParameterRanges", to={f"{kind}ParameterRanges": list(entries)}, **words)


def bounds(low, high, scaling="Auto", name="x"):
    return {"Name": name, "MinValue": low, "MaxValue": high, "ScalingType": scaling}


def channels(*entries):
    """A request with channels, each with a name and what else it has, or what its source has."""
    found = []
    for name, own, source in entries:
        whole = {"S3DataSource": {"S3Uri": "s3://bucket/data", "S3DataType": "S3Prefix", **source}}
        found.append({"ChannelName": name, "DataSource": whole, **own})
    return changed(DEFINITION, "InputDataConfig", to=found)


SPOT = "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"

WAITS = {"StoppingCondition": {"MaxWaitTimeInSeconds": 9, "MaxRuntimeInSeconds": 10}}

FAULTS = [
    (
        "V1",
        ranges("Integer", *(bounds("1", "9", name=f"x{i}") for i in range(31))),
        "31 tunable hyperparameters; at most 30",
    ),
    ("V2", request(static={f"s{i}": "1" for i in range(97)}), "101 hyperparameters"),
    ("V3 twice", ranges("Integer", bounds("1", "9"), bounds("2", "5")), "'x' has two ranges"),
    ("V3 static", request(static={"eta": "0.1"}), "eta: this hyperparameter also has a range"),
    ("V4 integer", ranges("Integer", bounds("one", "9")), "('one', '9') must be whole numbers"),
    ("V4 infinite", ranges("Continuous", bounds("0", "inf")), "must be finite numbers"),
    (
        "V5 equal",
        ranges("Continuous", bounds("1", "1")),
        "MinValue 1.0 must be below MaxValue 1.0. A fixed value belongs in",
    ),
    ("V5 swapped", ranges("Integer", bounds("5", "1")), "MinValue 5 must be below MaxValue 1. Swap them"),
    (
        "V5 swapped and far apart",
        ranges("Continuous", bounds("0.01", "-1e308")),
        "MinValue 0.01 must be below MaxValue -1e+308. Swap",
    ),
    (
        "V6",
        ranges("Continuous", bounds("0", "1", "Logarithmic")),
        "MinValue 0.0 can't be scaled Logarithmic. Use a MinValue above 0",
    ),
    (
        "V7 range",
        ranges("Continuous", bounds("0.5", "1", "ReverseLogarithmic")),
        "ReverseLogarithmic needs 0 <= MinValue",
    ),
    (
        "V7 integer",
        ranges("Integer", bounds("1", "9", "ReverseLogarithmic")),
        "ReverseLogarithmic is for continuous ranges",
    ),
    ("scaling", ranges("Integer", bounds("1", "9", "Log")), "'Log' isn't a scaling. Use one of Auto, Linear"),
    ("V8", ranges("Categorical", {"Name": "x", "Values": ["a", "a"]}), "a appears more than once"),
    (
        "V9 numeric",
        request(strategy="Grid"),
        "Grid takes categorical ranges only, and depth, eta aren't. List the values.",
    ),
    (
        "V9 count",
        request(strategy="Grid", space={"a": Categorical([*"abc"])}, max_training_jobs=4),
        "4 isn't the number of configurations of the grid, 3",
    ),
    (
        "V9 size",
        request(strategy="Grid", space={n: Categorical([*"abcdefghij"]) for n in "xyz"}),
        "the grid has 1000 configurations; at most 750",
    ),
    (
        "V10",
        request(space={"n": Integer(1, 3)}, max_training_jobs=10),
        "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter combinations for the "
        "provided ranges [3.0] must be equal or greater than the value of MaxNumberOfJobs, [10]. Provide additional ranges.",
    ),
    ("V11", request(space={}), "at least one hyperparameter needs a range"),
    (
        "V12 early stopping",
        request(strategy="Hyperband", max_resource=9, early_stopping="Auto"),
        "must be Off with Strategy Hyperband",
    ),
    (
        "V12 order",
        request(strategy="Hyperband", min_resource=9, max_resource=3),
        "MinResource <= MaxResource <= 20000, not 9 and 3",
    ),
    ("V12 unknown", request(strategy="Hyperband"), "MaxResource parameter is not provided and could not be inferred"),
    ("V13", request(strategy="Random", max_resource=9), "is for Strategy Hyperband, not Random"),
    (
        "V14",
        changed(CONFIG, "HyperParameterTuningJobObjective", "MetricName", to="auc"),
        "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric definitions. "
        "The objective is 'auc' (defined: objective).",
    ),
    ("V15 compiles", request(regex="loss=([0-9"), "doesn't compile"),
    ("V15 group", request(regex="loss=[0-9]+"), "has no group. Put the number in parentheses"),
    ("V16 none", changed(DEFINITION), "give either TrainingJobDefinition or TrainingJobDefinitions"),
    (
        "V17 name",
        {**several({}), DEFINITIONS: [{**several({})[DEFINITIONS][0], "DefinitionName": "-"}]},
        "'-' isn't a name",
    ),
    ("V17 twice", {**several({}), DEFINITIONS: several({})[DEFINITIONS] * 2}, "two definitions are called 'a'"),
    ("V17 many", {**several({}), DEFINITIONS: several({})[DEFINITIONS] * 11}, "11 definitions; use 1 to 10"),
    ("V17 none", several(), "0 definitions; use 1 to 10"),
    (
        "V17 ranges",
        {**changed(DEFINITION), DEFINITIONS: several({})[DEFINITIONS]},
        "ParameterRanges: isn't allowed with TrainingJobDefinitions",
    ),
    (
        "V17 early stopping",
        several({}, {}, early_stopping="Auto"),
        "TrainingJobEarlyStoppingType: must be Off with TrainingJobDefinitions",
    ),
    (
        "V17 one of several",
        changed(DEFINITION, "TuningObjective", to={"Type": "Minimize", "MetricName": "objective"}),
        "TrainingJobDefinition.TuningObjective: is for TrainingJobDefinitions",
    ),
    ("V10 several", several(FEW, FEW, max_training_jobs=7), "for the provided ranges [6.0] must be equal or greater"),
    (
        "V9 several",
        several(FEW, FEW, strategy="Grid", max_training_jobs=3),
        "3 isn't the number of configurations of the grid, 6",
    ),
    (
        "V12 several",
        several({"static": {"epochs": "9"}}, {}, strategy="Hyperband"),
        "MaxResource parameter is not provided",
    ),
    (
        "V21 several",
        several(*[{"environment": {f"V{i}": "1" for i in range(17)}}] * 3),
        "TrainingJobDefinitions: 51 variables in Environment; at most 48",
    ),
    (
        "target of several",
        several({}, {"goal": "Maximize"}, criteria=[TargetObjectiveMetricValue(1)]),
        "needs one objective, and the definitions have Maximize objective, Minimize objective",
    ),
    (
        "V18",
        changed(DEFINITION, "AlgorithmSpecification", "AlgorithmName", to="mine"),
        "give either TrainingImage or AlgorithmName",
    ),
    (
        "V19",
        changed(DEFINITION, "HyperParameterTuningResourceConfig", to={"InstanceType": "local"}),
        "ResourceConfig or HyperParameterTuningResourceConfig, not both",
    ),
    ("V20", changed(DEFINITION, "StoppingCondition", to={"MaxWaitTimeInSeconds": 9}), SPOT),
    ("V21", request(environment={f"V{i}": "1" for i in range(49)}), "49 variables in Environment; at most 48"),
    ("name", request(name="-job"), "'-job' isn't a name. Use 1 to 32 letters"),
    ("strategy", request(strategy="TPE"), "'TPE' isn't one of Bayesian, Random, Grid, Hyperband"),
    ("goal", request(goal="Max"), "'Max' isn't one of Maximize, Minimize"),
    ("parallel", request(max_parallel=0), "0 must be a whole number from 1 on"),
    (
        "patience",
        changed(
            CONFIG,
            "TuningJobCompletionCriteria",
            to={"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 2}},
        ),
        "2 must be a whole number from 3 on",
    ),
    (
        "target",
        changed(CONFIG, "TuningJobCompletionCriteria", to={"TargetObjectiveMetricValue": "high"}),
        "'high' must be a finite number",
    ),
    (
        "convergence",
        changed(CONFIG, "TuningJobCompletionCriteria", to={"ConvergenceDetected": {"CompleteOnConvergence": "yes"}}),
        "'yes' isn't one of Enabled, Disabled",
    ),
    ("static text", changed(DEFINITION, "StaticHyperParameters", to={"rounds": 5}), "5 must be text"),
    (
        "price",
        {**request(), "Tags": [{"Key": "alfine:price-per-hour", "Value": "cheap"}]},
        "'cheap' must be a number from 0 on",
    ),
    (
        "grace",
        {**request(), "Tags": [{"Key": "alfine:grace-seconds", "Value": "nan"}]},
        "'nan' must be a number from 0 on",
    ),
    (
        "threads",
        {**request(), "Tags": [{"Key": "alfine:threads", "Value": "0"}]},
        "'0' must be a whole number from 1 on",
    ),
    ("log", {**request(), "Tags": [{"Key": "alfine:max-log-bytes", "Value": "1e9"}]}, "'1e9' must be a whole number"),
    ("warm", {**request(), "Tags": [{"Key": "alfine:warm", "Value": "maybe"}]}, "'maybe' must be on or off"),
    ("warm start", {**request(), "WarmStartConfig": {}}, "WarmStartConfig.ParentHyperParameterTuningJobs: is empty"),
    ("channel name", channels(("a/b", {}, {})), "ChannelName: 'a/b' can't be the name of a folder"),
    (
        "channels of one name",
        channels(("a", {}, {}), ("a", {}, {})),
        "[1].ChannelName: there are two channels called 'a'",
    ),
    ("channel of nothing", channels(("a", {}, {"S3Uri": ""})), "S3Uri: is missing. Use file:///path"),
    ("channel mode", channels(("a", {"InputMode": "Fast"}, {})), "InputMode: 'Fast' isn't supported here"),
    ("channel zip", channels(("a", {"CompressionType": "Zip"}, {})), "CompressionType: 'Zip' isn't supported here"),
    ("channel records", channels(("a", {"RecordWrapperType": "RecordIO"}, {})), "In File mode leave it out."),
    ("channel type", channels(("a", {}, {"S3DataType": "AugmentedManifestFile"})), "isn't supported: alfine doesn't"),
    ("channel attributes", channels(("a", {}, {"AttributeNames": ["x"]})), "AttributeNames: is for Augmented"),
    (
        "two forms of instances",
        changed(DEFINITION, "ResourceConfig", to={"InstanceConfigs": [{}], "InstanceType": "local"}),
        "InstanceConfigs excludes InstanceType, InstanceCount and VolumeSizeInGB.",
    ),
    (
        "spot wait",
        {
            **(asked := changed(DEFINITION, "EnableManagedSpotTraining", to=True)),
            DEFINITION: {**asked[DEFINITION], **WAITS},
        },
        "MaxWaitTimeInSeconds: 9 is below MaxRuntimeInSeconds 10. Raise it.",
    ),
    (
        "no parallel",
        changed(CONFIG, "ResourceLimits", to={"MaxNumberOfTrainingJobs": 9}),
        "MaxParallelTrainingJobs: is missing. Use a whole number from 1 on.",
    ),
    (
        "no seconds",
        changed(CONFIG, "ResourceLimits", "MaxRuntimeInSeconds", to=-1),
        "MaxRuntimeInSeconds: -1 must be a number of seconds above 0.",
    ),
    (
        "no metric",
        changed(CONFIG, "HyperParameterTuningJobObjective", to={"Type": "Minimize"}),
        "MetricName: is missing. Name the metric",
    ),
    (
        "repeats leave none",
        request(repeats="best=3 times=3", max_training_jobs=9),
        "leave none of the 9 that are allowed",
    ),
    ("a parent twice", request(warm_start=["a", "a"]), "'a' is there more than once. Keep one."),
    ("parents of several", several({}, {}, warm_start="a"), "WarmStartConfig: isn't allowed with "),
    ("autotune", {**request(), "Autotune": {"Mode": "Disabled"}}, "Autotune.Mode: 'Disabled'"),
    ("autotune alone", {**request(), "Autotune": None}, "Autotune.Mode: "),
]


@pytest.mark.parametrize(("broken", "words"), [pytest.param(b, w, id=name) for name, b, w in FAULTS])
def test_a_broken_request_is_refused_with_the_reason(broken, words):
    with pytest.raises(InvalidSpec) as caught:
        read_spec(broken)
    assert words in str(caught.value)


def test_every_fault_is_named_at_once():
    broken = request(goal="Max", max_parallel=0, regex="x", space={"x": Continuous(2, 1)})
    with pytest.raises(InvalidSpec) as caught:
        read_spec(broken)
    assert len(caught.value.faults) >= 4
    assert all(fault.path for fault in caught.value.faults)


def test_a_spec_reads_what_was_asked_for():
    read = spec(
        goal="Maximize",
        metric="auc",
        max_training_jobs=200,
        max_parallel=4,
        criteria=[
            BestObjectiveNotImproving(10),
            TargetObjectiveMetricValue(0.9),
            ConvergenceDetected(),
            MaxRuntimeInSeconds(3600),
        ],
        early_stopping="Auto",
        price_per_hour=0.23,
    )
    assert (read.goal, read.metric, read.sign) == ("Maximize", "auc", -1.0)
    assert (read.max_training_jobs, read.max_parallel, read.max_runtime_seconds) == (200, 4, 3600.0)
    assert (read.max_not_improving, read.target, read.detect_convergence) == (10, 0.9, True)
    assert (read.early_stopping, read.price_per_hour, read.seed) == ("Auto", 0.23, 7)
    assert set(read.space.names) == set(SPACE)


def test_what_is_not_asked_for_has_its_default():
    read = spec().definition
    assert (read.retries, read.network, read.packs_model, read.instance_count) == (0, True, True, 1)
    assert (read.channels, read.environment, read.entrypoint, read.arguments) == ((), {}, (), ())
    assert (read.checkpoint_uri, read.checkpoint_path, read.keep_alive_seconds) == ("", "/opt/ml/checkpoints", None)
    assert (read.max_runtime_seconds, read_spec(request(retries=2)).definition.retries) == (None, 2)


def test_the_request_comes_back_as_it_was_and_is_json():
    original = request(max_training_jobs=20)
    assert read_spec(original).request == original
    assert json.loads(json.dumps(original)) == original


def test_without_a_seed_the_name_decides():
    seeds = {spec(seed=None, name=name).seed for name in ("a", "b", "a")}
    assert len(seeds) == 2


def test_hyperband_infers_its_maximum_from_the_number_of_epochs():
    assert spec(strategy="Hyperband", static={"epochs": "27"}).max_resource == 27


def test_numbers_in_scientific_notation_are_read():
    read = read_spec(ranges("Continuous", bounds("1e-05", "1e-1", "Logarithmic")))
    assert read.space.ranges["x"] == Continuous(1e-05, 0.1, scaling="Logarithmic")


def test_several_definitions_have_each_their_own_space_objective_seed_and_share_of_the_budget():
    read = read_spec(several({}, {**FEW, "metric": "auc", "goal": "Maximize"}, max_training_jobs=21))
    a, b = read.of("a"), read.of("b")
    assert (set(a.space.names), b.space.names) == (set(SPACE), ("n",))
    assert (a.goal, a.metric, b.goal, b.metric) == ("Minimize", "objective", "Maximize", "auc")
    assert a.seed != b.seed
    assert (a.max_training_jobs, b.max_training_jobs, read.max_training_jobs) == (11, 11, 21)
    assert (read.ranked, read.goal, read.size) == ("a", "Minimize", None)
    assert read.texts("b", {"n": "x"}) == {"n": "x"}
    assert spec().texts(None, {"eta": 0.5, "depth": 3, "booster": "dart"}) == {
        "eta": "0.5",
        "depth": "3",
        "booster": "dart",
    }
    assert read_spec(several(FEW, FEW)).size == 6
    assert read_spec(several({}, {})).ranked is None


def test_hyperband_infers_each_definitions_maximum_from_its_own_epochs():
    read = read_spec(several({"static": {"epochs": "9"}}, {"static": {"epochs": "27"}}, strategy="Hyperband"))
    assert (read.of("a").max_resource, read.of("b").max_resource) == (9, 27)


def test_a_price_may_be_zero():
    assert spec(price_per_hour=0).price_per_hour == 0.0


def test_the_number_of_a_grid_may_include_its_repeats():
    grid = {"strategy": "Grid", "space": {"a": Categorical([*"abc"])}, "repeats": "best=2 times=3"}
    assert spec(**grid, max_training_jobs=9).max_training_jobs == 9
    with pytest.raises(
        InvalidSpec, match="5 isn't the number of configurations of the grid, 3, with 6 to run the best again 9"
    ):
        spec(**grid, max_training_jobs=5)


def test_repeats_count_beside_the_configurations_of_a_small_space():
    few = {"strategy": "Random", "space": {"n": Integer(1, 3)}, "repeats": "best=2 times=3"}
    assert spec(**few, max_training_jobs=9).max_training_jobs == 9
    with pytest.raises(InvalidSpec, match="You don't have enough combinations"):
        spec(**few, max_training_jobs=10)


def test_a_definition_and_its_objective_are_found_by_name():
    job = several({}, {"metric": "auc", "goal": "Maximize"})
    first, second = job[DEFINITIONS]
    assert (definition_of(job, "a"), definition_of(job, "b")) == (first, second)
    assert objective_of(job, "b") == {"MetricName": "auc", "Type": "Maximize"}
    assert definition_of(request(), None) == definition_of(request(), "b") == request()[DEFINITION]
    assert objective_of(request(), None) == {"MetricName": "objective", "Type": "Minimize"}
    assert objective_of({CONFIG: {}, DEFINITION: {}}, None) == {}, "a training job on its own has none"


def test_the_callers_own_categories_stand_in_the_order_of_the_request():
    own = {"booster": Categorical([1, 2]), "eta": SPACE["eta"], "depth": SPACE["depth"]}
    assert with_space(spec(), own).space.ranges == own
    assert with_space(spec(), own).space.names == spec().space.names
