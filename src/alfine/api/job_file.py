"""Reads what `alfine tune` is given: a CreateHyperParameterTuningJob request, or a job file in alfine's shorter words.

A request is recognised by its HyperParameterTuningJobName or HyperParameterTuningJobConfig and is checked against
botocore's own model of the operation. A job file's keys are the arguments of `alfine.api.job_words.job_request`
(docs/reference/job-file.md has them all). Paths in both are meant from the file's own folder. Whatever is wrong is one
InvalidSpec with every fault found, at the path where it stands in the file.
"""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alfine.api.job_words import OF_DEFINITION, PROGRAM, job_request, own_words, several_request
from alfine.api.read_document import read_document
from alfine.core.conditions import Combination, alternatives
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.fields import LEAST_LIKENESS, Face, unknown
from alfine.core.messages import spelled, spelled_error
from alfine.core.policy import CompletionCriterion
from alfine.core.ranges import SCALINGS, Categorical, Continuous, Integer, Range
from alfine.core.settings import Repeats, put_setting
from alfine.core.spec import DEFINITION, DEFINITIONS, EARLY_STOPPING_TYPES, GOALS, IDENTICAL, TRANSFER, strategies
from alfine.core.wording import closest
from alfine.criteria import criterion_from_text, table
from alfine.jobs.analysis.results_table import is_table
from alfine.jobs.policy_for import changed_request

Request = dict[str, Any]

REQUEST_KEYS = ("HyperParameterTuningJobName", "HyperParameterTuningJobConfig")
LONGEST_NAME = 32


@dataclass(frozen=True, kw_only=True)
class JobFile:
    """A tuning job as a file has it: the full request that it stands for, and how to speak of it in the file's words."""

    path: Path
    request: Request
    is_request: bool  # written as a request, not in the shorter words

    @property
    def name(self) -> str:
        return str(self.request["HyperParameterTuningJobName"])

    def with_overrides(
        self,
        *,
        name: str | None = None,
        max_training_jobs: int | None = None,
        max_parallel: int | None = None,
        seed: int | None = None,
        criteria: Sequence[str] = (),
        price_per_hour: float | None = None,
        warm: bool = True,
    ) -> JobFile:
        """The same job but for what is given. criteria, as texts, take the place of all completion criteria of the file."""
        request = changed_request(
            self.request,
            criteria=[criterion_from_text(text) for text in criteria] if criteria else None,
            max_training_jobs=max_training_jobs,
            max_parallel=max_parallel,
            price_per_hour=price_per_hour,
        )
        if name is not None:
            request["HyperParameterTuningJobName"] = name
        if seed is not None:
            request["HyperParameterTuningJobConfig"]["RandomSeed"] = seed
        if not warm:
            put_setting(request, "warm", "off")
        return replace(self, request=request)

    def explain(self, error: InvalidSpec) -> InvalidSpec:
        """The same faults, at the keys of this file instead of the request's paths."""
        return InvalidSpec([self.spelled(fault) for fault in error.faults])

    def spelled(self, fault: Fault) -> Fault:
        """Return a fault of the request at this file's key and in its words."""
        if self.is_request:
            return spelled(fault, Face.AWS)
        names = [str(each["DefinitionName"]) for each in self.request.get(DEFINITIONS, ())]
        return spelled(fault, Face.JOB_FILE, names)


def read_job_file(path: Path, *, form_only: bool = False) -> JobFile:
    """Raise InvalidSpec when the file can't be read or understood; whether its job can run here is checked on creation.

    form_only: of a request only its members and their types matter, not how long or large values are.
    """
    document = read_document(path)
    if is_request(document):
        _check_request(document, form_only=form_only)
        return JobFile(path=path, request=_anchored(document, path.absolute().parent), is_request=True)
    return JobFile(path=path, request=_Reader(path, document).request(), is_request=False)


def name_from(path: Path) -> str:
    """The name of a tuning job whose file doesn't give one: the file's own, as far as AMT's rules allow."""
    words = re.sub(r"[^a-zA-Z0-9]+", "-", path.stem)[:LONGEST_NAME]
    return words.strip("-") or "tuning-job"


