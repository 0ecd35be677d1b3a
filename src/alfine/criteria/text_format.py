"""Criteria as text, and back: «ConvergenceDetected delta=0.1», «AllOf(BestObjectiveNotImproving 10, ConvergenceDetected)».

    criterion = name {setting} | name "(" argument {"," argument} ")"
    argument  = criterion | setting
    setting   = [key "="] value

A setting without a key belongs to the criterion's next field. A tag of AWS can't hold parentheses and commas: «of», «/» and «end» mean
the same, as in «AllOf of BestObjectiveNotImproving 10 / ConvergenceDetected end». A value with white space stands in quotes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from alfine.core.errors import AlfineError, Fault, InvalidSpec
from alfine.core.protocols import CompletionCriterion
from alfine.core.tokens import END, Token, Tokens
from alfine.core.wording import did_you_mean

Kinds = Mapping[str, type[CompletionCriterion]]

PARTS = ("criterion", "criteria")
"""The fields of a criterion that hold other criteria."""

MARKS = ("(", ")", ",", "=")
OPENING, CLOSING, SEPARATOR = ("(", "of"), (")", "end"), (",", "/")


def read(text: str, kinds: Kinds) -> CompletionCriterion:
    """Return the criterion that a text stands for.

    Args:
        text: One criterion.
        kinds: The classes of criteria, by name.

    Raises:
        InvalidSpec: The text can't be understood.
    """
    parser = _CriterionParser(text, kinds)
    criterion = parser.criterion(outermost=True)
    if parser.tokens:
        raise parser.tokens.unreadable(
            "that is after its end. Give several criteria one by one, or combine them: AllOf(…, …)."
        )
    return criterion


def read_all(text: str, kinds: Kinds) -> Iterator[CompletionCriterion]:
    """Yield the criteria that a text stands for, which are separated as arguments are.

    Args:
        text: The text.
        kinds: The known classes, by name.

    Raises:
        InvalidSpec: The text can't be understood.
    """
    parser = _CriterionParser(text, kinds)
    while parser.tokens:
        yield parser.criterion()
        if parser.tokens and not parser.tokens.take_if(*SEPARATOR):
            raise parser.tokens.unreadable("there is a closing bracket too many. Take it away.")


def write(criterion: CompletionCriterion) -> str:
    """Write a criterion as a text for `read`, in words that may stand in a tag of AWS."""
    name, inner, words = written(criterion, write, plain_text)
    return f"{name} of {' / '.join([*inner, *words])} end" if inner else " ".join([name, *words])


def say(criterion: CompletionCriterion) -> str:
    """Write a criterion as a person would: «AllOf(BestObjectiveNotImproving 10, ConvergenceDetected delta=0.1)»."""
    name, inner, words = written(criterion, say, _whole)
    return f"{name}({', '.join([*inner, *words])})" if inner else " ".join([name, *words])


def written(
    criterion: CompletionCriterion,
    nested: Callable[[CompletionCriterion], str],
    value_text: Callable[[Any], str],
    leave_out: Sequence[str] = (),
) -> tuple[str, list[str], list[str]]:
    """Return a criterion's name, the criteria inside it and its settings, each as text.

    Settings with their default are left out; the first one, if it has none, goes without its key.

    Args:
        criterion: The criterion.
        nested: Writes a criterion that is inside it.
        value_text: Writes a setting's value.
        leave_out: Names of settings that aren't written.
    """
    fields = _fields_of(type(criterion))
    values = {field.name: getattr(criterion, field.name) for field in fields}
    inner = [nested(part) for name in PARTS if name in values for part in _several(values[name])]
    first = fields[0].name if fields and not inner and not _has_default(fields[0]) else ""
    words = [
        f"{'' if field.name == first else f'{field.name}='}{value_text(values[field.name])}"
        for field in fields
        if field.name not in (*PARTS, *leave_out) and values[field.name] != _default(field)
    ]
    return type(criterion).__name__, inner, words


def parts_of(criterion: CompletionCriterion) -> Iterator[CompletionCriterion]:
    """Yield the criterion and, recursively, those that it is made of."""
    yield criterion
    for name in PARTS:
        for part in _several(getattr(criterion, name, ())):
            yield from parts_of(part)


def _several(parts: Any) -> Sequence[CompletionCriterion]:
    return parts if isinstance(parts, tuple) else (parts,)


def _fields_of(kind: type[CompletionCriterion]) -> list[dataclasses.Field[Any]]:
    return list(dataclasses.fields(kind))  # type: ignore[arg-type]  # a criterion is a dataclass


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _default(field: dataclasses.Field[Any]) -> Any:
    """Return the default; MISSING without one."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _whole(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else plain_text(value)


def plain_text(value: Any) -> str:
    """Write a setting's value as `read` understands it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


Setting = tuple[str, Token]
"""A setting's key, empty for the next field, and its value."""


