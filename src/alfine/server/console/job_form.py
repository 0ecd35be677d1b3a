"""The fields of the form of a new tuning job, and the job file that they stand for.

The form has the common keys of a job file as fields, a row for each hyperparameter, and all other keys as YAML. So each job file has a form,
each form a job file, and one reader says what is wrong with either. Of several definitions (algorithms), each has a form of its own inside.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.fields import OF_DEFINITION, WORDS
from alfine.criteria import criteria_of
from alfine.criteria.target import TargetObjectiveMetricValue
from alfine.server.console.change_form import CONVERGENCE, PATIENCE, criteria_fields
from alfine.server.console.job_files import Document

Fields = dict[str, str]
"""The form's fields by name; an empty text stands for «not given»."""

OF_REQUEST = ("image", "instance_type", "instances", "output_path", "checkpoints", "retries")
"""Keys for what SageMaker's requests say, which a script of this machine doesn't need: folded away while empty."""

TEXTS = (
    *("name", "script", "command", "source_dir", "metric", "goal", "regex", "strategy", "early_stopping"),
    *("image", "instance_type", "output_path", "checkpoints"),
)
"""Keys of a job file whose field is a text."""

NUMBERS = (
    *("max_training_jobs", "max_parallel", "max_runtime_seconds", "max_training_job_seconds", "price_per_hour"),
    *("instances", "retries"),
)
"""Keys whose field is a number."""

DEFAULTS = {word: WORDS[word].default for word in ("goal", "strategy", "early_stopping", "max_parallel")}
"""What a job file means that doesn't say it, of fields that always show something."""

IN_DEFINITION = tuple(word for word in (*TEXTS, *NUMBERS) if word in OF_DEFINITION)
"""Keys whose field each definition has for itself."""

DEFINITION = "definition"
"""The field of a definition's name."""

FIRST_NAMES = ("first", "second")
"""The names of the definitions that one algorithm becomes."""

MOST_DEFINITIONS = 10
"""Definitions of a job. Source: CreateHyperParameterTuningJob in SageMaker's API reference."""

OF_CRITERIA = ("target", "patience", "strict", "convergence", "epsilon", "delta", "others")
"""Fields of completion criteria."""

OF_ROW = ("hyperparameter", "kind", "min", "max", "scaling", "step", "values", "requires")
"""Fields of a row: one hyperparameter with its range."""

KINDS = {"continuous": "numbers", "integer": "whole numbers", "categories": "categories"}
"""The kinds of ranges, with their words in the form."""

FIRST_ROWS = 2
"""Empty rows of a new form."""

MOST_ROWS = 100
"""Rows of a form. Source: AWS's quota of hyperparameters."""

LONGEST_TEXT = 100_000
"""Characters of the other keys that are read."""

Read = Callable[[str], Document]
"""Returns the keys and values of a YAML text. Raises InvalidSpec with its faults."""

Write = Callable[[Mapping[str, Any]], str]
"""Returns keys and values as YAML."""


@dataclass(slots=True)
class JobForm:
    """A form as it is shown.

    Attributes:
        fields: The fields, by name.
        rows: The fields of each hyperparameter.
        more: All other keys of the job file, as YAML.
        faults: The messages at each place: a field's name, «row 3», «more», or "" for the form as a whole.
        definitions: The form of each of several definitions; empty for a job with one.
        prefix: How the names of the fields begin in the page: «d0-» for the first of several definitions.
    """

    fields: Fields = field(default_factory=dict)
    rows: list[Fields] = field(default_factory=list)
    more: str = ""
    faults: dict[str, list[str]] = field(default_factory=dict)
    definitions: Sequence[JobForm] = ()
    prefix: str = ""

    @property
    def forms(self) -> Sequence[JobForm]:
        """Return the form itself, and those of its definitions."""
        return (self, *self.definitions)

    @property
    def is_faulty(self) -> bool:
        """Return whether anything is wrong in the form or in one of its definitions."""
        return any(form.faults for form in self.forms)

    def with_definitions(self, forms: Sequence[JobForm]) -> JobForm:
        """Return the form with other definitions."""
        numbered = [replace(form, prefix=f"d{number}-") for number, form in enumerate(forms[:MOST_DEFINITIONS])]
        return replace(self, definitions=numbered)

    def value(self, name: str) -> str:
        """Return the text of a field."""
        return self.fields.get(name, "")

    @property
    def has_of_request(self) -> bool:
        """Return whether a field of OF_REQUEST is filled in, or has a fault."""
        return any(self.value(name) or name in self.faults for name in OF_REQUEST)

    def add(self, place: str, message: str) -> None:
        """Record what is wrong at a place of the form."""
        self.faults.setdefault(place, []).append(message)


