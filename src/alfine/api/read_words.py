"""A job file in alfine's words, read into the request that it stands for.

Its keys are the words of `alfine.core.fields`; the kind of each says how its value is read.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alfine.api.job_words import WITHOUT_PARENTS, job_request, several_request, with_shared
from alfine.api.local_paths import absolute
from alfine.api.read_criteria import read_criteria
from alfine.api.read_ranges import read_space
from alfine.api.read_values import ValueReader
from alfine.core.errors import InvalidSpec
from alfine.core.field import Face, Kind
from alfine.core.fields import OF_DEFINITION, OF_PROGRAM, WORDS, unknown
from alfine.core.messages import spelling

Request = dict[str, Any]
Words = Mapping[str, Any]


def read_words(document: Words, folder: Path, name: str) -> Request:
    """Return the CreateHyperParameterTuningJob request of a job file.

    Args:
        document: The keys and values of the file.
        folder: Where the file lies: relative paths are meant from there.
        name: The tuning job's name, where the file doesn't give one.

    Raises:
        InvalidSpec: With every fault found, each at its key of the file.
    """
    reader = ValueReader(folder)
    given: dict[str, Any] = {"name": name, **_read(reader, document, tuple(WORDS))}
    if "warm_start_type" in given and "warm_start" not in given:
        reader.fault("warm_start_type", WITHOUT_PARENTS)
    if "definitions" in given:
        _check_programs(reader, given, given["definitions"])
    else:
        given |= _program(reader, given)
    if reader.faults:
        raise InvalidSpec(reader.faults)
    with spelling(Face.JOB_FILE):
        return several_request(**given) if "definitions" in given else job_request(**given)


def _read(reader: ValueReader, document: Words, known: tuple[str, ...], inside: str = "") -> dict[str, Any]:
    """Return the values of a document's keys; a key without a value counts as not given."""
    given: dict[str, Any] = {}
    for key, value in document.items():
        if key not in known:
            reader.fault(f"{inside}{key}", unknown(str(key), known))
        elif value is not None:
            given[key] = READERS[WORDS[key].kind](reader, f"{inside}{key}", value)
    return given


def _definitions(reader: ValueReader, path: str, value: Any) -> dict[str, dict[str, Any]]:
    """Return the fields of each definition by its name."""
    definitions = {}
    for name, own in reader.values(path, value).items():
        entries = reader.values(f"{path}.{name}", own)
        definitions[name] = _read(reader, entries, OF_DEFINITION, f"{path}.{name}.")
    if not definitions and isinstance(value, dict):
        reader.fault(path, "is empty. Give each algorithm a name and keys of its own.")
    return definitions


def _check_programs(reader: ValueReader, given: Words, definitions: Mapping[str, dict[str, Any]]) -> None:
    """Say for each definition what trains in it."""
    have_own = [bool({"script", "command", "image"} & {*own}) for own in definitions.values()]
    for key in OF_PROGRAM:
        if key in given and have_own and all(have_own):
            reader.fault(key, "does nothing: each definition has a program of its own. Say it there.")
    for name, own in definitions.items():
        own.update(_program(reader, with_shared(given, own), f"definitions.{name}."))


def _program(reader: ValueReader, words: Words, inside: str = "") -> dict[str, Any]:
    """Return the fields that say what trains, of the job or of one of its definitions. Both need a program and a space."""
    if "script" in words and "command" in words:
        reader.fault(f"{inside}command", "there is a script too. Keep one of the two.")
    elif not any(key in words for key in ("script", "command", "image")):
        message = "is missing: what trains, as `script: train.py`, or `command:` for other languages, or `image:`."
        reader.fault(f"{inside}script", message)
    if "space" not in words:
        message = "is missing: the hyperparameters to tune, as in `space: {eta: {min: 0.01, max: 1.0}}`."
        reader.fault(f"{inside}space", message)
    has_own_path = "PATH" in words.get("environment", ())
    if words.get("command") and not has_own_path:
        _find(reader, f"{inside}command", words["command"][0])
    program = {key: words[key] for key in OF_PROGRAM if key in words}
    if "script" in program and "source_dir" not in program:  # with a source_dir the script is a path inside it
        program["script"] = str(absolute(program["script"], reader.folder))
    return program


def _find(reader: ValueReader, path: str, program: str) -> None:
    """Record a fault unless the program of a command can be run."""
    if "/" in program and Path(program).is_file() and not os.access(program, os.X_OK):
        name = Path(program).name
        remedy = f"Begin with what runs it, as in [sh, {name}], or chmod +x it."
        reader.fault(path, f"{program} isn't executable. {remedy}")
    elif shutil.which(program) is None:
        reader.fault(path, f"there is no program {program!r} on the PATH. Give its path.")


READERS: Mapping[Kind, Callable[[ValueReader, str, Any], Any]] = {
    "text": ValueReader.text,
    "file": ValueReader.file,
    "interpreter": ValueReader.interpreter,
    "command": ValueReader.command,
    "space": read_space,
    "definitions": _definitions,
    "values": ValueReader.values,
    "goal": ValueReader.goal,
    "texts": ValueReader.texts,
    "regexes": ValueReader.regexes,
    "strategy": ValueReader.strategy,
    "from_zero": ValueReader.from_zero,
    "combinations": ValueReader.combinations,
    "configurations": ValueReader.configurations,
    "parents": ValueReader.parents,
    "warm_start_type": ValueReader.warm_start_type,
    "criteria": read_criteria,
    "count": ValueReader.count,
    "positive": ValueReader.positive,
    "early_stopping": ValueReader.early_stopping,
    "channels": ValueReader.channels,
    "amount": ValueReader.amount,
    "flag": ValueReader.flag,
    "repeats": ValueReader.repeats,
    "words": ValueReader.words,
}
"""The reader of each kind of field."""
