"""Conditions on hyperparameters, as text and as values: what a range requires, what is forbidden, what is tried first.

    text     = entry {"/" entry}
    entry    = [name "if"] clause {["and"] clause}
    clause   = name operator value {"or" value}
    operator = is | is-not | above | below | at-least | at-most, or in signs = != > < >= <=

These words may stand in a tag of AWS. Any other character of a name or a value is written as @ and two hexadecimal digits for each
byte of its UTF-8; outside tags the name or value may stand in quotes instead. In Python and in job files a combination is a mapping,
`{"optimizer": "sgd", "lr": "> 0.5"}`: all of its clauses must hold. A list of values means any one of them.

No code is evaluated: a clause compares one hyperparameter with constants. No clause holds for a hyperparameter that isn't active.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.tokens import Tokens

SIGNS = {"=": "is", "==": "is", "!=": "is-not", ">": "above", "<": "below", ">=": "at-least", "<=": "at-most"}
ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "above": operator.gt,
    "below": operator.lt,
    "at-least": operator.ge,
    "at-most": operator.le,
}
OPERATORS = (*dict.fromkeys(SIGNS.values()),)
KEYWORDS = ("and", "or", "if", "/")
MARKS = ("==", "!=", ">=", "<=", "=", ">", "<", "!")
SIGNED = re.compile(r"\s*(==|!=|>=|<=|=|>|<)\s*(.*\S)\s*")
ESCAPED = re.compile(r"(?:@[0-9a-fA-F]{2})+")
UNSAFE = re.compile(r"[^\w.:/+\-]")  # of what tags may have, without the white space, = and @ that mean something here


@dataclass(frozen=True, slots=True)
class Clause:
    """A comparison of one hyperparameter with constants.

    Attributes:
        name: The hyperparameter's name.
        operator: One of OPERATORS.
        values: The constants, as strings, as AMT's requests have them. With several, the comparison must hold for one of them.
    """

    name: str
    operator: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        sign = next(sign for sign, word in SIGNS.items() if word == self.operator)
        return f"{self.name} {sign} {' or '.join(self.values)}"

    def holds(self, text: str, number: float | None) -> bool:
        """Return whether the clause holds.

        Args:
            text: The hyperparameter's value as a string.
            number: The same as a number; None where its range isn't one of numbers.
        """
        if self.operator in ORDERS:
            value = float(text) if number is None else number
            return any(ORDERS[self.operator](value, float(constant)) for constant in self.values)
        equal = text in self.values if number is None else any(number == float(constant) for constant in self.values)
        return equal == (self.operator == "is")


Combination = tuple[Clause, ...]
"""Clauses that must all hold."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A combination in a text, and the hyperparameter that it's a condition of («momentum if …»), if any."""

    clauses: Combination
    subject: str | None = None


def words(clauses: Combination) -> str:
    """Write a combination for people: «optimizer = sgd and lr > 0.5»."""
    return " and ".join(map(str, clauses))


# -- from Python and job files ---------------------------------------------------------------------------------------


def combination(given: Mapping[str, Any] | str) -> Combination:
    """Return the combination that a mapping or a text stands for.

    Raises:
        InvalidSpec: It can't be understood.

    Example:
        >>> words(combination({"optimizer": "sgd", "lr": "> 0.5"}))
        'optimizer = sgd and lr > 0.5'
    """
    if isinstance(given, str):
        entries = read(given)
        if len(entries) != 1 or entries[0].subject is not None:
            raise _refused(given, "must be one combination, such as «optimizer = sgd and lr > 0.5»")
        return entries[0].clauses
    if not isinstance(given, Mapping) or not given:
        raise _refused(given, 'must be a mapping such as {"optimizer": "sgd", "lr": "> 0.5"}, or a text')
    return tuple(_clause(str(name), value) for name, value in given.items())


