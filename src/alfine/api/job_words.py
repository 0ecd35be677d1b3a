"""Writes CreateHyperParameterTuningJob requests for people who have no SageMaker job: a script, a metric, a space.

The words here are those of `alfine.tune` and of a job file (`alfine tune JOB.yaml`), one and the same list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from alfine.core import conditions
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.ranges import Categorical, Continuous, Integer, Range
from alfine.core.settings import FORBID, REPEATS, REQUIRES, START_WITH, Repeats, put_setting, put_text
from alfine.core.spec import FUNCTION, IDENTICAL, LOCAL_IMAGE, PARENTS
from alfine.criteria import Given, criteria_of, put_criteria
from alfine.criteria.amt_fields import put_limits

T = TypeVar("T")

NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
LOCAL_ROLE = "arn:aws:iam::000000000000:role/alfine"  # a request needs one; nothing here asks who may do what


def job_request(
    *,
    name: str,
    space: Mapping[str, Range],
    metric: str = "objective",
    goal: str = "Minimize",
    strategy: str = "Bayesian",
    criteria: Given = (),
    max_training_jobs: int | None = None,
    max_parallel: int = 1,
    max_runtime_seconds: float | None = None,
    max_training_job_seconds: int | None = None,
    early_stopping: str = "Off",
    min_resource: int | None = None,
    max_resource: int | None = None,
    seed: int | None = None,
    forbid: Mapping[str, Any] | str | Sequence[Mapping[str, Any] | str] = (),
    start_with: Mapping[str, Any] | str | Sequence[Mapping[str, Any] | str] = (),
    warm_start: str | Sequence[str] = (),
    warm_start_type: str = IDENTICAL,
    script: str | Path | None = None,
    command: Sequence[str] | None = None,
    function: str | None = None,
    source_dir: str | Path | None = None,
    python: str | None = None,
    regex: str | None = None,
    metrics: Mapping[str, str] | None = None,
    static: Mapping[str, Any] | None = None,
    channels: Mapping[str, str | Path] | None = None,
    environment: Mapping[str, str] | None = None,
    price_per_hour: float | None = None,
    warm: bool = True,
    grace_seconds: float | None = None,
    threads: int | None = None,
    instances: int = 1,
    at_end: str | None = None,
    repeats: int | str | Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The request, in full. Raise InvalidSpec for what can't be written as one; what it means is checked by its reader.

    script: a Python file; its folder is its source_dir unless that is given. command: argv of a program in any language.
    regex: finds the metric in the log, its first group the number; default: «<metric>=<number>» or «<metric>: <number>».
    metrics: further metrics to record, name -> regex. static: hyperparameters that aren't tuned.
    forbid: combinations that are never tried, as {"optimizer": "sgd", "lr": "> 0.5"}; not a function, which couldn't be stored.
    start_with: a configuration that is tried first, such as the defaults in use today, or a list of them.
    warm_start: tuning jobs of the same home to begin with, by name; warm_start_type: TransferLearning when their data or program
    were others.
    channels: input data, name -> file or folder. price_per_hour: of one instance, in any currency.
    warm: False starts every training job from a cold interpreter. threads: cores per training job.
    repeats: the best configurations are run again before the job says which is best: {"best": 3, "times": 5}, or the times alone.
    at_end: what becomes of running training jobs when a criterion ends the job: stop (the default), drain or contenders.
    """
    if regex and metric in (metrics or {}):
        raise InvalidSpec([Fault("regex", f"metrics has one for {metric}, too. Keep one of the two.")])
    if not isinstance(warm, bool):
        raise InvalidSpec([Fault("warm", f"{warm!r} must be true or false.")])
    definition = {
        "StaticHyperParameters": {
            **{key: _static(f"static.{key}", value) for key, value in (static or {}).items()},
            **_program(script, command, function, source_dir, python),
        },
        "AlgorithmSpecification": {
            "TrainingImage": LOCAL_IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": _metrics(metric, regex, metrics or {}),
        },
        "RoleArn": LOCAL_ROLE,
        "InputDataConfig": [_channel(key, path) for key, path in (channels or {}).items()],
        "OutputDataConfig": {"S3OutputPath": "file:///"},
        "ResourceConfig": {
            "InstanceType": "local",
            "InstanceCount": _whole("instances", instances, 1),
            "VolumeSizeInGB": 1,
        },
        "StoppingCondition": _given(MaxRuntimeInSeconds=_plain(max_training_job_seconds)),
        "Environment": {key: _static(f"environment.{key}", value) for key, value in (environment or {}).items()},
    }
    request: dict[str, Any] = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": {"Type": goal, "MetricName": metric},
            "ResourceLimits": {
                "MaxParallelTrainingJobs": _plain(max_parallel),
            },
            "ParameterRanges": parameter_ranges(space),
            "TrainingJobEarlyStoppingType": early_stopping,
            **_given(RandomSeed=_whole("seed", seed, 0), StrategyConfig=_hyperband(min_resource, max_resource)),
        },
        "TrainingJobDefinition": {
            key: value for key, value in definition.items() if key == "StoppingCondition" or value not in ([], {})
        },
    }
    parents = [warm_start] if isinstance(warm_start, str) else list(warm_start)
    if parents:
        names = [{"HyperParameterTuningJobName": name} for name in parents]
        request["WarmStartConfig"] = {PARENTS: names, "WarmStartType": warm_start_type}
    elif warm_start_type != IDENTICAL:
        message = "says how to take what warm_start names, and that is missing."
        raise InvalidSpec([Fault("warm_start_type", message)])
    put_criteria(request, criteria_of(criteria))
    put_limits(
        request,
        MaxNumberOfTrainingJobs=_plain(max_training_jobs),
        MaxRuntimeInSeconds=_plain(max_runtime_seconds),
    )
    requires = [
        conditions.Entry(each, name) for name, found in space.items() for each in getattr(found, "requires", ())
    ]
    for setting, entries in (
        (REQUIRES, requires),
        (FORBID, [conditions.Entry(each) for each in _combinations("forbid", forbid)]),
        (START_WITH, _starts(start_with, space) if start_with else []),
    ):
        if entries:
            put_text(request, setting, conditions.write(entries))
    settings = {
        "price-per-hour": price_per_hour,
        "grace-seconds": grace_seconds,
        "threads": threads,
        "at-end": at_end,
        REPEATS: None if repeats is None else Repeats.of(repeats),
    }
    for setting, value in {**settings, "warm": None if warm else "off"}.items():
        put_setting(request, setting, None if value is None else str(value))
    return request