# -- the text ------------------------------------------------------------------------------------------------------------


def is_request(document: Mapping[str, Any]) -> bool:
    """Whether it's a CreateHyperParameterTuningJob request, not a job file in shorter words."""
    return any(key in document for key in REQUEST_KEYS)


# -- a full request ------------------------------------------------------------------------------------------------------


def _check_request(request: Request, *, form_only: bool) -> None:
    """Raise InvalidSpec for what botocore's model of the operation doesn't allow: members, types, least values."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel
    from botocore.validate import ParamValidator

    service = ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")
    shape = service.operation_model("CreateHyperParameterTuningJob").input_shape
    found = ParamValidator().validate(request, shape)
    errors = found._errors  # noqa: SLF001 - its report is prose; here are the paths
    faults = [
        _model_fault(*each) for each in errors if not form_only or each[0] not in ("invalid range", "invalid length")
    ]
    if faults:
        raise InvalidSpec(faults)


def _model_fault(kind: str, name: str, details: Mapping[str, Any]) -> Fault:
    path = name.lstrip(".")
    inside = f"{path}." if path else ""
    match kind:
        case "unknown field":
            return Fault(inside + details["unknown_param"], unknown(details["unknown_param"], details["valid_names"]))
        case "missing required field":
            return Fault(inside + details["required_name"], "is missing, and a request needs it.")
        case "invalid type":
            return Fault(path, f"{_shown(details['param'])} must be {_type_names(details['valid_types'])}.")
        case "invalid range" | "invalid length":
            what = "at least" if kind == "invalid range" else "of a length of at least"
            return Fault(path, f"{_shown(details['param'])} must be {what} {details['min_allowed']}.")
        case _:
            return Fault(path, f"{kind}: {', '.join(map(str, details.values()))}.")


def _type_names(types: Iterable[str]) -> str:
    words = {"str": "a text, in quotes", "int": "a whole number", "float": "a number", "bool": "true or false"}
    words |= {"dict": "keys and values", "list": "a list"}
    found = [re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", each) for each in types]
    return "a number" if "float" in found else " or ".join(words[each] for each in found if each in words)


def _anchored(request: Request, folder: Path) -> Request:
    """The request with its local paths made absolute, so that it's the same job from wherever it is started."""
    request = deepcopy(request)
    for definition in (request.get(DEFINITION) or {}, *(request.get(DEFINITIONS) or ())):
        _anchor(definition, folder)
    return request


def _anchor(definition: dict[str, Any], folder: Path) -> None:
    static = definition.get("StaticHyperParameters") or {}
    if "sagemaker_program" in static:
        given = _unquoted(static.get("sagemaker_submit_directory", "."))
        static["sagemaker_submit_directory"] = _absolute_uri(given, folder)
    if "alfine_command" in static:
        words = _json_or_none(static["alfine_command"])
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            static["alfine_command"] = json.dumps([anchored_word(word, folder) for word in words])
    for channel in definition.get("InputDataConfig") or []:
        source = (channel.get("DataSource") or {}).get("S3DataSource") or {}
        if "S3Uri" in source:
            source["S3Uri"] = _absolute_uri(source["S3Uri"], folder)


def _absolute_uri(uri: str, folder: Path) -> str:
    """A local path, or one behind `file://`, meant from the folder; any other URI as it is."""
    text = uri.removeprefix("file://")
    if text == uri and "://" in uri:
        return uri
    if text != uri and text.startswith("/"):
        return uri
    return _absolute(text, folder).as_uri()


def _absolute(path: str, folder: Path) -> Path:
    return Path(folder, Path(path).expanduser()).resolve()


def anchored_word(word: str, folder: Path) -> str:
    """A word of a command: the name of a file in the folder, or ./ or ../ in front, becomes an absolute path."""
    is_path = word.startswith(("./", "../")) or (word and not word.startswith("/") and (folder / word).is_file())
    return str(_absolute(word, folder)) if is_path else word


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


def _unquoted(text: str) -> str:
    value = _json_or_none(text)
    return value if isinstance(value, str) else text


