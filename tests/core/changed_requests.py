"""Requests with one thing of a good one changed, for test_recorded_requests.py: what to change by path, in sections."""

import json

CONFIG, LIMITS = "HyperParameterTuningJobConfig", "HyperParameterTuningJobConfig.ResourceLimits"
DEFINITION, DEFINITIONS = "TrainingJobDefinition", "TrainingJobDefinitions"
CRITERIA = f"{CONFIG}.TuningJobCompletionCriteria"
HYPERBAND = f"{CONFIG}.StrategyConfig.HyperbandStrategyConfig"
STATIC, ENVIRONMENT = "StaticHyperParameters", "Environment"
ABSENT = object()


def number(name, low, high, **more):
    return {"Name": name, "MinValue": low, "MaxValue": high, **more}


def category(name, *values):
    return {"Name": name, "Values": list(values)}


def ranges(integers=(), reals=(), categories=()):
    lists = {"Integer": integers, "Continuous": reals, "Categorical": categories}
    return {f"{kind}ParameterRanges": list(entries) for kind, entries in lists.items() if entries}


EVERY = ranges(
    [number("n", "1", "10")], [number("x", "0.001", "1", ScalingType="Logarithmic")], [category("c", "a", "b")]
)
FEW = ranges(categories=[category("c", "a", "b", "d"), category("e", "u", "v")])
WHOLE = ranges([number("n", "1", "3"), number("m", "0", "1")])
FOUR = ranges([number("a", "1", "2"), number("b", "1", "3"), number("c", "1", "2"), number("d", "1", "9")])
GRID_750, GRID_756 = (
    ranges(categories=[category("c", *map(str, range(c))), category("d", *map(str, range(d)))])
    for c, d in ((25, 30), (27, 28))
)
TRAINS = {
    "AlgorithmSpecification": {"TrainingImage": "image", "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}]}
}
LOSS = {"MetricName": "loss", "Type": "Minimize"}

SINGLE = {
    "HyperParameterTuningJobName": "job",
    CONFIG: {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": LOSS,
        "ParameterRanges": EVERY,
        "ResourceLimits": {"MaxParallelTrainingJobs": 2, "MaxNumberOfTrainingJobs": 20},
    },
    DEFINITION: TRAINS,
}
SEVERAL = {
    "HyperParameterTuningJobName": "job",
    CONFIG: {"Strategy": "Random", "ResourceLimits": {"MaxParallelTrainingJobs": 2, "MaxNumberOfTrainingJobs": 20}},
    DEFINITIONS: [
        {**TRAINS, "DefinitionName": "first", "TuningObjective": LOSS, "HyperParameterRanges": EVERY},
        {**TRAINS, "DefinitionName": "second", "TuningObjective": LOSS, "HyperParameterRanges": FEW},
        {**TRAINS, "DefinitionName": "third", "TuningObjective": LOSS, "HyperParameterRanges": WHOLE},
    ],
}
ALONE = {"TrainingJobName": "train", **TRAINS, "HyperParameters": {"epochs": "3"}}


def changed(request, changes):
    """A request with other values at some paths, whose parts are separated by dots."""
    request = json.loads(json.dumps(request))  # without members that are the same object
    for path, value in changes.items():
        *folders, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        where = request
        for part in folders:
            where = where[part] if isinstance(part, int) else where.setdefault(part, {})
        if value is ABSENT:
            where.pop(last, None)
        else:
            where[last] = value
    return request


def tags(**settings):
    """The change that gives a request settings of alfine."""
    return {"Tags": [{"Key": f"alfine:{name.replace('_', '-')}", "Value": text} for name, text in settings.items()]}


def each(path, *values):
    """A change for each of several values at a path."""
    return [{path: value} for value in values]


def settings(name, *texts):
    return [tags(**{name: text}) for text in texts]


def many(name, count):
    return {f"{name}{index}": "1" for index in range(count)}


def channel(source=(), **own):
    """The change that gives a definition one channel."""
    entry = {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/d", **dict(source)}}, **own}
    return {f"{DEFINITION}.InputDataConfig": [entry]}


def space(lists, **more):
    return {f"{CONFIG}.ParameterRanges": lists, f"{LIMITS}.MaxNumberOfTrainingJobs": ABSENT, **more}


def integer(low, high, **more):
    return space(ranges([number("n", low, high, **more)]))


def real(low, high, **more):
    return space(ranges(reals=[number("x", low, high, **more)]))


COUNTS = (ABSENT, None, 0, 1, True, "5", 1.0, 2**31 - 1, 2**31, 10**100 - 1, -(10**100), "x" * 99)
METRICS = f"{DEFINITION}.AlgorithmSpecification.MetricDefinitions"
RESOURCES = f"{DEFINITION}.ResourceConfig"
OBJECTIVE = f"{CONFIG}.HyperParameterTuningJobObjective"
TIMES = f"{DEFINITION}.StoppingCondition"
SPOT = {f"{DEFINITION}.EnableManagedSpotTraining": True}
REPEATS = "best=2 times=3"
NETWORK = ranges(
    [number("layers", "1", "3"), number("width", "8", "64")],
    [number("momentum", "0", "0.99")],
    [category("optimizer", "adam", "sgd")],
)
START = "layers is 2 width is 9 momentum is 0.5 optimizer is sgd"

OF_ONE_DEFINITION = {
    "nothing": [{}],
    "names and forms": [
        *each("HyperParameterTuningJobName", ABSENT, "", "-a", "a-", "a" * 32, "a" * 33, "A-b--9", "a_b", 5),
        *each(DEFINITION, ABSENT, {}),
        *each(DEFINITIONS, [], SEVERAL[DEFINITIONS]),
        *each(CONFIG, ABSENT, {}),
        *each(f"{DEFINITION}.TuningObjective", {}, LOSS),
        *each(f"{DEFINITION}.HyperParameterRanges", {"IntegerParameterRanges": []}, FEW),
        *each("Autotune", None, {}, {"Mode": "Enabled"}, {"Mode": "Disabled"}),
    ],
    "limits": [
        *each(f"{LIMITS}.MaxNumberOfTrainingJobs", *COUNTS),
        *each(f"{LIMITS}.MaxParallelTrainingJobs", ABSENT, 0, 1),
        *each(f"{LIMITS}.MaxRuntimeInSeconds", None, 0, 0.5, 1, "60", "x", float("inf"), 10**400, True),
        *each(f"{CONFIG}.Strategy", ABSENT, "Bayesian", "Grid", "bayesian"),
        *each(f"{CONFIG}.RandomSeed", ABSENT, None, 0, 5, "5"),
    ],
    "the objective and the criteria": [
        *each(f"{OBJECTIVE}.Type", ABSENT, "Maximize", "Max"),
        *each(f"{OBJECTIVE}.MetricName", ABSENT, "", "other", 5),
        *each(f"{CRITERIA}.TargetObjectiveMetricValue", None, 0, 0.5, "0.5", "x", float("inf"), float("nan"), True),
        *each(f"{CRITERIA}.BestObjectiveNotImproving", {}, *({"MaxNumberOfTrainingJobsNotImproving": n} for n in (2, 3))),
        *each(f"{CRITERIA}.ConvergenceDetected", {}, *({"CompleteOnConvergence": s} for s in ("Enabled", "Disabled", "x"))),
        *each(f"{CONFIG}.TrainingJobEarlyStoppingType", "Auto", "Off", "On"),
    ],
    "settings": [
        {"Tags": [{"Key": "team", "Value": "a"}, {"Key": "alfine:warm"}, {"Key": "alfine:price-per-hour", "Value": "2"}]},
        *settings("price_per_hour", "0", "0.5", "-1", "inf", "nan", "1e400", "x"),
        *settings("threads", "1", "0", "-1", "²", "9" * 15, "9" * 16, "1.5"),
        *settings("warm", "on", "off", "ON"),
        *settings("max_log_bytes", "1", "0"),
        *settings("gpus", "0", "0.5"),
        *settings("repeats", "best=2 times=3", "times=2", "best=2", "5", "100", "101", "0", "best=101 times=1"),
        *settings("repeats", "", "best=2 times=x", "best=2 best=3", "best=2 other=3", "best=3 7", "0001"),
        *(tags(repeats=REPEATS) | {f"{LIMITS}.MaxNumberOfTrainingJobs": count} for count in (6, 7, ABSENT)),
    ],
    "warm start": [
        *each("WarmStartConfig", None, {}, {"WarmStartType": "Same", "ParentHyperParameterTuningJobs": []}),
        *(
            {
                "WarmStartConfig.WarmStartType": kind,
                "WarmStartConfig.ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": name} for name in names],
            }
            for kind, names in (
                ("TransferLearning", ["a", "b"]),
                ("IdenticalDataAndAlgorithm", ["a"]),
                ("TransferLearning", ["a", "b", "a", "b", "c"]),
            )
        ),
    ],
    "what trains": [
        *each(
            f"{DEFINITION}.AlgorithmSpecification",
            ABSENT,
            {"AlgorithmName": "trees", "MetricDefinitions": TRAINS["AlgorithmSpecification"]["MetricDefinitions"]},
            {**TRAINS["AlgorithmSpecification"], "AlgorithmName": "trees"},
            {**TRAINS["AlgorithmSpecification"], "ContainerEntrypoint": ["python", 3], "ContainerArguments": ["-v", 1]},
        ),
        *each(METRICS, ABSENT, [{"Name": "loss", "Regex": "loss=("}], [{"Name": "loss", "Regex": "loss=.*"}]),
        *each(METRICS, [{"Name": "b", "Regex": "(b)"}, {"Name": "a", "Regex": "(a)(b)"}]),
        *each(METRICS, [{"Name": "bad", "Regex": "("}, {"Name": "loss", "Regex": "(.)"}]),
        *each(f"{DEFINITION}.{STATIC}", {"n": "3"}, {"epochs": 3, "name": "x"}, many("s", 96), many("s", 97)),
        *each(f"{DEFINITION}.{ENVIRONMENT}", {"A": "1"}, many("V", 48), many("V", 49)),
        *each(f"{TIMES}.MaxRuntimeInSeconds", 0, 1, 3600),
        *(
            {**spot, TIMES: {"MaxWaitTimeInSeconds": wait, "MaxRuntimeInSeconds": 10}}
            for spot, wait in (({}, 0), (SPOT, 9), (SPOT, 10), (SPOT, "9"))
        ),
        {**SPOT, f"{TIMES}.MaxWaitTimeInSeconds": 9},
        *each(RESOURCES, {}, {"InstanceType": "ml.m5.large", "InstanceCount": 2, "KeepAlivePeriodInSeconds": 60}),
        *each(f"{DEFINITION}.HyperParameterTuningResourceConfig", {"InstanceType": "ml.c5.large", "InstanceCount": 3}),
        *each(RESOURCES, *({"InstanceConfigs": [{"InstanceType": "ml.a", "InstanceCount": 4}], **more} for more in ({}, {"VolumeSizeInGB": 1}))),
        {RESOURCES: {"InstanceType": "a"}, f"{DEFINITION}.HyperParameterTuningResourceConfig": {"InstanceType": "b"}},
        *each(f"{DEFINITION}.OutputDataConfig", {"S3OutputPath": "s3://b/o", "CompressionType": "NONE"}, {"CompressionType": "GZIP"}),
        *each(f"{DEFINITION}.EnableNetworkIsolation", True, False),
        *each(f"{DEFINITION}.RetryStrategy", {}, {"MaximumRetryAttempts": 2}),
        *each(f"{DEFINITION}.CheckpointConfig", {"S3Uri": "s3://b/c"}, {"S3Uri": "s3://b/c", "LocalPath": "/c//"}),
    ],
    "channels": [
        channel(),
        channel({"S3DataType": "ManifestFile", "S3DataDistributionType": "ShardedByS3Key"}, ContentType="text/csv"),
        channel({"S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated"}, CompressionType="Gzip"),
        channel(CompressionType="None", RecordWrapperType="None", InputMode="FastFile", ShuffleConfig={}),
        channel(RecordWrapperType="RecordIO", InputMode="Pipe", ShuffleConfig={"Seed": 0}),
        {**channel(RecordWrapperType="RecordIO"), f"{DEFINITION}.AlgorithmSpecification.TrainingInputMode": "Pipe"},
        *(channel(ChannelName=name) for name in ("", ".", "..", "a" * 64, "a" * 65, "a/b", "a.b", 5, None)),
        channel({"S3Uri": ""}),
        channel({"S3DataType": "AugmentedManifestFile", "AttributeNames": ["a"]}),
        channel({"S3DataType": "Other", "S3DataDistributionType": "Other", "AttributeNames": ["a"]}),
        channel(InputMode="Fast", CompressionType="Zip", RecordWrapperType="Lines"),
        channel({"InstanceGroupNames": ["a"], "HubAccessConfig": {"a": 1}, "ModelAccessConfig": {"a": 1}}),
        channel(DataSource=None),
        channel(DataSource={"FileSystemDataSource": {"FileSystemId": "a"}}),
        channel(DataSource={"DatasetSource": {"a": 1}, "S3DataSource": None}),
        {f"{DEFINITION}.InputDataConfig": channel()[f"{DEFINITION}.InputDataConfig"] * 2},
    ],
    "ranges": [
        *each(f"{CONFIG}.ParameterRanges", ABSENT, {}, {"IntegerParameterRanges": []}, {**EVERY, "AutoParameters": [{"Name": "a"}]}),
        integer("1", "1"), integer("2", "1"), integer("1", "9", ScalingType="Linear"), integer("0", "9", ScalingType="Logarithmic"),
        integer("1", "9", ScalingType="ReverseLogarithmic"), integer("1", "9", ScalingType="Log"), integer("1.5", "9"), integer(1, 9),
        real("1", "1"), real("2", "1"), real("0", "0.9", ScalingType="ReverseLogarithmic"), real("0", "1", ScalingType="ReverseLogarithmic"),
        real("-0.1", "0.9", ScalingType="ReverseLogarithmic"), real("0", "1", ScalingType="Logarithmic"), real("0", "inf"), real("nan", "1"),
        real("-1e308", "1e308"), real("x", "1"), real(None, "1"),
        real("0", "1", DrawnFrom="0.001"), real("0", "1", DrawnFrom="0.001", ScalingType="Logarithmic"), real("0", "1", DrawnFrom="0.001", ScalingType="Auto"),
        space(ranges([{"Name": "n", "MinValue": "1"}])), space(ranges(categories=[{"Name": "c"}])), space(ranges(categories=[{"Name": "c", "Values": 5}])),
        *(space(ranges(categories=[category("c", *values)])) for values in ((), ("a", "a", "b", "b"), ("a",))),
        space(ranges([number("n", "1", "9"), number("n", "2", "5"), {"Name": "m"}, number("k", "9", "1")])),
        *(space(ranges([number(f"n{index}", "1", "9") for index in range(count)])) for count in (30, 31)),
    ],
    "the number of configurations": [
        *(space(WHOLE) | {f"{LIMITS}.MaxNumberOfTrainingJobs": count} for count in (6, 7, ABSENT)),
        *(space(WHOLE) | tags(repeats=REPEATS) | {f"{LIMITS}.MaxNumberOfTrainingJobs": count} for count in (12, 13)),
        space(FOUR) | {f"{LIMITS}.MaxNumberOfTrainingJobs": 200},
        *(
            space(lists) | {f"{CONFIG}.Strategy": "Grid", f"{LIMITS}.MaxNumberOfTrainingJobs": count, **more}
            for lists, count, more in (
                (FEW, 6, {}), (FEW, 5, {}), (FEW, 7, {}), (FEW, ABSENT, {}), (FEW, 12, tags(repeats=REPEATS)), (FEW, 6, tags(repeats=REPEATS)),
                (WHOLE, 6, {}), (ranges([number("n", "1", "2")]), 2, {}),
                (GRID_750, ABSENT, {}),
                (GRID_756, ABSENT, {}),
            )
        ),
    ],
    "Hyperband": [
        *each(f"{CONFIG}.StrategyConfig", {}, {"HyperbandStrategyConfig": {"MaxResource": 9}}),
        *(
            {f"{CONFIG}.Strategy": "Hyperband", **more}
            for more in (
                {}, {f"{HYPERBAND}.MaxResource": 9}, {f"{HYPERBAND}.MaxResource": 0}, {f"{HYPERBAND}.MaxResource": 1}, {f"{HYPERBAND}.MaxResource": 20_000},
                {f"{HYPERBAND}.MaxResource": 20_001}, {HYPERBAND: {"MinResource": 3, "MaxResource": 3}},
                {HYPERBAND: {"MinResource": 4, "MaxResource": 3}}, {HYPERBAND: {"MinResource": 0, "MaxResource": 3}},
                {f"{DEFINITION}.{STATIC}": {"epochs": '"27"'}}, {f"{DEFINITION}.{STATIC}": {"epochs": "x", "num_epochs": "8"}},
                {f"{DEFINITION}.{STATIC}": {"epochs": 27}},
                {f"{HYPERBAND}.MaxResource": 9, f"{CONFIG}.TrainingJobEarlyStoppingType": "Auto"},
            )
        ),
    ],
    "conditions, forbidden combinations, steps": [
        *(
            space(NETWORK, **tags(**words))
            for words in (
                {"requires": "momentum if optimizer is sgd / width if layers at-least 2"}, {"requires": "momentum if optimizer is sgd", "requires-2": "/ width if layers is 3"},
                {"requires": "optimizer is sgd"}, {"requires": "other if optimizer is sgd"}, {"requires": "momentum if other is sgd"}, {"requires": "momentum if"},
                {"requires": "momentum if optimizer is sgd / momentum if layers is 3"}, {"requires": "momentum if layers above 3"},
                {"forbid": "layers is 3 and optimizer is sgd"}, {"forbid": "layers if optimizer is sgd"}, {"forbid": "other is 3"}, {"forbid": "layers at-least 1"}, {"forbid": ""},
                {"step": "width is 8 / momentum is 0.33"}, {"step": "width is 1.5"}, {"step": "optimizer is 1"}, {"step": "other is 1"}, {"step": "width above 8"},
                {"step": "width is 8 or 16"}, {"step": "width is 8 layers is 1"}, {"step": "width if layers is 1"}, {"step": "width is x"}, {"step": "width is 100"}, {"step": "momentum is 0"},
            )
    ),
    ],
    "configurations to begin with and the order of hyperparameters": [
        *(
        space(NETWORK, **tags(**words))
        for words in (
            {"start-with": START}, {"start-with": "layers is 2"}, {"start-with": f"{START} / {START}"}, {"start-with": f"{START} / layers is 2"},
                {"start-with": START.replace("is 2", "above 2")}, {"start-with": START.replace("is 2", "is 2 or 3")}, {"start-with": f"layers if {START}"}, {"start-with": "layers above 2 / layers is 2"},
                {"start-with": f"{START} layers is 3"}, {"start-with": START.replace("is 9", "is 7")}, {"start-with": START.replace("is 9", "is x")},
                {"start-with": START.replace("sgd", "rmsprop")}, {"start-with": f"{START} other is 1"}, {"start-with": "layers is"},
                {"start-with": "layers is 2", "requires": "momentum if layers above 3"}, {"start-with": "layers is 2", "forbid": "other is 3"},
                {"start-with": "layers is 2", "step": "other is 1"}, {"start-with": "layers is 1 optimizer is sgd width is 8", "requires": "momentum if optimizer is adam"},
                {"start-with": START, "forbid": "layers is 2 and width below 10"},
                {"order": "optimizer momentum other width"}, {"order": "width layers", "order-2": "momentum optimizer", "order-3": "x"},
            )
        ),
        *(integer(*ends) | {f"{LIMITS}.MaxNumberOfTrainingJobs": 20} for ends in (("5", "1"), ("1", "20"))),
        space({}, **{f"{LIMITS}.MaxNumberOfTrainingJobs": 20}),
        space({}, **tags(**{"start-with": "layers is 2"})),
        integer("5", "1") | tags(requires="n if", forbid="n if n is 2", step="n is 0", **{"start-with": "n"}),
    ],
}  # fmt: skip

