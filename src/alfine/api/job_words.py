"""Write CreateHyperParameterTuningJob requests from the words of `alfine.tune` and of job files.

The words are those of `alfine.core.fields`. A field that stands at one path of the request, or in one tag, is written
by the table alone; the others have a function here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from alfine.api.given_values import regexes_of
from alfine.core import conditions
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.field import Field, Kind
from alfine.core.fields import FIELDS, OF_DEFINITION, OF_PROGRAM, WORDS, unknown
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical, Continuous, Integer
from alfine.core.read_values import LARGEST_INTEGER, shown
from alfine.core.settings import FORBID, REQUIRES, START_WITH, STEP, Repeats, put_order, put_setting, put_text
from alfine.core.spec import FUNCTION, IDENTICAL, LOCAL_IMAGE, PARENTS
from alfine.criteria import criteria_of, put_criteria
from alfine.criteria.amt_fields import put_limits

T = TypeVar("T")
Words = Mapping[str, Any]

NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
"""A regular expression for a decimal number; its group is the number."""

LOCAL_ROLE = "arn:aws:iam::000000000000:role/alfine"
"""The role of a request that nobody gave one: AWS's model needs it, and alfine asks nobody for permission."""

LOCAL_OUTPUT = "file:///"
"""The output path of a request that nobody gave one: models stay in the home."""

LOCAL_TYPE = "local"
"""The instance type of a request that nobody gave one: this machine."""

AT_ONE_PATH: tuple[Kind, ...] = ("text", "goal", "strategy", "from_zero", "count", "early_stopping")
"""Kinds of fields whose value stands in the request as it is, at the field's path."""

LEAST = {"seed": 0, "instances": 1}
"""The smallest value of each number that whoever reads the request doesn't check."""

LARGEST = {"seed": 2**64 - 1, "instances": LARGEST_INTEGER}
"""The largest value of each of them: any seed of another library, and AWS's largest Integer."""

WITHOUT_PARENTS = "says how to use what warm_start names, and warm_start is missing."
"""The message for a warm_start_type alone."""


def job_request(*, name: str, space: Mapping[str, Range], function: str | None = None, **words: Any) -> dict[str, Any]:
    """Return the CreateHyperParameterTuningJob request that the words of a job stand for.

    Only what can't be written as a request is refused here; `alfine.core.read_spec.read_spec` says whether the request
    makes sense.

    Args:
        name: The tuning job's name.
        space: The hyperparameters to tune, each with its range.
        function: What trains when it's a Python function of this process, as «module:name».
        words: The other fields of the job, by the words of `alfine.core.fields.FIELDS`. None means not given.

    Raises:
        InvalidSpec: A word doesn't exist, or its value can't be written as a request.

    Example:
        >>> job_request(name="first", space={"eta": Continuous(0.01, 1)}, script="train.py", metric="auc", goal="Maximize")
    """
    given = _with_defaults(words)
    _check(given)
    request: dict[str, Any] = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {"ParameterRanges": parameter_ranges(space)},
        "TrainingJobDefinition": _definition_request(given, function),
    }
    for field in FIELDS:
        if field.word in given and _stands_alone(field):
            _put(request, str(field.path), _plain(given[field.word]))
    request["TrainingJobDefinition"] = _over(request["TrainingJobDefinition"], given.get("aws", {}))
    _put_warm_start(request, given)
    put_criteria(request, criteria_of(given.get("criteria", ())))
    put_limits(
        request,
        MaxNumberOfTrainingJobs=_plain(given.get("max_training_jobs")),
        MaxRuntimeInSeconds=_plain(given.get("max_runtime_seconds")),
    )
    _put_entries(request, given, space)
    _put_settings(request, given)
    ranges = request["HyperParameterTuningJobConfig"]["ParameterRanges"]
    if [*space] != [entry["Name"] for entries in ranges.values() for entry in entries]:
        put_order(request, [*space])
    return request


def _with_defaults(words: Words) -> dict[str, Any]:
    """Return what was given, and the defaults of what wasn't. Raise InvalidSpec for words that don't exist."""
    if odd := [word for word in words if word not in WORDS]:
        raise InvalidSpec([Fault(word, unknown(word, WORDS)) for word in odd])
    defaults = {field.word: field.default for field in FIELDS if field.default is not None}
    given = defaults | {word: value for word, value in words.items() if value is not None}
    return given | ({"metrics": regexes_of(given["metrics"])} if "metrics" in given else {})