# -- from a browser ------------------------------------------------------------------------------------------------------


def submitted(form: Mapping[str, str]) -> JobForm:
    """Return the form that a browser sent."""
    prefixes = [f"d{number}-" for number in range(MOST_DEFINITIONS) if f"d{number}-{DEFINITION}" in form]
    return _submitted(form, "").with_definitions([_submitted(form, prefix) for prefix in prefixes])


def _submitted(whole: Mapping[str, str], prefix: str) -> JobForm:
    form = {name.removeprefix(prefix): text for name, text in whole.items() if name.startswith(prefix)}
    numbers = sorted({int(name[4:]) for name in form if re.fullmatch(r"min-[0-9]{1,3}", name)})[:MOST_ROWS]
    rows = [{name: form.get(f"{name}-{number}", "").strip() for name in OF_ROW} for number in numbers]
    fields = {name: form.get(name, "").strip() for name in (DEFINITION, *TEXTS, *NUMBERS, *OF_CRITERIA)}
    return JobForm(fields, rows, form.get("more", "")[:LONGEST_TEXT])


def document_of(form: JobForm, read: Read) -> Document:
    """Return the job file of a form; what can't be written into one is among the form's faults."""
    document: Document = {name: form.value(name) for name in TEXTS if form.value(name)}
    document |= {name: number_in(form.value(name)) for name in NUMBERS if form.value(name)}
    document |= _definitions(form, read) if form.definitions else {"space": _space(form, read)}
    if criteria := [text for _, text in criteria_texts(form)]:
        document["criteria"] = criteria
    if not form.more.strip():
        return document
    try:
        others = read(form.more)
    except InvalidSpec as error:
        for fault in error.faults:
            form.add("more", str(fault))
        return document
    for key in others:
        if key in document or key in (*TEXTS, *NUMBERS, "space", "criteria"):
            form.add("more", f"{key} has a field of its own above. Use that one.")
    return {**document, **others}


def _definitions(form: JobForm, read: Read) -> Document:
    definitions: Document = {}
    for part in form.definitions:
        name = part.value(DEFINITION)
        if not name or name in definitions:
            part.add(DEFINITION, "Two algorithms have this name." if name else "Give the algorithm a name.")
        definitions[name] = document_of(part, read)
    return {"definitions": definitions}


def split(form: JobForm, read: Read, write: Write) -> JobForm:
    """Return a form with the program and the search space of another one as the first two of several definitions.

    Raises:
        InvalidSpec: Its other keys can't be read.
    """
    others = read(form.more) if form.more.strip() else {}
    of_job, own = ({key: others[key] for key in others if (key in OF_DEFINITION) is wanted} for wanted in (False, True))
    fields = {name: form.value(name) for name in IN_DEFINITION}
    parts = [JobForm({DEFINITION: name, **fields}, list(form.rows), _written(own, write)) for name in FIRST_NAMES]
    kept = {name: text for name, text in form.fields.items() if name not in IN_DEFINITION}
    return JobForm(kept, more=_written(of_job, write)).with_definitions(parts)


def criteria_texts(form: JobForm) -> Iterator[tuple[str, str]]:
    """Yield each completion criterion as text, with the name of its field."""
    if target := form.value("target"):
        yield "target", f"{TargetObjectiveMetricValue.__name__}({target})"
    if patience := form.value("patience"):
        yield "patience", f"{PATIENCE}({patience}{', strict=true' if form.value('strict') else ''})"
    if form.value("convergence"):
        settings = [f"{key}={form.value(key)}" for key in ("epsilon", "delta") if form.value(key)]
        yield "convergence", f"{CONVERGENCE}({', '.join(settings)})" if settings else CONVERGENCE
    for line in form.value("others").splitlines():
        if line.strip():
            yield "others", line.strip()