# What belongs to one definition where a job has several; said of the job, it holds for those that don't say otherwise.
PROGRAM = ("script", "command", "source_dir", "python")
OF_DEFINITION = (
    *(*PROGRAM, "space", "static", "metric", "goal", "regex", "metrics"),
    *("channels", "environment", "max_training_job_seconds", "instances"),
)


def several_request(definitions: Mapping[str, Mapping[str, Any]], **words: Any) -> dict[str, Any]:
    """The request of a job with several definitions (algorithms): for each, by its name, its own of the words in OF_DEFINITION.

    forbid, start_with and what ranges require hold for each definition that has all hyperparameters of an entry.
    """
    shared = {key: words.pop(key) for key in OF_DEFINITION if key in words}
    parts = {name: own_words(shared, own) for name, own in definitions.items()}
    spaces: dict[str, Range] = {}
    for name, part in parts.items():
        for key, found in part["space"].items():
            _check_conditions(f"definitions.{name}.space.{key}", found, part["space"], spaces.get(key))
            spaces[key] = found
    request = job_request(space=spaces, **words)
    config = request["HyperParameterTuningJobConfig"]
    del request["TrainingJobDefinition"], config["ParameterRanges"], config["HyperParameterTuningJobObjective"]
    request["TrainingJobDefinitions"] = [_definition(name, part) for name, part in parts.items()]
    return request


