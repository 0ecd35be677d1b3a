"""Messages that name fields of a job, spelled for whoever reads them.

A fault of a request stands at the request's path, and its message names fields in braces:

    Fault(f"{path} (lr)", naming("{min} {} must be below {max} {}.", 5, 4))

An AWS client reads «… (lr): MinValue 5 must be below MaxValue 4.»; whoever wrote a job file reads «space.lr: min 5 must
be below max 4.»; with `alfine.tune` it's «space.lr: low 5 must be below high 4.» `core/fields.py` has the spellings and
the paths.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.field import Face, Field, Term
from alfine.core.fields import FIELDS, RANGE_TERMS, TERMS

DEFINITIONS = "TrainingJobDefinitions"
DEFINITION = "TrainingJobDefinition"

_FORMATTER = string.Formatter()


class Message(str):
    """A message that names fields. As a string it has AWS's spelling; `spelled` returns another face's."""

    __slots__ = ("_instead", "_parts")

    def __new__(cls, parts: Sequence[str | Term], instead: Mapping[Face, str] | None = None) -> Self:
        message = super().__new__(cls, _spelled(parts, instead or {}, Face.AWS))
        message._parts = tuple(parts)
        message._instead = dict(instead or {})
        return message

    _parts: tuple[str | Term, ...]
    _instead: Mapping[Face, str]

    def __getnewargs__(self) -> tuple[Any, ...]:  # for pickle: errors cross processes
        return self._parts, self._instead

    def spelled(self, face: Face) -> str:
        """Return the message with the spelling of a face."""
        return _spelled(self._parts, self._instead, face)


def naming(template: str, *values: Any, instead: Mapping[Face, str] | None = None) -> Message:
    """Return a message that names fields.

    Args:
        template: The message. `{max_parallel}` names a field or another term of `alfine.core.fields`; `{}`, `{!r}` and
            `{:.1f}` are the next of the values.
        values: What stands in the empty braces. A value that is a Message itself is spelled with the rest.
        instead: Another message for some faces, such as AMT's own sentence for AWS clients.

    Raises:
        KeyError: The template names a term that doesn't exist.
    """
    parts: list[str | Term] = []
    rest = iter(values)
    for text, name, form, conversion in _FORMATTER.parse(template):
        if text:
            parts.append(text)
        if name:
            parts.append(TERMS[name])
        elif name is not None:
            value = next(rest)
            is_message = isinstance(value, Message) and not (form or conversion)
            parts.append(
                value if is_message else format(_FORMATTER.convert_field(value, conversion or None), form or "")
            )
    return Message(parts, instead)


def spelled(fault: Fault, face: Face, definitions: Sequence[str] = ()) -> Fault:
    """Return a fault of a request with its path and message in the spelling of a face.

    Args:
        fault: A fault at a path of the request.
        face: Who will read it.
        definitions: The names of the job's definitions, where it has several; without them they are numbered.
    """
    message = fault.message.spelled(face) if isinstance(fault.message, Message) else fault.message
    if face is Face.AWS:
        return Fault(fault.path, message)
    return Fault(_place(fault.path, face, definitions), message)


def spelled_error(error: InvalidSpec, face: Face, definitions: Sequence[str] = ()) -> InvalidSpec:
    """Return an error of a request with each fault in the spelling of a face."""
    return InvalidSpec([spelled(fault, face, definitions) for fault in error.faults])


@contextmanager
def spelling(face: Face) -> Iterator[None]:
    """Spell the faults of an InvalidSpec that is raised inside the `with` block."""
    try:
        yield
    except InvalidSpec as error:
        raise spelled_error(error, face) from None


def from_aws(text: str) -> Message:
    """Return a message of which only AWS's spelling is known, since a server has sent it as text.

    It is the one place where fields are looked for in a finished sentence: an answer over HTTP is nothing but that.
    Names with a colon behind them are criteria, which are spelled alike everywhere.
    """
    parts: list[str | Term] = []
    end = 0
    for match in _AWS_NAMES.finditer(text):
        parts += [text[end : match.start()], _BY_AWS_NAME[match[0]]]
        end = match.end()
    return Message([*parts, text[end:]])


def _spelled(parts: Sequence[str | Term], instead: Mapping[Face, str], face: Face) -> str:
    if face in instead:
        other = instead[face]
        return other.spelled(face) if isinstance(other, Message) else other
    return "".join(part.spelled(face) if isinstance(part, Term | Message) else part for part in parts)


# -- paths ---------------------------------------------------------------------------------------------------------------

# Every path of a request that belongs to a field, longer ones first: the path of a section is the beginning of its members'.
_PATHS: tuple[tuple[str, Field], ...] = tuple(
    sorted(((path, field) for field in FIELDS for path in field.paths), key=lambda entry: -len(entry[0]))
)
_IN_DEFINITION: tuple[tuple[str, Field], ...] = tuple(
    (field.in_definition, field) for field in FIELDS if field.in_definition is not None
)
_FUNCTION = f"{DEFINITION}.StaticHyperParameters.alfine_function"


def _place(path: str, face: Face, definitions: Sequence[str]) -> str:
    """Return the place of a path of a request: a field's word, and what of the field."""
    if inside := re.match(rf"{DEFINITIONS}\[(\d+)\]\.?", path):
        rest = path[inside.end() :]
        if rest == "DefinitionName":
            return "definitions"
        for own, field in _IN_DEFINITION:
            if _begins(rest, own):
                rest = _within(field, rest[len(own) :], face)
                break
        else:
            rest = _place(f"{DEFINITION}.{rest}", face, ())
        return f"definitions.{definitions[int(inside[1])] if definitions else inside[1]}.{rest}"
    if path == _FUNCTION:
        return "target"
    for begin, field in _PATHS:
        if _begins(path, begin):
            return _within(field, path[len(begin) :], face)
    return path


def _begins(path: str, begin: str) -> bool:
    return path == begin or path.startswith((f"{begin}.", f"{begin}[", f"{begin} "))


def _within(field: Field, rest: str, face: Face) -> str:
    """Return a field's word with what follows its path: «.ContinuousParameterRanges[0] (lr).ScalingType» → «space.lr.scaling»."""
    word = field.label if face is Face.CONSOLE and field.label else field.word
    if named := re.search(r"\((.*)\)(?:\.(\w+))?$", rest):
        part = f".{_RANGE_WORDS[named[2]].spelled(face)}" if named[2] in _RANGE_WORDS else ""
        return f"{word}.{named[1]}{part}"
    return f"{word}{rest}" if rest.startswith(".") else word


_RANGE_WORDS = {term.aws: term for term in RANGE_TERMS}

# The names of members that a server's message may have. Those that several fields share aren't among them.
_BY_AWS_NAME: Mapping[str, Term] = {
    TERMS[word].aws: TERMS[word]
    for word in (
        "min",
        "max",
        "scaling",
        "static",
        "definitions",
        "max_training_jobs",
        "max_parallel",
        "min_resource",
        "max_resource",
    )
} | {"MaxNumberOfJobs": TERMS["max_training_jobs"], **{field.term.aws: field.term for field in FIELDS if field.tag}}
_AWS_NAMES = re.compile(rf"\b(?:{'|'.join(_BY_AWS_NAME)})\b(?!:)")