def _check(given: Words) -> None:
    """Raise InvalidSpec for values that a request would hide or that contradict each other."""
    faults: list[Fault] = []
    if given.get("regex") and given["metric"] in given.get("metrics", {}):
        faults.append(Fault("regex", f"metrics has one for {given['metric']}, too. Keep one of the two."))
    if not isinstance(given["warm"], bool):
        faults.append(Fault("warm", f"{given['warm']!r} must be true or false."))
    for word, least in LEAST.items():
        number = _plain(given.get(word))
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
            faults.append(Fault(word, f"{shown(number)} must be a whole number from {least} on."))
        elif number is not None and number > LARGEST[word]:
            faults.append(Fault(word, f"{shown(number)} is too large. Use a whole number up to {LARGEST[word]}."))
    if faults:
        raise InvalidSpec(faults)


def _stands_alone(field: Field) -> bool:
    """Return whether the field's value stands at its path as it is. The limits share theirs with criteria of the same name."""
    is_name_or_limit = field.word in ("name", "max_training_jobs")
    return field.kind in AT_ONE_PATH and field.path is not None and not (field.of_program or is_name_or_limit)


def _put(request: dict[str, Any], path: str, value: Any) -> None:
    """Write a value into a request, with the objects that lead to it."""
    *sections, last = path.split(".")
    place = request
    for section in sections:
        place = place.setdefault(section, {})
    place[last] = value