# -- a job file in alfine's words ----------------------------------------------------------------------------------------


@dataclass
class _Reader:
    """Reads the keys of one job file into arguments of `job_request`, and collects what is wrong with them."""

    path: Path
    document: Mapping[str, Any]
    faults: list[Fault] = field(default_factory=list)

    def request(self) -> Request:
        given: dict[str, Any] = {"name": name_from(self.path)}
        for key, value in self.document.items():
            if key not in KEYS:
                self.fault(str(key), unknown(str(key), KEYS))
            elif value is not None:
                given[key] = KEYS[key](self, key, value)
        if "warm_start_type" in given and "warm_start" not in given:
            self.fault("warm_start_type", "says how to take what warm_start names, and that is missing.")
        if "definitions" in given:
            self._programs(given, given["definitions"])
        else:
            given |= self._program(given)
        if self.faults:
            raise InvalidSpec(self.faults)
        try:
            return several_request(**given) if "definitions" in given else job_request(**given)
        except InvalidSpec as error:
            raise spelled_error(error, Face.JOB_FILE) from error

    def fault(self, path: str, message: str) -> None:
        self.faults.append(Fault(path, message))

    @property
    def folder(self) -> Path:
        return self.path.absolute().parent

    def _programs(self, given: Mapping[str, Any], definitions: Mapping[str, dict[str, Any]]) -> None:
        """Give each definition what trains in it."""
        owns = [{"script", "command"} & {*own} for own in definitions.values()]
        for key in PROGRAM:
            if key in given and owns and all(owns):
                self.fault(key, "does nothing: each definition has a program of its own. Say it there.")
        for name, own in definitions.items():
            own.update(self._program(own_words(given, own), f"definitions.{name}."))

    def _program(self, words: Mapping[str, Any], inside: str = "") -> dict[str, Any]:
        """What trains, out of the words of the job or of one of its definitions, which must say that and over which space."""
        if "script" in words and "command" in words:
            self.fault(f"{inside}command", "there is a script too. Keep one of the two.")
        elif "script" not in words and "command" not in words:
            message = "is missing: what trains, as `script: train.py`, or `command:` for other languages."
            self.fault(f"{inside}script", message)
        if "space" not in words:
            message = "is missing: the hyperparameters to tune, as in `space: {eta: {min: 0.01, max: 1.0}}`."
            self.fault(f"{inside}space", message)
        if words.get("command") and "PATH" not in words.get("environment", ()):  # one of its own isn't looked into
            self._find(f"{inside}command", words["command"][0])
        found = {key: words[key] for key in PROGRAM if key in words}
        if "script" in found and "source_dir" not in found:  # else it's a path inside that
            found["script"] = str(_absolute(found["script"], self.folder))
        return found

    def _find(self, path: str, program: str) -> None:
        if "/" in program and Path(program).is_file() and not os.access(program, os.X_OK):
            name = Path(program).name
            self.fault(
                path, f"{program} isn't executable. Begin with what runs it, as in [sh, {name}], or chmod +x it."
            )
        elif shutil.which(program) is None:
            self.fault(path, f"there is no program {program!r} on the PATH. Give its path.")

    # -- one reader a kind of value; each answers something of the right type, whatever is wrong -------------------

    def text(self, path: str, value: Any) -> str:
        if not isinstance(value, str) or not value:
            self.fault(path, f"{_shown(value)} must be a text.")
        return str(value)

    def file(self, path: str, value: Any) -> str:
        return str(_absolute(self.text(path, value), self.folder))

    def interpreter(self, path: str, value: Any) -> str:
        """A program: by name from the PATH, or a path meant from the file's folder; a virtual environment's link stays."""
        text = self.text(path, value)
        return str(Path(self.folder, Path(text).expanduser())) if "/" in text else text

    def words(self, path: str, value: Any) -> list[str]:
        if isinstance(value, str):
            try:
                value = shlex.split(value)
            except ValueError as error:
                self.fault(path, f"{_shown(value)} can't be split into words: {error}. Write a list instead.")
                return []
        if not isinstance(value, list) or not value or not all(_is_scalar(word) for word in value):
            self.fault(path, f"{_shown(value)} must be a list of words, such as [julia, train.jl].")
            return []
        return [anchored_word(_scalar_text(word), self.folder) for word in value]

    def flag(self, path: str, value: Any) -> bool:
        if not isinstance(value, bool):
            self.fault(path, f"{_shown(value)} must be true or false.")
        return bool(value)

    def number(self, path: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            self.fault(path, f"{_shown(value)} must be a number from 0 on.")
            return 0.0
        return value

    def positive(self, path: str, value: Any) -> float:
        if self.number(path, value) == 0 and not (self.faults and self.faults[-1].path == path):
            self.fault(path, f"{_shown(value)} must be a number above 0.")
        return value if isinstance(value, int | float) else 0.0

    def count(self, path: str, value: Any) -> int:
        return self._whole(path, value, 1)

    def seed(self, path: str, value: Any) -> int:
        return self._whole(path, value, 0)

    def _whole(self, path: str, value: Any, least: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.fault(path, f"{_shown(value)} must be a whole number from {least} on.")
            return least
        return value

    def goal(self, path: str, value: Any) -> str:
        return self._choice(path, value, GOALS)

    def strategy(self, path: str, value: Any) -> str:
        return self._choice(path, value, strategies())

    def early_stopping(self, path: str, value: Any) -> str:
        return self._choice(path, value, EARLY_STOPPING_TYPES)

    def warm_start_type(self, path: str, value: Any) -> str:
        return self._choice(path, value, (IDENTICAL, TRANSFER))

    def combinations(self, path: str, value: Any) -> tuple[Combination, ...]:
        """Combinations of values: one or a list of them, each as keys and values or as a text."""
        try:
            return alternatives(value)
        except InvalidSpec as error:
            self.faults += [Fault(path, fault.message) for fault in error.faults]
            return ()

    def configurations(self, path: str, value: Any) -> list[Any]:
        """Known configurations to try first: one or a list of them, each as keys and values or as a text."""
        entries = value if isinstance(value, list) else [value]
        if not entries or not all(isinstance(each, dict | str) and each for each in entries):
            self.fault(
                path, f"{_shown(value)} must be a configuration such as {{eta: 0.3, depth: 6}}, or a list of them."
            )
            return []
        return entries

    def repeats(self, path: str, value: Any) -> str | None:
        try:
            return str(Repeats.of(value))
        except InvalidSpec as error:
            self.faults += [Fault(path, fault.message) for fault in error.faults]
            return None

    def names(self, path: str, value: Any) -> list[str]:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
            self.fault(
                path, f"{_shown(value)} must be the name of a tuning job or a table (*.csv), or a list of these."
            )
            return []
        return [
            _absolute(name, self.folder).as_uri() if is_table(name) and "://" not in name else name for name in names
        ]

    def _choice(self, path: str, value: Any, allowed: Sequence[str]) -> str:
        if value not in allowed:
            near = closest(str(value), allowed, LEAST_LIKENESS)
            hint = f" Did you mean {near}?" if near else ""
            self.fault(path, f"{_shown(value)} isn't one of {', '.join(allowed)}.{hint}")
            return allowed[0]
        return str(value)

    def mapping(self, path: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fault(path, f"{_shown(value)} must be keys and values.")
            return {}
        for key in value:
            if not _is_scalar(key):
                self.fault(path, f"{_shown(key)} can't be a key. Use a text.")
        return {str(key): each for key, each in value.items()}

    def texts(self, path: str, value: Any) -> dict[str, str]:
        entries = self.mapping(path, value)
        for key, each in entries.items():
            if not _is_scalar(each):
                self.fault(f"{path}.{key}", f"{_shown(each)} must be a text or a number.")
        return {key: _scalar_text(each) for key, each in entries.items()}

    def channels(self, path: str, value: Any) -> dict[str, str]:
        entries = self.texts(path, value)
        return {name: _absolute_uri(uri, self.folder) for name, uri in entries.items()}

    def definitions(self, path: str, value: Any) -> dict[str, dict[str, Any]]:
        """Of each its own keys."""
        found: dict[str, dict[str, Any]] = {}
        for name, own in self.mapping(path, value).items():
            found[name] = {}
            for key, each in self.mapping(f"{path}.{name}", own).items():
                if key not in OF_DEFINITION:
                    self.fault(f"{path}.{name}.{key}", unknown(key, OF_DEFINITION))
                elif each is not None:
                    found[name][key] = KEYS[key](self, f"{path}.{name}.{key}", each)
        if not found and isinstance(value, dict):
            self.fault(path, "is empty. Give each algorithm a name and keys of its own.")
        return found

    def space(self, path: str, value: Any) -> dict[str, Range]:
        entries = self.mapping(path, value)
        if not entries and isinstance(value, dict):
            self.fault(path, "is empty. Give at least one hyperparameter a range.")
        found = {name: self._range(f"{path}.{name}", each) for name, each in entries.items()}
        return {name: each for name, each in found.items() if each is not None}

    def _range(self, path: str, value: Any) -> Range | None:
        if isinstance(value, list):
            return self._categories(path, value)
        if not isinstance(value, dict):
            self.fault(
                path,
                f"{_shown(value)} must be {{min: …, max: …}}, or a list of categories. A fixed value belongs in `static`.",
            )
            return None
        before = len(self.faults)
        for key in value:
            if key not in RANGE_KEYS:
                self.fault(f"{path}.{key}", unknown(str(key), RANGE_KEYS))
        requires = self.combinations(f"{path}.requires", value.get("requires"))
        if "values" in value:
            if odd := [key for key in ("min", "max", "scaling", "type") if key in value]:
                self.fault(f"{path}.{odd[0]}", "is of a range of numbers, and there are values. Keep one of the two.")
            given = value["values"]
            if not isinstance(given, list):
                self.fault(f"{path}.values", f"{_shown(given)} must be a list of categories.")
                return None
            found = self._categories(f"{path}.values", given)
            return found and found.requiring(requires)
        scaling = self._choice(f"{path}.scaling", value.get("scaling", "Auto"), SCALINGS)
        kind = self._choice(f"{path}.type", value["type"], ("continuous", "integer")) if "type" in value else None
        ends = [self._end(f"{path}.{key}", key, value) for key in ("min", "max")]
        if len(self.faults) > before:
            return None
        whole = all(isinstance(end, int) for end in ends)
        if kind == "integer" and not whole:
            self.fault(path, f"{ends[0]} and {ends[1]} must be whole numbers, since type is integer.")
            return None
        low, high = ends
        each: Range = (
            Integer(low, high, scaling=scaling, requires=requires)
            if whole and kind != "continuous"
            else Continuous(float(low), float(high), scaling=scaling, requires=requires)
        )
        self.faults += [spelled(fault, Face.JOB_FILE) for fault in each.faults(path)]
        return each

    def _end(self, path: str, key: str, value: Mapping[str, Any]) -> Any:
        end = value.get(key)
        if key not in value:
            self.fault(path, "is missing. A range needs min and max; for categories write a list.")
        elif isinstance(end, bool) or not isinstance(end, int | float):
            self.fault(path, f"{_shown(end)} must be a number.")
        return end

    def _categories(self, path: str, values: list[Any]) -> Range | None:
        odd = [value for value in values if not (_is_scalar(value) or value is None)]
        if odd:
            self.fault(path, f"{_shown(odd[0])} can't be a category. Use texts, numbers, true or false.")
            return None
        found = Categorical(values)
        self.faults += found.faults(path)
        return found

    def criteria(self, path: str, value: Any) -> list[CompletionCriterion]:
        if not isinstance(value, list):
            self.fault(
                path,
                f"{_shown(value)} must be a list, such as [ConvergenceDetected, {{BestObjectiveNotImproving: 10}}].",
            )
            return []
        found = (self._criterion(f"{path}[{index}]", each) for index, each in enumerate(value))
        return [each for each in found if each is not None]

    def _criterion(self, path: str, entry: Any) -> CompletionCriterion | None:
        text = self._criterion_text(path, entry)
        if text is None:
            return None
        name = re.split(r"[\s:,()]", text.strip(), maxsplit=1)[0]
        if name not in table():
            self.fault(path, unknown(name, table()))
            return None
        try:
            return criterion_from_text(text)
        except InvalidSpec as error:
            self.faults += [Fault(path, str(fault)) for fault in error.faults]
            return None

    def _criterion_text(self, path: str, entry: Any) -> str | None:
        """`Name`, `Name: 10`, `Name: {setting: 10}`, `AllOf: [Name, …]`, `Steady: {criterion: Name, times: 3}` as one text."""
        if isinstance(entry, str):
            return entry
        if not isinstance(entry, dict) or len(entry) != 1:
            self.fault(path, f"{_shown(entry)} must be a criterion's name, alone or with its settings.")
            return None
        ((name, settings),) = entry.items()
        if isinstance(settings, list):
            settings = {"criteria": settings}
        if not isinstance(settings, dict):
            return f"{name}" if settings is None else f"{name}({_scalar_text(settings)})"
        parts: list[str | None] = []
        for key, each in settings.items():
            if key in table():  # Shadow: {ConvergenceDetected: {delta: 0.1}}
                parts.append(self._criterion_text(path, {key: each}))
            elif key in ("criteria", "criterion"):
                parts += [  # AtLeast: [2, …]: settings stand among the criteria, as in its other spellings
                    _scalar_text(one) if isinstance(one, int | float) else self._criterion_text(path, one)
                    for one in (each if isinstance(each, list) else [each])
                ]
            else:
                parts.append(f"{key}={_scalar_text(each)}")
        return None if None in parts else f"{name}({', '.join(str(part) for part in parts)})"


_Read = Callable[[_Reader, str, Any], Any]

KEYS: dict[str, _Read] = {
    "name": _Reader.text,
    "script": _Reader.text,
    "command": _Reader.words,
    "source_dir": _Reader.file,
    "python": _Reader.interpreter,
    "space": _Reader.space,
    "definitions": _Reader.definitions,
    "static": _Reader.mapping,
    "metric": _Reader.text,
    "goal": _Reader.goal,
    "regex": _Reader.text,
    "metrics": _Reader.texts,
    "strategy": _Reader.strategy,
    "seed": _Reader.seed,
    "forbid": _Reader.combinations,
    "start_with": _Reader.configurations,
    "warm_start": _Reader.names,
    "warm_start_type": _Reader.warm_start_type,
    "criteria": _Reader.criteria,
    "max_training_jobs": _Reader.count,
    "max_parallel": _Reader.count,
    "max_runtime_seconds": _Reader.positive,
    "max_training_job_seconds": _Reader.count,
    "early_stopping": _Reader.early_stopping,
    "min_resource": _Reader.count,
    "max_resource": _Reader.count,
    "channels": _Reader.channels,
    "environment": _Reader.texts,
    "threads": _Reader.count,
    "grace_seconds": _Reader.number,
    "warm": _Reader.flag,
    "instances": _Reader.count,
    "price_per_hour": _Reader.number,
    "at_end": _Reader.text,
    "repeats": _Reader.repeats,
}
RANGE_KEYS = ("min", "max", "scaling", "type", "values", "requires")

# -- words for people ----------------------------------------------------------------------------------------------------


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _scalar_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = text if len(text) <= 60 else text[:59] + "…"
    return repr(text) if isinstance(value, str) else text


def differences(request: Mapping[str, Any], other: Mapping[str, Any], path: str = "") -> Iterator[Fault]:
    """Where two requests differ: the path, and a message with both values."""
    for key in {**request, **other}:
        where, mine, theirs = f"{path}{key}", request.get(key), other.get(key)
        if isinstance(mine, dict) and isinstance(theirs, dict):
            yield from differences(mine, theirs, f"{where}.")
        elif mine != theirs:
            mine, theirs = ("not given" if each is None else _shown(each) for each in (mine, theirs))
            yield Fault(where, f"is {mine} and was {theirs}")
