"""The words of a request: what `api.job_words` writes, read back, for forms and code that ask for a recorded job again."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from alfine.api.job_words import LOCAL_OUTPUT, LOCAL_TYPE, default_regex, job_request, several_request
from alfine.core import conditions
from alfine.core.errors import InvalidSpec
from alfine.core.fields import FIELDS
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical, Integer
from alfine.core.read_spec import read_spec
from alfine.core.settings import FORBID, ORDER, REQUIRES, START_WITH, STEP
from alfine.core.spec import CONFIG, DEFINITION, DEFINITIONS, FUNCTION, IDENTICAL, LOCAL_IMAGE, TuningJobSpec
from alfine.criteria import ALWAYS, criteria_for, text_format
from alfine.criteria.max_number_of_training_jobs import MaxNumberOfTrainingJobs
from alfine.criteria.max_runtime_in_seconds import MaxRuntimeInSeconds
from alfine.programs.hyperparameter_text import unquoted

Words = dict[str, Any]

SENT_QUOTED = ("sagemaker_program", "sagemaker_submit_directory")
"""Static hyperparameters that SageMaker's SDK sends as JSON, and that mean the same without quotes."""

OF_WORDS = ("DefinitionName", "TuningObjective", "HyperParameterRanges")
"""Members of one of several definitions that words always say."""

OF_REQUESTS = ("output_path", "checkpoints", "retries", "instance_type")
"""Words of job files that `alfine.tune` doesn't have."""

PARTS = ("HyperParameterTuningJobName", CONFIG, DEFINITION, DEFINITIONS, "WarmStartConfig", "Tags")
"""The members of a request that words can say."""

NOT_CRITERIA = (*ALWAYS, MaxNumberOfTrainingJobs, MaxRuntimeInSeconds)
"""Criteria that every job has, or that a limit stands for."""

OF_SPACE = (REQUIRES, FORBID, STEP, START_WITH, ORDER)
"""Settings whose meaning is in the space and the initial configurations of a specification."""

PROGRAM = ("sagemaker_program", "sagemaker_submit_directory", "alfine_command", "alfine_python", FUNCTION)
"""Static hyperparameters that say what trains."""


def words_of(request: Mapping[str, Any]) -> Words | None:
    """Return the words of a job file that asks for a request, or None where words can't say the same.

    They can't where the request has what only SageMaker's API has beside its training job definitions, such as Autotune. A job that tunes a
    Python function has «function» among its words, as «module:name». A job with several definitions has «definitions», with the words of each
    by its name. Members of a definition without a word are in «aws».

    Args:
        request: A CreateHyperParameterTuningJob request, as a client sent it or as it was recorded.
    """
    try:
        request = _plainly(request)
        spec = read_spec(request)
        if any(request[key] for key in request if key not in PARTS):
            return None
        # Values as JSON and a script where that makes the same job, else as texts, and what says the program with them.
        for decoded, with_program in ((True, True), (False, True), (True, False), (False, False)):
            found = _words_if_same(request, spec, decoded=decoded, with_program=with_program)
            if found is not None:
                return found
    except (InvalidSpec, ValueError, KeyError, TypeError):  # no words for it, as the answer says
        pass
    return None


def is_for_tune(words: Mapping[str, Any]) -> bool:
    """Return whether `alfine.tune` has all these words: it runs a program of this machine, and one algorithm."""
    return not {"definitions", "aws", "image", *OF_REQUESTS} & {*words}


def _words_if_same(
    request: Mapping[str, Any], spec: TuningJobSpec, *, decoded: bool, with_program: bool
) -> Words | None:
    """Return the words of a request, with the members of its definitions that have none in «aws»; None if they ask for another job."""
    try:
        words = _words(spec, request, decoded=decoded, with_program=with_program)
        made = _definitions(_made(words))
    except (InvalidSpec, ValueError, KeyError, TypeError):  # the next spelling may do
        return None
    for removes in (False, True):
        own = [_rest(was, now, removes=removes) for was, now in zip(_definitions(request), made, strict=True)]
        found = _with_members(words, own)
        with suppress(InvalidSpec):  # what the words make must be taken away, as the next ones do
            if _same(spec, read_spec(_made(found))):
                return found
    return None