def alternatives(given: Mapping[str, Any] | str | Sequence[Mapping[str, Any] | str] | None) -> tuple[Combination, ...]:
    """Return the combinations that one mapping or text, or a list of them, stands for; one that holds is enough.

    Raises:
        InvalidSpec: One can't be understood.
    """
    if given is None or given == ():
        return ()
    if not given:
        raise _refused(given, "is empty. Leave it out, or name a hyperparameter and its value")
    if isinstance(given, Mapping | str):
        return (combination(given),)
    if callable(given) or not isinstance(given, Sequence):
        raise _refused(given, 'must be combinations such as {"optimizer": "sgd", "lr": "> 0.5"}, which can be stored')
    if isinstance(given, tuple) and all(isinstance(entry, tuple) for entry in given):
        return given  # combinations already
    return tuple(combination(entry) for entry in given)


def _clause(name: str, value: Any) -> Clause:
    if isinstance(value, str) and (signed := SIGNED.fullmatch(value)):
        return Clause(name, SIGNS[signed[1]], (signed[2],))
    values = value if isinstance(value, list | tuple | set | frozenset | range) else [value]
    if not values:
        raise _refused(value, f"is no value of {name}. Give one, or a list")
    return Clause(name, "is", tuple(map(as_text, values)))


def as_text(value: Any) -> str:
    """Write a value as AMT's requests have it: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value.item() if hasattr(value, "item") else value)


# -- text ------------------------------------------------------------------------------------------------------------


def read(text: str) -> list[Entry]:
    """Return the entries of a text.

    Raises:
        InvalidSpec: The text can't be understood.
    """
    return list(_ConditionParser(text).entries())


def write(entries: Iterable[Entry]) -> str:
    """Write entries as a text for `read`, in characters that may stand in a tag of AWS."""
    return " / ".join(
        (f"{_escaped(entry.subject)} if " if entry.subject is not None else "")
        + " and ".join(
            " ".join([_escaped(clause.name), clause.operator, " or ".join(map(_escaped, clause.values))])
            for clause in entry.clauses
        )
        for entry in entries
    )


def _escaped(text: str) -> str:
    if text in KEYWORDS or text in OPERATORS or not text:
        return "".join(f"@{byte:02X}" for byte in text.encode()) or "@"
    return UNSAFE.sub(lambda match: "".join(f"@{byte:02X}" for byte in match[0].encode()), text)


def _unescaped(word: str) -> str:
    if word == "@":
        return ""
    return ESCAPED.sub(lambda match: bytes.fromhex(match[0].replace("@", "")).decode(errors="replace"), word)


class _ConditionParser:
    """Reads the entries of a text, token by token."""

    def __init__(self, text: str) -> None:
        self.tokens = Tokens(text, MARKS)

    def entries(self) -> Iterator[Entry]:
        while True:
            yield self._entry()
            if not self.tokens.take_if("/"):
                return

    def _entry(self) -> Entry:
        subject = None
        if self.tokens.peek(1).is_one_of("if"):
            subject = self._word("the name of a hyperparameter")
            self.tokens.take()
        clauses: list[Clause] = []
        while self.tokens and not self.tokens.peek().is_one_of("/"):
            if clauses:
                self.tokens.take_if("and")
            clauses.append(self._clause())
        if not clauses:
            raise self.tokens.unreadable("there is no clause. Write one as «name = value».")
        return Entry(tuple(clauses), subject)

    def _clause(self) -> Clause:
        name = self._word("the name of a hyperparameter")
        sign = self.tokens.peek()
        word = SIGNS.get(sign.text, sign.text)
        if not sign.is_one_of(*SIGNS, *OPERATORS):
            raise self.tokens.unreadable(
                f"there is no operator after {name}. Use one of {', '.join((*SIGNS, *OPERATORS))}."
            )
        self.tokens.take()
        values = [self._word(f"a value of {name}")]
        while self.tokens.take_if("or"):
            values.append(self._word(f"a value of {name}"))
        return Clause(name, word, tuple(values))

    def _word(self, wanted: str) -> str:
        token = self.tokens.peek()
        if not self.tokens or token.is_one_of(*KEYWORDS, *MARKS):
            quotes = " If the word is meant, put it in quotes." if self.tokens else ""
            raise self.tokens.unreadable(f"{wanted} is missing.{quotes}")
        self.tokens.take()
        return token.text if token.quoted else _unescaped(token.text)


def _refused(given: Any, why: str) -> InvalidSpec:
    return InvalidSpec([Fault("", f"{given!r} {why}.")])


def number_of(text: str) -> float | None:
    """Return the finite number that a text stands for; None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
