"""The fields of a tuning job: one table, `FIELDS`, with each field's spelling in every face of alfine.

A job is written as an AWS request (`HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs`), as a job
file or a call of `alfine.tune` (`max_parallel`), and in the console's form («Parallel training jobs»). The table says
how a field is called in each, what it means, and what its value must be. Job files, `alfine.tune`, the commands' help,
the console's form, the reference pages and every error message read it. A new field is one row here.

Messages name a field by its word; `alfine.core.messages` spells it for whoever reads the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alfine.core.field import TAG_PATH, Field, Term
from alfine.core.wording import did_you_mean

LEAST_LIKENESS = 0.5
"""Least similarity (`difflib.SequenceMatcher.ratio`) of a misspelt word to a field's: «max_job» is 0.58 like «max_training_jobs»."""

CONFIG = "HyperParameterTuningJobConfig"
LIMITS = f"{CONFIG}.ResourceLimits"
OBJECTIVE = f"{CONFIG}.HyperParameterTuningJobObjective"
HYPERBAND = f"{CONFIG}.StrategyConfig.HyperbandStrategyConfig"
DEFINITION = "TrainingJobDefinition"
STATIC = f"{DEFINITION}.StaticHyperParameters"
WARM_START = "WarmStartConfig"

FIELDS: tuple[Field, ...] = (
    Field(
        word="name",
        help="The tuning job's name: 1 to 32 letters, digits and hyphens.",
        kind="text",
        path="HyperParameterTuningJobName",
        default_note="from the file's name",
        label="Name",
    ),
    Field(
        word="script",
        help="What trains: a Python or shell script. A job needs a `script`, a `command` or an `image`.",
        kind="text",
        path=f"{STATIC}.sagemaker_program",
        of_definition=True,
        of_program=True,
        for_functions=False,
        aliases=("program", "entry_point"),
    ),
    Field(
        word="command",
        help="What trains, in any language: a list of words, or one text that is split as a shell does. A word that names a file next "
        "to the job file, or begins with `./` or `../`, becomes an absolute path.",
        kind="command",
        path=f"{STATIC}.alfine_command",
        of_definition=True,
        of_program=True,
        for_functions=False,
    ),
    Field(
        word="source_dir",
        help="The folder that goes with the script to each training job; `script` is then a path inside it.",
        kind="file",
        path=f"{STATIC}.sagemaker_submit_directory",
        default_note="the script's folder",
        of_definition=True,
        of_program=True,
        for_functions=False,
    ),
    Field(
        word="python",
        help="The interpreter of a Python script: a name on the PATH, or a path.",
        kind="interpreter",
        path=f"{STATIC}.alfine_python",
        default_note="the one that runs alfine",
        of_definition=True,
        of_program=True,
        for_functions=False,
    ),
    Field(
        word="image",
        help="What trains instead of a script, or what runs it: a container image, or a built-in algorithm such as `xgboost`.",
        kind="text",
        path=f"{DEFINITION}.AlgorithmSpecification.TrainingImage",
        default_note="none: the script runs on this machine",
        label="Image",
        of_definition=True,
        for_functions=False,
        more="images.md",
        aliases=("training_image", "image_uri", "container"),
    ),
    Field(
        word="space",
        help="The hyperparameters to tune, each with its range.",
        kind="space",
        path=f"{CONFIG}.ParameterRanges",
        sections=(f"{TAG_PATH}requires", f"{TAG_PATH}step"),
        in_definition="HyperParameterRanges",
        label="Search space",
        of_definition=True,
        more="#ranges",
        aliases=("parameters", "parameter_ranges", "hyperparameters"),
    ),
    Field(
        word="definitions",
        help="Several algorithms in one job: the name of each, with fields of its own.",
        kind="definitions",
        path="TrainingJobDefinitions",
        default_note="one algorithm",
        more="#several-algorithms",
        aliases=("algorithms", "training_job_definitions"),
    ),
    Field(
        word="static",
        help="Hyperparameters with a fixed value, which may be any JSON value. A script gets them as arguments, the way SageMaker passes "
        "them: `--flag True`, `--sizes '[1, 2]'`.",
        kind="values",
        path=STATIC,
        label="Fixed hyperparameters",
        of_definition=True,
        aliases=("static_hyperparameters",),
    ),
    Field(
        word="metric",
        help="The name of the objective metric.",
        kind="text",
        path=f"{OBJECTIVE}.MetricName",
        sections=(OBJECTIVE,),
        in_definition="TuningObjective.MetricName",
        default="objective",
        label="Objective metric",
        of_definition=True,
        aliases=("objective", "objective_metric"),
    ),
    Field(
        word="goal",
        help="Whether to `Minimize` or `Maximize` the objective metric.",
        kind="goal",
        path=f"{OBJECTIVE}.Type",
        in_definition="TuningObjective.Type",
        default="Minimize",
        label="Goal",
        of_definition=True,
        aliases=("direction",),
    ),
    Field(
        word="regex",
        help="The regular expression that finds the objective metric in the log, at most once a line; its first group is the number.",
        kind="text",
        default_note="`<metric>=<number>`, `<metric>: <number>`",
        of_definition=True,
        for_functions=False,
    ),
    Field(
        word="metrics",
        help="Further metrics to record: the name of each, with its regular expression. Or SageMaker's list, as in `[{Name: auc, Regex: 'auc=(.*)'}]`.",
        kind="regexes",
        path=f"{DEFINITION}.AlgorithmSpecification.MetricDefinitions",
        of_definition=True,
        for_functions=False,
        aliases=("metric_definitions",),
    ),
    Field(
        word="strategy",
        help="How configurations are chosen: `Bayesian`, `Random`, `Grid` or `Hyperband`.",
        kind="strategy",
        path=f"{CONFIG}.Strategy",
        default="Bayesian",
        label="Strategy",
        aliases=("sampler",),
    ),
    Field(
        word="seed",
        help="The random seed: the same seed and the same results give the same configurations.",
        kind="from_zero",
        path=f"{CONFIG}.RandomSeed",
        default_note="from the name",
        label="Random seed",
        aliases=("random_seed",),
    ),
    Field(
        word="forbid",
        help="Combinations of values that are never tried, such as `optimizer = sgd and lr > 0.5`: one or a list of them.",
        kind="combinations",
        tag="forbid",
        label="Forbidden combinations",
        more="../how-to/conditional-spaces.md",
        aliases=("constraints", "forbidden"),
    ),
    Field(
        word="start_with",
        help="Configurations to evaluate first, such as the defaults in use today (`eta = 0.3 and depth = 6`): one or a list of them.",
        kind="configurations",
        tag="start-with",
        label="Initial configurations",
        aliases=("initial_configurations", "defaults", "default_configuration", "initial_points", "points_to_evaluate"),
    ),
    Field(
        word="warm_start",
        help="Earlier results to begin with: an ended tuning job of the same home, a table of results (`runs.csv`), or a list of these, of "
        "any length.",
        kind="parents",
        path=f"{WARM_START}.ParentHyperParameterTuningJobs",
        sections=(WARM_START,),
        label="Warm start",
        more="../how-to/begin-with-earlier-results.md",
        aliases=("parents", "warm_start_config"),
    ),
    Field(
        word="warm_start_type",
        help="`IdenticalDataAndAlgorithm`, or `TransferLearning` when the earlier jobs had other data or another program.",
        kind="warm_start_type",
        path=f"{WARM_START}.WarmStartType",
        default="IdenticalDataAndAlgorithm",
        label="Warm start type",
    ),
    Field(
        word="criteria",
        help="Completion criteria: the first one that is met ends the job, even before its limits do.",
        kind="criteria",
        path=f"{CONFIG}.TuningJobCompletionCriteria",
        label="Completion criteria",
        changeable=True,
        more="#criteria",
        aliases=("completion_criteria",),
    ),
    Field(
        word="max_training_jobs",
        help="Launch at most this many training jobs.",
        kind="count",
        path=f"{LIMITS}.MaxNumberOfTrainingJobs",
        sections=(LIMITS,),
        default_note="750",
        label="Maximum training jobs",
        changeable=True,
        aliases=(
            *("max_number_of_training_jobs", "trials", "n_trials", "max_trials"),
            *("max_evals", "n_iter", "num_samples"),
        ),
    ),
    Field(
        word="max_parallel",
        help="Run at most this many training jobs at the same time.",
        kind="count",
        path=f"{LIMITS}.MaxParallelTrainingJobs",
        default=1,
        label="Parallel training jobs",
        changeable=True,
        aliases=("max_parallel_training_jobs", "parallel", "n_jobs"),
    ),
    Field(
        word="max_runtime_seconds",
        help="End the tuning job this many seconds after its creation.",
        kind="positive",
        path=f"{LIMITS}.MaxRuntimeInSeconds",
        label="Maximum runtime",
        changeable=True,
        aliases=("timeout",),
    ),
    Field(
        word="max_training_job_seconds",
        help="Stop each training job after this many seconds.",
        kind="count",
        path=f"{DEFINITION}.StoppingCondition.MaxRuntimeInSeconds",
        of_definition=True,
    ),
    Field(
        word="early_stopping",
        help="`Auto` stops training jobs whose learning curve leaves them hardly a chance to become the best; `Off` stops none.",
        kind="early_stopping",
        path=f"{CONFIG}.TrainingJobEarlyStoppingType",
        default="Off",
        label="Early stopping",
        changeable=True,
    ),
    Field(
        word="min_resource",
        help="Hyperband: no training job is stopped before it has reported this many values of the metric.",
        kind="count",
        path=f"{HYPERBAND}.MinResource",
        default_note="1",
    ),
    Field(
        word="max_resource",
        help="Hyperband: each training job is stopped once it has reported this many values of the metric.",
        kind="count",
        path=f"{HYPERBAND}.MaxResource",
        sections=(HYPERBAND, f"{CONFIG}.StrategyConfig"),
        default_note="from `static: {epochs: …}`",
    ),
    Field(
        word="channels",
        help="Input data: the name of each channel, with a file or folder. A training job finds its path in `SM_CHANNEL_<NAME>`.",
        kind="channels",
        path=f"{DEFINITION}.InputDataConfig",
        of_definition=True,
        for_functions=False,
        aliases=("data", "input_data_config"),
    ),
    Field(
        word="environment",
        help="Environment variables of the training jobs.",
        kind="texts",
        path=f"{DEFINITION}.Environment",
        of_definition=True,
        for_functions=False,
        aliases=("env",),
    ),
    Field(
        word="output_path",
        help="Where models and copies of logs are stored: a URI such as `s3://bucket/models`.",
        kind="text",
        path=f"{DEFINITION}.OutputDataConfig.S3OutputPath",
        default_note="the home",
        label="Output path",
        of_definition=True,
        for_functions=False,
        aliases=("s3_output_path",),
    ),
    Field(
        word="checkpoints",
        help="Where checkpoints are kept, for training jobs that are started again: a URI such as `s3://bucket/checkpoints`.",
        kind="text",
        path=f"{DEFINITION}.CheckpointConfig.S3Uri",
        label="Checkpoints",
        of_definition=True,
        for_functions=False,
        aliases=("checkpoint_s3_uri",),
    ),
    Field(
        word="retries",
        help="Start a training job again up to so often if it is lost or its machine fails.",
        kind="count",
        path=f"{DEFINITION}.RetryStrategy.MaximumRetryAttempts",
        default_note="0",
        label="Retries of a training job",
        of_definition=True,
        for_functions=False,
        aliases=("max_retry_attempts",),
    ),
    Field(
        word="instance_type",
        help="SageMaker's name of a machine, such as `ml.g5.xlarge`: it says how many GPUs a training job gets and what it costs.",
        kind="text",
        path=f"{DEFINITION}.ResourceConfig.InstanceType",
        default_note="this machine",
        label="Instance type",
        of_definition=True,
        for_functions=False,
    ),
    Field(
        word="instances",
        help="Hosts of each training job: each is a process on this machine, and counts in the cost.",
        kind="count",
        path=f"{DEFINITION}.ResourceConfig.InstanceCount",
        default=1,
        label="Instances of a training job",
        of_definition=True,
        more="runners.md#several-hosts-instancecount-above-1",
    ),
    Field(
        word="aws",
        help="Members of SageMaker's `TrainingJobDefinition` that have no key here, such as `RoleArn` and `VpcConfig`: they are put over what "
        "the other keys say. An empty value takes a member away.",
        kind="values",
        label="Members of SageMaker's request",
        of_definition=True,
        for_functions=False,
    ),
    Field(
        word="price_per_hour",
        help="The price of one instance an hour, in US dollars: for the cost, and for criteria about money.",
        kind="amount",
        tag="price-per-hour",
        default_note="`[prices]` in `alfine.toml`, else none",
        label="Price per instance hour",
        changeable=True,
        aliases=("price",),
    ),
    Field(
        word="grace_seconds",
        help="Seconds between SIGTERM and SIGKILL when a training job is stopped.",
        kind="amount",
        tag="grace-seconds",
        default_note="120",
        for_functions=False,
    ),
    Field(
        word="threads",
        help="CPU cores that each training job may use.",
        kind="count",
        tag="threads",
        default_note="the machine's, shared by `max_parallel`",
        for_functions=False,
    ),
    Field(
        word="gpus",
        help="GPUs that each training job gets, of each of its instances: 1, 2, or a part of one such as 0.5, which others share. A training "
        "job waits until they are free. 0: it is given none in particular.",
        kind="amount",
        tag="gpus",
        default_note="those of its instance type",
        for_functions=False,
    ),
    Field(
        word="at_end",
        help="What happens to running training jobs when a criterion ends the job: `stop`, `drain` (let them finish) or `contenders` (let "
        "those finish that may still become the best).",
        kind="text",
        tag="at-end",
        default_note="`stop`",
        label="Running training jobs at the end",
        changeable=True,
    ),
    Field(
        word="repeats",
        help="Run the best configurations again before the job ends, and choose the best average: how many configurations and how many "
        "times, as `best=3 times=5`, or the number of times alone.",
        kind="repeats",
        tag="repeats",
        default_note="never",
        label="Re-runs of the best",
        changeable=True,
        more="criteria.md#repeats",
    ),
    Field(
        word="track",
        help="Experiment trackers that are told of each training job: `mlflow`, `wandb`, `tensorboard`, one or a list of them. `none`: no "
        "tracker, whatever `[track]` in `alfine.toml` says.",
        kind="words",
        tag="track",
        default_note="`[track] trackers` in `alfine.toml`, else none",
        more="../how-to/track-experiments.md",
        aliases=("tracker", "trackers", "report_to", "logger"),
    ),
    Field(
        word="warm",
        help="Whether Python scripts start from an interpreter that has already imported their modules; `false` starts a new one for "
        "every training job.",
        kind="flag",
        tag="warm",
        default=True,
        for_functions=False,
    ),
)