def _over(members: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return members of a request with others put over them; None takes one away."""
    found = dict(members)
    for name, value in others.items():
        if isinstance(value, Mapping) and isinstance(found.get(name), Mapping):
            found[name] = _over(found[name], value)
        elif value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found


# -- parts of the request ------------------------------------------------------------------------------------------------


def _definition_request(given: Words, function: str | None) -> dict[str, Any]:
    """Return the TrainingJobDefinition, but for what stands alone in it. Empty lists and objects are left out."""
    static = {key: _json(f"static.{key}", value) for key, value in given.get("static", {}).items()}
    environment = {key: _json(f"environment.{key}", value) for key, value in given.get("environment", {}).items()}
    sections = {
        "StaticHyperParameters": {**static, **_program(given, function)},
        "AlgorithmSpecification": {
            "TrainingImage": LOCAL_IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": _metrics(given),
        },
        "RoleArn": LOCAL_ROLE,
        "InputDataConfig": [_channel(name, path) for name, path in given.get("channels", {}).items()],
        "OutputDataConfig": {"S3OutputPath": LOCAL_OUTPUT},
        "ResourceConfig": {"InstanceType": LOCAL_TYPE, "VolumeSizeInGB": 1},
        "Environment": environment,
    }
    return {"StoppingCondition": {}} | {key: value for key, value in sections.items() if value not in ([], {})}


def _put_warm_start(request: dict[str, Any], given: Words) -> None:
    parents = given.get("warm_start", ())
    names = [parents] if isinstance(parents, str) else list(parents)
    kind = given["warm_start_type"]
    if names:
        entries = [{"HyperParameterTuningJobName": name} for name in names]
        request["WarmStartConfig"] = {PARENTS: entries, "WarmStartType": kind}
    elif kind != IDENTICAL:
        raise InvalidSpec([Fault("warm_start_type", WITHOUT_PARENTS)])


def _put_entries(request: dict[str, Any], given: Words, space: Mapping[str, Range]) -> None:
    """Write conditions, forbidden combinations, steps and initial configurations: texts that may take several tags."""
    requires = [
        conditions.Entry(combination, name)
        for name, range_ in space.items()
        for combination in getattr(range_, "requires", ())
    ]
    forbidden = [conditions.Entry(combination) for combination in _combinations("forbid", given.get("forbid"))]
    steps = [
        conditions.Entry((conditions.Clause(name, "is", (str(range_.step),)),))
        for name, range_ in space.items()
        if isinstance(range_, Integer | Continuous) and range_.step is not None and range_.low < range_.high
    ]
    starts = _starts(given["start_with"], space) if given.get("start_with") else []
    for setting, entries in ((REQUIRES, requires), (FORBID, forbidden), (STEP, steps), (START_WITH, starts)):
        if entries:
            put_text(request, setting, conditions.write(entries))


def _put_settings(request: dict[str, Any], given: Words) -> None:
    """Write the fields that stand in one tag."""
    for field in FIELDS:
        if field.tag and field.kind not in ("combinations", "configurations"):
            put_setting(request, field.tag, _setting(field, given.get(field.word)))


def _setting(field: Field, value: Any) -> str | None:
    """Return a field's value as its tag has it, None for no tag."""
    match field.kind:
        case _ if value is None:
            return None
        case "flag":
            return None if value else "off"
        case "repeats":
            return str(Repeats.of(value))
        case "words":
            return value if isinstance(value, str) else " ".join(map(str, value))
        case _:
            return str(value)


def _metrics(given: Words) -> list[dict[str, str]]:
    metric, others = given["metric"], given.get("metrics", {})
    regexes = {metric: given.get("regex") or others.get(metric) or default_regex(metric)} | {
        name: regex for name, regex in others.items() if name != metric
    }
    return [{"Name": name, "Regex": regex} for name, regex in regexes.items()]


def default_regex(metric: str) -> str:
    """Return a regular expression that finds «metric=1.5», «metric: 1.5» or «metric 1.5», where the name is a whole word.

    Args:
        metric: The metric's name.
    """
    return rf"(?<![\w.:/-]){re.escape(metric)}\s*[=:]?\s*{NUMBER}"


def _program(given: Words, function: str | None) -> dict[str, str]:
    """Return the static hyperparameters that say what trains."""
    script, command, source_dir, python = (given.get(word) for word in OF_PROGRAM)
    if script is not None and command is not None:
        raise InvalidSpec([Fault("script", "give either script or command, one of the two.")])
    if function is not None:
        return {FUNCTION: function}
    if command is not None:
        for_scripts = {"source_dir": source_dir, "python": python}
        if odd := [word for word, value in for_scripts.items() if value is not None]:
            raise InvalidSpec([Fault(word, "is for a script, and this is a command.") for word in odd])
        return {"alfine_command": json.dumps([str(word) for word in command])}
    if script is None:
        return {}
    path = Path(script).expanduser()
    if python is not None and path.suffix != ".py":
        raise InvalidSpec([Fault("python", f"runs Python scripts (*.py), and {path.name} is none. Leave it out.")])
    static = {
        "sagemaker_program": str(path) if source_dir is not None else path.name,
        "sagemaker_submit_directory": _uri(source_dir if source_dir is not None else path.parent),
    }
    return {**static, **({"alfine_python": python} if python else {})}


def _channel(name: str, path: str | Path) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": _uri(path)}}}


def _uri(path: str | Path) -> str:
    """Return the URI of a path; what is one stays as it is."""
    text = str(path)
    return text if "://" in text else Path(text).expanduser().absolute().as_uri()


# -- several definitions -------------------------------------------------------------------------------------------------


def several_request(definitions: Mapping[str, Words], **words: Any) -> dict[str, Any]:
    """Return the request of a job with several definitions (algorithms).

    Args:
        definitions: The fields of each definition, by its name: those of `alfine.core.fields.OF_DEFINITION`.
        words: The fields of the job. Those that a definition can have hold for each definition that doesn't give its
            own. `forbid`, `start_with` and what ranges require hold for each definition that has all hyperparameters of
            an entry.

    Raises:
        InvalidSpec: As of `job_request`; or two definitions have a hyperparameter of one name with different
            conditions.
    """
    shared = {word: words.pop(word) for word in OF_DEFINITION if word in words}
    parts = {name: with_shared(shared, own) for name, own in definitions.items()}
    ranges: dict[str, Range] = {}
    for name, part in parts.items():
        for key, range_ in part["space"].items():
            _check_conditions(f"definitions.{name}.space.{key}", range_, part["space"], ranges.get(key))
            ranges[key] = range_
    request = job_request(space=ranges, **words)
    config = request["HyperParameterTuningJobConfig"]
    del request["TrainingJobDefinition"], config["ParameterRanges"], config["HyperParameterTuningJobObjective"]
    request["TrainingJobDefinitions"] = [_definition(name, part) for name, part in parts.items()]
    return request


def with_shared(shared: Words, own: Words) -> dict[str, Any]:
    """Return a definition's fields with those of the job. A definition with its own program takes no field of a program.

    Args:
        shared: The job's fields.
        own: The definition's own fields, which come first.
    """
    without = OF_PROGRAM if {"script", "command"} & {*own} else ()
    return {**{word: value for word, value in shared.items() if word not in without}, **own}


def _definition(name: str, words: Words) -> dict[str, Any]:
    try:
        request = job_request(name=name, **words)
    except InvalidSpec as error:
        faults = [Fault(f"definitions.{name}.{fault.path}", fault.message) for fault in error.faults]
        raise InvalidSpec(faults) from error
    config = request["HyperParameterTuningJobConfig"]
    return {
        "DefinitionName": name,
        "TuningObjective": config["HyperParameterTuningJobObjective"],
        "HyperParameterRanges": config["ParameterRanges"],
        **request["TrainingJobDefinition"],
    }


def _check_conditions(path: str, range_: Range, space: Mapping[str, Range], other: Range | None) -> None:
    """Raise InvalidSpec for conditions that a tag couldn't express: an entry holds for every definition that has its names."""
    requires = getattr(range_, "requires", ())
    missing = [clause.name for combination in requires for clause in combination if clause.name not in space]
    if missing:
        message = f"there is no hyperparameter {missing[0]!r} with a range. Known: {', '.join(space)}."
        raise InvalidSpec([Fault(path, message)])
    if other is not None and getattr(other, "requires", ()) != requires:
        message = "must require the same in each definition that has it. Give it another name in one of them."
        raise InvalidSpec([Fault(path, message)])


# -- ranges and values ---------------------------------------------------------------------------------------------------


def parameter_ranges(space: Mapping[str, Range]) -> dict[str, Any]:
    """Return AMT's ParameterRanges of a space, with numbers as texts. Raise InvalidSpec for what isn't a range.

    Args:
        space: The range of each hyperparameter.
    """
    if not isinstance(space, Mapping):
        message = f'{space!r:.100} must map names to ranges, as {{"x": alfine.Continuous(0, 1)}}.'
        raise InvalidSpec([Fault("space", message)])
    lists: dict[str, list[dict[str, Any]]] = {
        "IntegerParameterRanges": [],
        "ContinuousParameterRanges": [],
        "CategoricalParameterRanges": [],
    }
    for name, range_ in space.items():
        if not isinstance(name, str):
            raise InvalidSpec([Fault("space", f"a hyperparameter's name must be a text, not {name!r}.")])
        match range_:
            case Integer() | Continuous() if range_.low == range_.high:  # AMT's ranges of numbers have two ends
                _check_ends(f"space.{name}", range_)
                lists["CategoricalParameterRanges"].append({"Name": name, "Values": [range_.to_text(range_.low)]})
            case Integer() | Continuous():
                _check_ends(f"space.{name}", range_)
                bounds = {"MinValue": str(range_.low), "MaxValue": str(range_.high), "ScalingType": range_.scaling}
                lists[f"{type(range_).__name__}ParameterRanges"].append({"Name": name, **bounds})
            case Categorical():
                texts = [_category(f"space.{name}", range_, value) for value in range_.values]
                lists["CategoricalParameterRanges"].append({"Name": name, "Values": texts})
            case _:
                message = f"{range_!r} isn't a range. Use alfine.Continuous, alfine.Integer or alfine.Categorical."
                raise InvalidSpec([Fault(f"space.{name}", message)])
    return lists


def _category(path: str, range_: Categorical, value: Any) -> str:
    """Return a category as requests have it."""
    _json(path, value, "be a category")
    return range_.to_text(value)


def _check_ends(path: str, range_: Integer | Continuous) -> None:
    """Raise InvalidSpec unless both ends are numbers, those of an Integer whole ones."""
    kind, wanted = (Integral, "whole numbers") if isinstance(range_, Integer) else (Real, "numbers")
    ends = range_.low, range_.high
    if not all(isinstance(end, kind) and not isinstance(end, bool) for end in ends):
        raise InvalidSpec([Fault(path, f"{ends[0]!r} and {ends[1]!r} must be {wanted}.")])


def _combinations(word: str, given: Any) -> tuple[conditions.Combination, ...]:
    try:
        return conditions.alternatives(given or None)
    except InvalidSpec as error:
        raise InvalidSpec([Fault(word, fault.message) for fault in error.faults]) from error


def _starts(given: Any, space: Mapping[str, Range]) -> list[conditions.Entry]:
    """Return initial configurations as entries; whether they lie in the space is checked with the request."""
    entries: list[conditions.Entry] = []
    is_one = isinstance(given, str | Mapping) or not isinstance(given, Iterable)
    for index, start in enumerate([given] if is_one else given):
        if isinstance(start, str):
            try:
                entries += conditions.read(start)
            except InvalidSpec as error:
                raise InvalidSpec([Fault(f"start_with[{index}]", fault.message) for fault in error.faults]) from error
        elif isinstance(start, Mapping) and start:
            texts = {str(name): _text(space.get(name), value) for name, value in start.items()}
            clauses = tuple(conditions.Clause(name, "is", (text,)) for name, text in texts.items())
            entries.append(conditions.Entry(clauses))
        else:
            message = f'{start!r} must be a configuration, such as {{"eta": 0.3, "depth": 6}}.'
            raise InvalidSpec([Fault(f"start_with[{index}]", message)])
    return entries


def _text(range_: Range | None, value: Any) -> str:
    """Return a value as its range writes it; a value outside as it is, for the check to name."""
    return range_.to_text(value) if range_ is not None and range_.contains(value) else conditions.as_text(value)


def _plain(number: T) -> T:
    """Return Python's own number of one of NumPy's."""
    return number.item() if hasattr(number, "item") else number


def _json(path: str, value: Any, use: str = "be kept with the job") -> str:
    """Return a value as requests have it. Raise InvalidSpec for what can't be written as JSON."""
    try:
        return conditions.as_text(value)
    except (TypeError, ValueError):
        message = f"{value!r:.100} can't {use}: use texts, numbers, true or false, None, or lists of these."
        raise InvalidSpec([Fault(path, message)]) from None