def number_in(text: str) -> Any:
    """Return the number that a text is; what is none stays a text, for whoever reads the job file to refuse."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _space(form: JobForm, read: Read) -> Document:
    space: Document = {}
    for number, row in enumerate(form.rows):
        name = row["hyperparameter"]
        if not name:
            if any(row[part] for part in ("min", "max", "step", "values", "requires")):
                form.add(f"row {number}", "Give the hyperparameter a name.")
        elif name in space:
            form.add(f"row {number}", f"{name} has a row of its own already. Remove one of the two.")
        else:
            space[name] = _range(form, f"row {number}", row, read)
    return space


def _range(form: JobForm, place: str, row: Fields, read: Read) -> Any:
    requires = {"requires": row["requires"]} if row["requires"] else {}
    if row["kind"] == "categories":
        try:
            values = read(f"values: [{row['values']}\n]")["values"]
        except InvalidSpec:
            form.add(place, "The values must be separated by commas. Put one that has a comma or a colon in quotes.")
            values = []
        return {"values": values, **requires}
    ends = {part: number_in(row[part]) for part in ("min", "max") if row[part]}
    entry = {**ends, "type": row["kind"], **({"step": number_in(row["step"])} if row["step"] else {}), **requires}
    return entry if row["scaling"] in ("", "Auto") else {**entry, "scaling": row["scaling"]}


# -- from a job file -----------------------------------------------------------------------------------------------------


def form_of(document: Mapping[str, Any], write: Write) -> JobForm:
    """Return the form of a job file.

    Args:
        document: Its keys and values, as JobFiles.document_of returns them.
        write: Writes keys and values as YAML.
    """
    own = {*TEXTS, *NUMBERS, "space", "criteria", "definitions"}
    given = {**DEFAULTS, **document}
    fields = {name: _text(given[name]) for name in (*TEXTS, *NUMBERS) if name in given}
    criteria = document.get("criteria", [])
    others = {key: value for key, value in document.items() if key not in own}
    rows = [_row(name, entry, write) for name, entry in document.get("space", {}).items()]
    form = JobForm({**fields, **criteria_fields(criteria_of(criteria))}, rows, _written(others, write))
    parts = [form_of(part, write) for part in document.get("definitions", {}).values()]
    for name, part in zip(document.get("definitions", {}), parts, strict=True):
        part.fields[DEFINITION] = name
    return form.with_definitions(parts)


def _written(others: Mapping[str, Any], write: Write) -> str:
    return write(others) if others else ""


def _row(name: str, entry: Any, write: Write) -> Fields:
    parts = {"values": entry} if isinstance(entry, list) else dict(entry)
    kind = "categories" if "values" in parts else "integer" if isinstance(parts["min"], int) else "continuous"
    texts = {key: _text(parts.get(key, "")) for key in ("min", "max", "step", "scaling")}
    requires = parts.get("requires", "")
    written = write({"values": list(parts.get("values", ()))}).partition(":")[2] if kind == "categories" else ""
    return {
        "hyperparameter": name,
        "kind": kind,
        **texts,
        "values": " ".join(written.split()).strip("[]}").strip(),
        "requires": requires if isinstance(requires, str) else " or ".join(requires),
    }


def _text(value: Any) -> str:
    if isinstance(value, list):  # the words of a command
        return shlex.join(map(str, value))
    return repr(value) if isinstance(value, float) else str(value)


# -- faults --------------------------------------------------------------------------------------------------------------


def place(form: JobForm, faults: Sequence[Fault]) -> None:
    """Put the faults of a form's job file beside the fields that they concern."""
    for part in form.definitions:
        name = part.value(DEFINITION)
        inside = f"definitions.{name}."
        own = [fault for fault in faults if fault.path.startswith(inside)]
        of_name = [fault for fault in faults if fault.path == "definitions" and fault.message.startswith(repr(name))]
        _place(part, [Fault(fault.path.removeprefix(inside), fault.message) for fault in own])
        for fault in of_name:
            part.add(DEFINITION, fault.message)
        faults = [fault for fault in faults if fault not in (*own, *of_name)]
    _place(form, faults)


def _place(form: JobForm, faults: Sequence[Fault]) -> None:
    names = [row["hyperparameter"] for row in form.rows]
    criteria = [key for key, _ in criteria_texts(form)]
    for fault in faults:
        if inside := re.fullmatch(r"criteria\[([0-9]+)\]", fault.path):
            form.add(criteria[int(inside[1])], fault.message)
        elif fault.path in (*TEXTS, *NUMBERS, "space"):
            form.add(fault.path, fault.message)
        elif row := _row_of(fault.path, names):
            form.add(f"row {row[0]}", f"{row[1]}: {fault.message}" if row[1] else fault.message)
        elif form.more and fault.path.split(".")[0].split("[")[0] in form.more:
            form.add("more", str(fault))
        else:
            form.add("", str(fault))


def _row_of(path: str, names: Sequence[str]) -> tuple[int, str] | None:
    """Return the number of the row that a fault concerns, and which of its parts; names may have dots themselves."""
    rest = path.removeprefix("space.")
    if rest == path:
        return None
    found = [(number, name) for number, name in enumerate(names) if name and (rest + ".").startswith(f"{name}.")]
    if not found:
        return None
    number, name = max(found, key=lambda each: len(each[1]))
    return number, rest[len(name) + 1 :]