WORDS: Mapping[str, Field] = {field.word: field for field in FIELDS}
"""Each field by its word."""

OF_DEFINITION = tuple(field.word for field in FIELDS if field.of_definition)
"""The fields that each of several definitions can have for itself."""

OF_PROGRAM = tuple(field.word for field in FIELDS if field.of_program)
"""The fields that say what trains."""

CHANGEABLE = tuple(field.word for field in FIELDS if field.changeable)
"""The fields that can be changed after a job was created."""

RANGE_TERMS: tuple[Term, ...] = (
    Term("min", "MinValue", python="low"),
    Term("max", "MaxValue", python="high"),
    Term("scaling", "ScalingType"),
    Term("step", "the tag alfine:step", job_file="`step`"),
    Term("type", "the list that has the range", job_file="`type`", python="the class of the range"),
    Term("values", "Values", job_file="`values`", python="`values`"),
    Term("requires", "the tag alfine:requires", job_file="`requires`"),
)
"""The parts of a range. A job file has them as keys, Python as arguments of `alfine.Continuous`, `Integer` and `Categorical`."""

RANGE_WORDS = tuple(term.word for term in RANGE_TERMS)

RANGE_ALIASES: Mapping[str, str] = {
    "scaling_type": "scaling",
    "min_value": "min",
    "max_value": "max",
    "low": "min",
    "high": "max",
    "conditions": "requires",
    "condition": "requires",
}