OF_SEVERAL = {
    "nothing": [{}],
    "all but settings": [
        *each(CONFIG, {}),
        *each(f"{DEFINITIONS}.1.DefinitionName", ABSENT, "", "-", "first", "a" * 64, "a" * 65, 5),
        *each(DEFINITIONS, [], SEVERAL[DEFINITIONS][:1]),
        {
            DEFINITIONS: [{**SEVERAL[DEFINITIONS][1], "DefinitionName": f"d{index}"} for index in range(10)],
            f"{CONFIG}.Strategy": "best",
        },
        {DEFINITIONS: [{**SEVERAL[DEFINITIONS][1], "DefinitionName": f"d{index}"} for index in range(11)]},
        *each(f"{CONFIG}.ParameterRanges", {"IntegerParameterRanges": []}, EVERY),
        *each(OBJECTIVE, {}, LOSS),
        *each(
            f"{DEFINITIONS}.1.TuningObjective", ABSENT, {"MetricName": "", "Type": "Max"}, {**LOSS, "Type": "Maximize"}
        ),
        *(
            {f"{DEFINITIONS}.1.TuningObjective.Type": "Maximize", f"{CRITERIA}.{criterion}": value}
            for criterion, value in (
                ("TargetObjectiveMetricValue", 1),
                ("BestObjectiveNotImproving", {"MaxNumberOfTrainingJobsNotImproving": 3}),
                ("ConvergenceDetected", {"CompleteOnConvergence": "Enabled"}),
                ("ConvergenceDetected", {"CompleteOnConvergence": "Disabled"}),
            )
        ),
        {
            f"{CRITERIA}.TargetObjectiveMetricValue": 1,
            f"{CRITERIA}.BestObjectiveNotImproving.MaxNumberOfTrainingJobsNotImproving": 3,
        },
        *(
            {f"{DEFINITIONS}.0.{ENVIRONMENT}": many("V", 24), f"{DEFINITIONS}.2.{ENVIRONMENT}": many("W", more)}
            for more in (24, 25)
        ),
        *each(f"{CONFIG}.TrainingJobEarlyStoppingType", "Auto"),
        {
            "WarmStartConfig": {
                "WarmStartType": "TransferLearning",
                "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "a"}],
            }
        },
        *each(f"{CONFIG}.RandomSeed", 5, None),
        *each(f"{LIMITS}.MaxNumberOfTrainingJobs", ABSENT, 21, 22),
        *each(f"{DEFINITIONS}.1.{STATIC}", {"c": "a"}, {"epochs": 5}),
        *each(f"{DEFINITIONS}.0.HyperParameterRanges", WHOLE, {}, ranges([number("n", "9", "1")])),
        *(
            {f"{DEFINITIONS}.0.HyperParameterRanges": FEW, f"{LIMITS}.MaxNumberOfTrainingJobs": count}
            for count in (18, 19, ABSENT)
        ),
        {f"{CONFIG}.Strategy": "Grid"},
        {
            f"{CONFIG}.Strategy": "Hyperband",
            f"{DEFINITIONS}.0.{STATIC}": {"epochs": "9"},
            f"{HYPERBAND}.MinResource": 2,
        },
    ],
    "settings": [
        *(
            tags(**words)
            for words in (
                {"requires": "c if n above 2"},
                {"requires": "c if e is u"},
                {"requires": "m if n is 2 / x if n is 2"},
                {"requires": "x if other is 1"},
                {"requires": "n is 2"},
                {"forbid": "n is 2 / c is a"},
                {"forbid": "c is a and m is 1"},
                {"forbid": "n if m is 1"},
                {"step": "n is 2"},
                {"step": "n is 2 / e is 1"},
                {"step": "other is 2"},
                {"start-with": "c is a e is u"},
                {"start-with": "n is 1 m is 0 / c is a e is u"},
                {"start-with": "c is a"},
                {"start-with": "other is 1"},
                {"start-with": "n is 1 m is 5"},
                {"start-with": "c is a e is u", "requires": "e if c is a"},
                {"order": "m e n c x"},
                {"order": "m e"},
            )
        ),
    ],
}