def _plainly(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request whose definitions say without quotes what trains, and without a default what its channels are."""
    if DEFINITIONS in request:
        return {**request, DEFINITIONS: [_plain_definition(each) for each in request[DEFINITIONS]]}
    return {**request, DEFINITION: _plain_definition(request[DEFINITION])}


def _plain_definition(definition: Mapping[str, Any]) -> dict[str, Any]:
    plain = dict(definition)
    if static := definition.get("StaticHyperParameters"):
        plain["StaticHyperParameters"] = {
            key: unquoted(text) if key in SENT_QUOTED else text for key, text in static.items()
        }
    if channels := definition.get("InputDataConfig"):
        plain["InputDataConfig"] = [_plain_channel(channel) for channel in channels]
    return plain


def _plain_channel(channel: Mapping[str, Any]) -> dict[str, Any]:
    source = dict((channel.get("DataSource") or {}).get("S3DataSource") or {})
    if source.get("S3DataDistributionType") != "FullyReplicated":
        return dict(channel)
    del source["S3DataDistributionType"]
    return {**channel, "DataSource": {**channel["DataSource"], "S3DataSource": source}}


def _made(words: Words) -> dict[str, Any]:
    return several_request(**words) if "definitions" in words else job_request(**words)


def _definitions(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the definitions of a request, the job's only one or several."""
    return [*request.get(DEFINITIONS, ())] or [request[DEFINITION]]


def _rest(members: Mapping[str, Any], made: Mapping[str, Any], *, removes: bool) -> dict[str, Any]:
    """Return the members of a definition that words make otherwise or not at all.

    Args:
        members: The definition as it was asked for.
        made: The definition that the words make.
        removes: Whether members that only the words make are among them, as None.
    """
    found: dict[str, Any] = {}
    for name in {**members, **(made if removes else {})}:
        was, now = members.get(name), made.get(name)
        if name in OF_WORDS or was == now or (not was and not now):
            continue
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            found |= {name: inner} if (inner := _rest(was, now, removes=removes)) else {}
        elif not (name == "MetricDefinitions" and was and _by_name(was) == _by_name(now or [])):
            found[name] = was
    return found


def _by_name(entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {str(entry.get("Name")): entry for entry in entries}


def _with_members(words: Words, own: Sequence[Words]) -> Words:
    """Return words with the members of each definition that have none."""
    if "definitions" not in words:
        return _with_aws(words, own[0])
    parts = zip(words["definitions"].items(), own, strict=True)
    return {**words, "definitions": {name: _with_aws(part, members) for (name, part), members in parts}}


def _with_aws(words: Words, members: Words) -> Words:
    without = ("channels",) if "InputDataConfig" in members else ()
    return {key: value for key, value in words.items() if key not in without} | ({"aws": members} if members else {})


def document_of(words: Mapping[str, Any]) -> Words:
    """Return the keys and values of a job file with these words.

    Args:
        words: What `words_of` returned, without «function».
    """
    if "definitions" in words:
        return {**words, "definitions": {name: document_of(own) for name, own in words["definitions"].items()}}
    return {**words, "space": {name: _entry(range_) for name, range_ in words["space"].items()}}


def _same(spec: TuningJobSpec, other: TuningJobSpec) -> bool:
    """Return whether both ask for the same, however texts of the space are written in their tags, and in whatever order its metrics."""
    return _compared(spec) == _compared(other)


def _compared(spec: TuningJobSpec) -> TuningJobSpec:
    others = {key: text for key, text in spec.settings.items() if re.sub(r"-[0-9]+$", "", key) not in OF_SPACE}
    metrics = tuple(sorted(spec.definition.metric_definitions, key=lambda metric: metric.name))
    return replace(
        spec,
        request={},
        settings=others,
        definition=replace(spec.definition, metric_definitions=metrics),
        parts={name: _compared(part) for name, part in spec.parts.items()},
    )


def _words(spec: TuningJobSpec, request: Mapping[str, Any], *, decoded: bool, with_program: bool) -> Words:
    """Return the words of a job."""
    parts = spec.definition_specs

    def own(part: TuningJobSpec) -> Words:
        return _own_words(part, decoded=decoded, with_program=with_program)

    of_parts = {name: _given(own(part)) for name, part in spec.parts.items()}
    known = {
        "name": spec.name,
        **({"definitions": of_parts} if of_parts else own(spec)),
        "strategy": spec.strategy,
        "seed": request[CONFIG].get("RandomSeed"),
        "forbid": _once(_text(combination) for part in parts for combination in part.space.forbidden),
        "start_with": _once(part.space.from_text(texts) for part in parts for texts in part.start_with),
        "warm_start": list(spec.parents),
        "warm_start_type": spec.warm_start if spec.warm_start != IDENTICAL else None,
        "criteria": [text_format.say(each) for each in criteria_for(spec) if not isinstance(each, NOT_CRITERIA)],
        "max_training_jobs": spec.max_training_jobs,
        "max_parallel": spec.max_parallel,
        "max_runtime_seconds": spec.max_runtime_seconds,
        "early_stopping": spec.early_stopping,
        **_hyperband(request),
        **_settings(spec.settings),
    }
    return _given(known)


def _own_words(spec: TuningJobSpec, *, decoded: bool, with_program: bool) -> Words:
    """Return the words that each of several definitions has for itself."""
    definition = spec.definition
    static = definition.static_hyperparameters
    program = _program(static) if with_program and {*PROGRAM} & {*static} else {}
    return {
        **program,
        "image": definition.image if definition.image != LOCAL_IMAGE else None,
        "space": {name: _typed(spec.space.ranges[name], decoded=decoded) for name in spec.names_in_order},
        "static": _static(static, () if program == {} else PROGRAM, decoded=decoded),
        "metric": spec.metric,
        "goal": spec.goal,
        **_metrics(spec),
        "max_training_job_seconds": definition.max_runtime_seconds,
        "channels": {channel.name: _path(channel.uri) for channel in definition.channels},
        "environment": dict(definition.environment),
        "output_path": definition.output_path if definition.output_path != LOCAL_OUTPUT else None,
        "checkpoints": definition.checkpoint_uri or None,
        "retries": definition.retries or None,
        "instance_type": definition.instance_type if definition.instance_type != LOCAL_TYPE else None,
        "instances": definition.instance_count,
    }


def _once(values: Iterable[Any]) -> list[Any]:
    """Return values without those that were there before; entries for several definitions are read in each."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _given(known: Words) -> Words:
    """Return words in the order of the table of fields, without those that say the default."""
    default = {field.word: field.default for field in FIELDS}
    given = {word: value for word, value in known.items() if value not in (None, [], {}) and value != default.get(word)}
    order = [field.word for field in FIELDS]
    return {word: given[word] for word in sorted(given, key=lambda word: order.index(word) if word in order else -1)}


def _program(static: Mapping[str, str]) -> Words:
    if FUNCTION in static:
        return {"function": static[FUNCTION]}
    if "alfine_command" in static:
        return {"command": json.loads(static["alfine_command"])}
    script, folder = static["sagemaker_program"], _path(static["sagemaker_submit_directory"])
    python = {"python": static["alfine_python"]} if "alfine_python" in static else {}
    if "/" in script or "://" in folder:
        return {"script": script, "source_dir": folder, **python}
    return {"script": f"{folder}/{script}", **python}


def _path(uri: str) -> str:
    """Return the path of a file:// URI; any other URI as it is."""
    return unquote(urlsplit(uri).path) if uri.startswith("file:///") else uri


def _static(texts: Mapping[str, str], without: Sequence[str], *, decoded: bool) -> Words:
    own = {key: text for key, text in texts.items() if key not in without}
    return {key: _decoded(text) for key, text in own.items()} if decoded else own


def _decoded(text: str) -> Any:
    """Return the value whose text as a category or a fixed value this is; a text stays one where it can't be another value."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    finite = not isinstance(value, float) or math.isfinite(value)
    return value if finite and not isinstance(value, str) and conditions.as_text(value) == text else text


def _typed(range_: Range, *, decoded: bool) -> Range:
    if not decoded or not isinstance(range_, Categorical):
        return range_
    return Categorical([_decoded(str(value)) for value in range_.values], requires=range_.requires)


def _metrics(spec: TuningJobSpec) -> Words:
    regexes = {metric.name: metric.regex for metric in spec.definition.metric_definitions}
    own = regexes.pop(spec.metric, None)
    return {"regex": own if own != default_regex(spec.metric) else None, "metrics": regexes}


def _hyperband(request: Mapping[str, Any]) -> Words:
    config = (request[CONFIG].get("StrategyConfig") or {}).get("HyperbandStrategyConfig") or {}
    return {"min_resource": config.get("MinResource"), "max_resource": config.get("MaxResource")}


def _settings(settings: Mapping[str, str]) -> Words:
    """Return the words of fields that stand in one tag."""
    words: Words = {}
    for field in FIELDS:
        text = settings.get(field.tag or "")
        if text is None or field.kind in ("combinations", "configurations"):
            continue
        match field.kind:
            case "flag":
                words[field.word] = text == "on"
            case "count":
                words[field.word] = int(text)
            case "amount":
                words[field.word] = int(text) if text.isdigit() else float(text)
            case _:
                words[field.word] = text
    return words


def _entry(range_: Range) -> Any:
    """Return a range as a job file has it."""
    requires = [_text(combination) for combination in range_.requires]
    condition = {"requires": requires[0] if len(requires) == 1 else requires} if requires else {}
    if isinstance(range_, Categorical):
        return {"values": list(range_.values), **condition} if condition else list(range_.values)
    low, high, scaling, step = (getattr(range_, name) for name in ("low", "high", "scaling", "step"))
    whole = isinstance(range_, Integer)
    entry = {"min": int(low), "max": int(high)} if whole else {"min": float(low), "max": float(high)}
    scaled = {"scaling": scaling} if scaling != "Auto" else {}
    return {**entry, **scaled, **({"step": step} if step is not None else {}), **condition}


def _text(combination: Sequence[conditions.Clause]) -> str:
    """Return a combination as a person writes it where that reads as the same, else as tags have it."""
    clauses = tuple(combination)
    try:
        said = conditions.words(clauses)
        if conditions.combination(said) == clauses:
            return said
    except InvalidSpec:  # a name or value with a space: the other spelling escapes it
        pass
    return conditions.write([conditions.Entry(clauses)])