OTHER_TERMS: tuple[Term, ...] = (
    Term("target", "alfine_function", job_file="`target`"),
    Term(
        "or_prices",
        ", or [prices] in alfine.toml",
        job_file=", or [prices] in alfine.toml",
        tuner="",  # alfine.toml lies in a home
    ),
    Term("continuous", "ContinuousParameterRanges", job_file="`type: continuous`", python="alfine.Continuous"),
)
"""Further terms that are called differently in each face."""

TERMS: Mapping[str, Term] = {
    term.word: term for term in (*(field.term for field in FIELDS), *RANGE_TERMS, *OTHER_TERMS)
}
"""Everything that a message can name in braces."""

ALIASES: Mapping[str, str] = {alias: field.word for field in FIELDS for alias in field.aliases} | dict(RANGE_ALIASES)


def fields_among(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are fields of a job, by their words.

    Args:
        arguments: The `locals()` of a function that takes fields as arguments, before it sets any other variable.
    """
    return {word: value for word, value in arguments.items() if word in WORDS}


def unknown(word: str, known: Iterable[str]) -> str:
    """Return the message about a word that doesn't exist: «isn't known. Did you mean max_parallel?».

    Args:
        word: What somebody wrote.
        known: The words that exist there.
    """
    words: Sequence[str] = list(known)
    alias = ALIASES.get(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).lower().replace("-", "_"))
    if alias in words:
        return f"isn't known. Did you mean {alias}?"
    return f"isn't known. {did_you_mean(word, words, LEAST_LIKENESS)}"