OF_NO_TUNING_JOB = {
    "nothing": [{}],
    "anything": [
        *each("TrainingJobName", None, "a" * 63, "-"),
        *each("HyperParameters", ABSENT, {"epochs": 3}, many("s", 100), many("s", 101)),
        *each(ENVIRONMENT, many("V", 49)),
        *each("Tags", None, [{"Key": "alfine:repeats", "Value": "5"}, {"Key": "alfine:warm", "Value": "x"}]),
        *each("AlgorithmSpecification", {"TrainingImage": "image"}, {}),
        *each("StoppingCondition", {"MaxRuntimeInSeconds": 5}, {"MaxRuntimeInSeconds": 0}),
    ],
}

SECTIONS = {
    f"{kind}: {name}": (base, changes)
    for kind, base, sections in (
        ("one definition", SINGLE, OF_ONE_DEFINITION),
        ("several definitions", SEVERAL, OF_SEVERAL),
        ("a training job on its own", ALONE, OF_NO_TUNING_JOB),
    )
    for name, changes in sections.items()
}
"""The changes of each section, with the request that they change."""

NAMED = {
    "EVERY": EVERY,
    "FEW": FEW,
    "WHOLE": WHOLE,
    "FOUR": FOUR,
    "NETWORK": NETWORK,
    "GRID_750": GRID_750,
    "GRID_756": GRID_756,
}
"""Ranges of several requests."""