def own_words(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A definition's words: one that has a program of its own takes nothing of the job's."""
    program = PROGRAM if {"script", "command"} & {*own} else ()
    return {**{key: value for key, value in shared.items() if key not in program}, **own}


def _definition(name: str, words: Mapping[str, Any]) -> dict[str, Any]:
    try:
        whole = job_request(name=name, **words)
    except InvalidSpec as error:
        raise InvalidSpec(
            [Fault(f"definitions.{name}.{fault.path}", fault.message) for fault in error.faults]
        ) from error
    config = whole["HyperParameterTuningJobConfig"]
    return {
        "DefinitionName": name,
        "TuningObjective": config["HyperParameterTuningJobObjective"],
        "HyperParameterRanges": config["ParameterRanges"],
        **whole["TrainingJobDefinition"],
    }


def _check_conditions(path: str, found: Range, space: Mapping[str, Range], other: Range | None) -> None:
    """Raise InvalidSpec for what an entry in a tag couldn't say: it holds for every definition that has its hyperparameters."""
    requires = getattr(found, "requires", ())
    unknown = [clause.name for each in requires for clause in each if clause.name not in space]
    if unknown:
        message = f"there is no hyperparameter {unknown[0]!r} with a range. Known: {', '.join(space)}."
        raise InvalidSpec([Fault(path, message)])
    if other is not None and getattr(other, "requires", ()) != requires:
        message = "must require the same in each definition that has it. Give it another name in one of them."
        raise InvalidSpec([Fault(path, message)])


def parameter_ranges(space: Mapping[str, Range]) -> dict[str, Any]:
    """AMT's ParameterRanges of a space, numbers as text."""
    lists: dict[str, list[dict[str, Any]]] = {
        "IntegerParameterRanges": [],
        "ContinuousParameterRanges": [],
        "CategoricalParameterRanges": [],
    }
    if not isinstance(space, Mapping):
        message = f'{space!r:.100} must map names to ranges, as {{"x": alfine.Continuous(0, 1)}}.'
        raise InvalidSpec([Fault("space", message)])
    for name, each in space.items():
        if not isinstance(name, str):
            raise InvalidSpec([Fault("space", f"a hyperparameter's name must be a text, not {name!r}.")])
        match each:
            case Integer() | Continuous():
                kind = "Integer" if isinstance(each, Integer) else "Continuous"
                _check_ends(f"space.{name}", each)
                bounds = {"MinValue": str(each.low), "MaxValue": str(each.high)}
                lists[f"{kind}ParameterRanges"].append({"Name": name, **bounds, "ScalingType": each.scaling})
            case Categorical():
                texts = [_static(f"space.{name}", value, "be a category") for value in each.values]
                lists["CategoricalParameterRanges"].append({"Name": name, "Values": texts})
            case _:
                message = f"{each!r} isn't a range. Use alfine.Continuous, alfine.Integer or alfine.Categorical."
                raise InvalidSpec([Fault(f"space.{name}", message)])
    return lists


def _check_ends(path: str, found: Integer | Continuous) -> None:
    """Raise InvalidSpec unless both ends are numbers, of integers whole ones."""
    kind, wanted = (Integral, "whole numbers") if isinstance(found, Integer) else (Real, "numbers")
    ends = found.low, found.high
    if not all(isinstance(end, kind) and not isinstance(end, bool) for end in ends):
        raise InvalidSpec([Fault(path, f"{ends[0]!r} and {ends[1]!r} must be {wanted}.")])


def _combinations(key: str, given: Any) -> tuple[conditions.Combination, ...]:
    try:
        return conditions.alternatives(given or None)
    except InvalidSpec as error:
        raise InvalidSpec([Fault(key, fault.message) for fault in error.faults]) from error


def _starts(given: Any, space: Mapping[str, Range]) -> list[conditions.Entry]:
    """Configurations as entries of core/conditions.py; what they may be is checked with the request."""
    found: list[conditions.Entry] = []
    for index, each in enumerate(
        [given] if isinstance(given, str | Mapping) or not isinstance(given, Iterable) else given
    ):
        if isinstance(each, str):
            try:
                found += conditions.read(each)
            except InvalidSpec as error:
                raise InvalidSpec([Fault(f"start_with[{index}]", fault.message) for fault in error.faults]) from error
        elif isinstance(each, Mapping) and each:
            texts = {str(name): _text(space.get(name), value) for name, value in each.items()}
            found.append(
                conditions.Entry(tuple(conditions.Clause(name, "is", (text,)) for name, text in texts.items()))
            )
        else:
            message = f'{each!r} must be a configuration, such as {{"eta": 0.3, "depth": 6}}.'
            raise InvalidSpec([Fault(f"start_with[{index}]", message)])
    return found


def _plain(number: T) -> T:
    """Python's own, of one of numpy's."""
    return number.item() if hasattr(number, "item") else number


def _whole(path: str, number: T, least: int) -> T:
    """The number, or None for none. Raise InvalidSpec for one that isn't whole or too small."""
    number = _plain(number)
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
        raise InvalidSpec([Fault(path, f"{number!r} must be a whole number from {least} on.")])
    return number


def _static(path: str, value: Any, use: str = "be kept with the job") -> str:
    """A value as requests have it. Raise InvalidSpec for what can't be written as JSON."""
    try:
        return conditions.as_text(value)
    except (TypeError, ValueError):
        message = f"{value!r:.100} can't {use}: use texts, numbers, true or false, None, or lists of these."
        raise InvalidSpec([Fault(path, message)]) from None


def _text(found: Range | None, value: Any) -> str:
    """A value as its range writes it; what the range doesn't have as it stands, for the check to name."""
    return found.to_text(value) if found is not None and found.contains(value) else conditions.as_text(value)


def default_regex(metric: str) -> str:
    """Finds «metric=1.5», «metric: 1.5», «metric 1.5», where the name stands as a word of its own."""
    return rf"(?<![\w.:/-]){re.escape(metric)}\s*[=:]?\s*{NUMBER}"


def _metrics(metric: str, regex: str | None, others: Mapping[str, str]) -> list[dict[str, str]]:
    found = {
        metric: regex or others.get(metric) or default_regex(metric),
        **{k: v for k, v in others.items() if k != metric},
    }
    return [{"Name": name, "Regex": text} for name, text in found.items()]


def _program(
    script: str | Path | None,
    command: Sequence[str] | None,
    function: str | None,
    source_dir: str | Path | None,
    python: str | None,
) -> dict[str, str]:
    if script is not None and command is not None:
        raise InvalidSpec([Fault("script", "give either script or command, one of the two.")])
    if function is not None:
        return {FUNCTION: function}
    if command is not None:
        said = {"source_dir": source_dir, "python": python}
        if faults := [Fault(key, "is for a script, and this is a command.") for key in said if said[key] is not None]:
            raise InvalidSpec(faults)
        return {"alfine_command": json.dumps([str(word) for word in command])}
    if script is None:
        return {}
    path = Path(script).expanduser()
    if python is not None and path.suffix != ".py":
        raise InvalidSpec([Fault("python", f"runs Python scripts (*.py), and {path.name} is none. Leave it out.")])
    folder = Path(source_dir).expanduser() if source_dir is not None else path.parent
    program = str(path) if source_dir is not None else path.name
    found = {"sagemaker_program": program, "sagemaker_submit_directory": folder.absolute().as_uri()}
    return {**found, **({"alfine_python": python} if python else {})}


def _channel(name: str, path: str | Path) -> dict[str, Any]:
    text = str(path)
    uri = text if "://" in text else Path(text).expanduser().absolute().as_uri()
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}


def _hyperband(least: int | None, most: int | None) -> dict[str, Any] | None:
    bounds = _given(MinResource=_plain(least), MaxResource=_plain(most))
    return {"HyperbandStrategyConfig": bounds} if bounds else None


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
