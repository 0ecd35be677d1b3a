"""The form of a field of a tuning job, and its spellings: what the rows of the table in core/fields.py are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, Literal

TAG_PATH = "Tags.alfine:"
"""Beginning of the path of one of alfine's settings in a fault, before its name."""

Kind = Literal[
    "text",
    "file",
    "interpreter",
    "command",
    "space",
    "definitions",
    "values",
    "goal",
    "texts",
    "regexes",
    "strategy",
    "from_zero",
    "combinations",
    "configurations",
    "parents",
    "warm_start_type",
    "criteria",
    "count",
    "positive",
    "early_stopping",
    "channels",
    "amount",
    "flag",
    "repeats",
    "words",
]
"""The form of a field's value: `alfine.api.read_words` has a reader for each.

count: a whole number from 1 on. from_zero: a whole number from 0 on. positive: a number above 0. amount: a number from
    0 on. words: a word, or a list of them.
"""


class Face(Enum):
    """A group of readers of messages; it decides how fields are spelled."""

    AWS = "an AWS request: members of the API, and tags"
    JOB_FILE = "a job file"
    PYTHON = "arguments of alfine.tune, alfine.change and of the commands"
    TUNER = "arguments of alfine.Tuner, which has no home"
    CONSOLE = "labels of the console's form"


@dataclass(frozen=True)
class Term:
    """A name that messages may have in braces, with its spelling in each face.

    Args:
        word: What stands in the braces.
        aws: The spelling in an AWS request.
        job_file: The spelling in a job file; the word by default.
        python: The spelling in Python; that of a job file by default.
        tuner: The spelling for a Tuner; that of Python by default.
        label: The spelling in the console; that of an AWS request by default.
    """

    word: str
    aws: str
    job_file: str | None = None
    python: str | None = None
    tuner: str | None = None
    label: str | None = None

    def spelled(self, face: Face) -> str:
        """Return the spelling in a face."""
        job_file = self.word if self.job_file is None else self.job_file
        python = job_file if self.python is None else self.python
        match face:
            case Face.AWS:
                return self.aws
            case Face.JOB_FILE:
                return job_file
            case Face.PYTHON:
                return python
            case Face.TUNER:
                return python if self.tuner is None else self.tuner
            case Face.CONSOLE:
                return self.aws if self.label is None else self.label


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a tuning job.

    Args:
        word: Its name in job files and as an argument in Python.
        help: What it means, in a sentence or two; code stands in backticks.
        kind: What its value must be.
        path: Where an AWS request has it; None where AWS has no field for it.
        tag: The name of the tag that has it instead, without `alfine:`.
        sections: Further paths of a request whose faults belong to this field.
        default: The value without it.
        default_note: The default in words, where it isn't one value.
        label: Its name in the console's form.
        of_definition: Whether each of several definitions (algorithms) can have its own.
        of_program: Whether it belongs to what trains: a definition with its own program takes none of these from the
            job.
        in_definition: Where a definition among several has it, when that isn't the rest of `path`.
        changeable: Whether it can be changed after the job was created.
        for_functions: Whether it means something when the target is a Python function.
        more: A link, from the reference pages, to more about it.
        aliases: What people who know SageMaker, Optuna or Ray Tune write instead, where no similarity of spelling would
            help.
    """

    word: str
    help: str
    kind: Kind
    path: str | None = None
    tag: str | None = None
    sections: tuple[str, ...] = ()
    default: Any = None
    default_note: str = ""
    label: str = ""
    of_definition: bool = False
    of_program: bool = False
    in_definition: str | None = None
    changeable: bool = False
    for_functions: bool = True
    more: str = ""
    aliases: tuple[str, ...] = ()

    @cached_property
    def term(self) -> Term:
        """Return the field's spelling in each face. In prose a word of its own stands in backticks («`static`»)."""
        name = self.path.rpartition(".")[2] if self.path else f"the tag alfine:{self.tag}" if self.tag else self.word
        word = f"`{self.word}`" if self.word.isalpha() else self.word
        return Term(self.word, name, job_file=word, label=f"«{self.label}»" if self.label else None)

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths of a request with one definition whose faults belong to this field."""
        first = self.path or (f"{TAG_PATH}{self.tag}" if self.tag else None)
        return (*([first] if first else []), *self.sections)