class _CriterionParser:
    """Reads the criteria of a text, token by token."""

    def __init__(self, text: str, kinds: Kinds) -> None:
        self.tokens, self.kinds = Tokens(text, MARKS, path="criterion"), kinds

    def criterion(self, *, outermost: bool = False) -> CompletionCriterion:
        kind = self._name(outermost=outermost)
        if self.tokens.take_if(*OPENING):
            criteria, settings = self._arguments()
        else:
            criteria, settings = [], self._settings(commas=outermost)
        return _built(kind, criteria, settings)

    def _name(self, *, outermost: bool) -> type[CompletionCriterion]:
        token = self.tokens.peek()
        name, colon, rest = token.text.partition(":")
        if not (colon and name in self.kinds):
            name, rest = token.text, ""
        if name not in self.kinds:
            why = f"{name!r} isn't one. {did_you_mean(name, self.kinds)}"
            raise InvalidSpec([Fault("criterion", why)]) if outermost else self.tokens.unreadable(why)
        self.tokens.take()
        if rest:  # «ConvergenceDetected:delta=0.1»
            self.tokens.put_back(Token(rest, token.position + len(name) + 1))
        return self.kinds[name]

    def _settings(self, *, commas: bool = False) -> list[Setting]:
        """Read settings up to a bracket or, unless commas may stand between settings, up to a comma."""
        settings: list[Setting] = []
        while self.tokens and not self.tokens.peek().is_one_of(*OPENING, *CLOSING):
            if self.tokens.peek().is_one_of(*SEPARATOR):
                if not commas:
                    break
                self.tokens.take()
            else:
                settings.append(self._setting())
        return settings

    def _setting(self) -> Setting:
        first = self.tokens.take()
        if not self.tokens.take_if("="):
            return "", first
        value = self.tokens.peek()
        if value is END or value.is_one_of(*MARKS):
            raise self.tokens.unreadable(f"{first.text} has no value. Write {first.text}=value.")
        return first.text, self.tokens.take()

    def _arguments(self) -> tuple[list[CompletionCriterion], list[Setting]]:
        criteria: list[CompletionCriterion] = []
        settings: list[Setting] = []
        while True:
            if self._is_at_criterion():
                criteria.append(self.criterion())
            else:
                settings += self._settings()
            if self.tokens.take_if(*CLOSING):
                return criteria, settings
            if not self.tokens.take_if(*SEPARATOR):
                missing = "it's misplaced. Put a comma before it" if self.tokens else "a bracket isn't closed. Close it"
                raise self.tokens.unreadable(f"{missing}.")

    def _is_at_criterion(self) -> bool:
        """Return whether a criterion begins here, rather than a setting."""
        return begins_criterion(self.tokens.peek().text) and not self.tokens.peek(1).is_one_of("=")


def begins_criterion(word: str) -> bool:
    """Return whether a word is a criterion's name, rather than a setting."""
    return word[:1].isupper() and "=" not in word


def _built(
    kind: type[CompletionCriterion], criteria: Sequence[CompletionCriterion], settings: Sequence[Setting]
) -> CompletionCriterion:
    """Return the criterion with these parts and settings. Raise InvalidSpec with all that is wrong with them."""
    fields = _fields_of(kind)
    names = [field.name for field in fields]
    faults: list[str] = []
    values = {**_values(names, settings, faults), **_parts(names, criteria, faults)}
    missing = [field.name for field in fields if not _has_default(field) and field.name not in values]
    if not faults and missing and missing != ["criteria"]:
        faults.append(f"needs {' and '.join(missing)}.")
    try:
        if not faults:
            return kind(**values)
    except InvalidSpec as error:
        faults += [fault.message for fault in error.faults]
    except (TypeError, ValueError, AlfineError) as error:
        faults.append(f"{error}." if not str(error).endswith(".") else str(error))
    known = ", ".join(names) or "none"
    raise InvalidSpec([Fault(f"criterion {kind.__name__}", f"{fault} Its settings: {known}.") for fault in faults])


def _values(names: Sequence[str], settings: Sequence[Setting], faults: list[str]) -> dict[str, Any]:
    """Return the settings by the name of their field; what is wrong with them is added to the faults."""
    values: dict[str, Any] = {}
    following = iter([name for name in names if name not in PARTS])
    for key, token in settings:
        name = key or next(following, "")
        if name in values:
            faults.append(f"{name} is given twice.")
        elif name in names:
            values[name] = token.text if token.quoted else _value(token.text)
        elif name:
            faults.append(f"{name!r} isn't one of its settings. {did_you_mean(name, names)}")
        else:
            faults.append(f"{token.text!r} is one setting too many.")
    return values


def _parts(names: Sequence[str], criteria: Sequence[CompletionCriterion], faults: list[str]) -> dict[str, Any]:
    """Return the criteria inside it, by the name of the field that holds them."""
    if "criteria" in names and criteria:
        return {"criteria": tuple(criteria)}
    if "criterion" in names and len(criteria) == 1:
        return {"criterion": criteria[0]}
    if criteria:
        wanted = "one criterion" if "criterion" in names else "no criteria"
        faults.append(f"takes {wanted}, not {len(criteria)} criteria.")
    return {}


def _value(text: str) -> Any:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
