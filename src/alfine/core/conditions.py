"""Conditions on hyperparameters, in words and as values: what a range requires, what is forbidden, what is tried first.

    text     = entry {"/" entry}
    entry    = [name "if"] clause {["and"] clause}
    clause   = name operator value {"or" value}
    operator = is | is-not | above | below | at-least | at-most, or in signs = != > < >= <=

These are words that a tag of AWS may have; whatever else stands in a name or a value is written as @ and two hexadecimal
digits for each byte of its UTF-8, or in quotes where there are any. In Python and in job files a combination is a mapping,
`{"optimizer": "sgd", "lr": "> 0.5"}`, whose clauses must all hold; a list of values stands for any one of them.

Nothing is evaluated: a clause compares one hyperparameter with constants, and of a hyperparameter that isn't active nothing holds.
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

SIGNS = {"=": "is", "==": "is", "!=": "is-not", ">": "above", "<": "below", ">=": "at-least", "<=": "at-most"}
ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "above": operator.gt,
    "below": operator.lt,
    "at-least": operator.ge,
    "at-most": operator.le,
}
OPERATORS = (*dict.fromkeys(SIGNS.values()),)
KEYWORDS = ("and", "or", "if", "/")
TOKEN = re.compile(r'"[^"]*"|\'[^\']*\'|[<>!=]=|[<>=]|[^\s<>=!]+')
SIGNED = re.compile(r"\s*(==|!=|>=|<=|=|>|<)\s*(.*\S)\s*")
ESCAPED = re.compile(r"(?:@[0-9a-fA-F]{2})+")
UNSAFE = re.compile(r"[^\w.:/+\-]")  # of what tags may have, without the white space, = and @ that mean something here


@dataclass(frozen=True, slots=True)
class Clause:
    """A comparison of one hyperparameter with constants, texts as in AMT's requests. Several values: any of them."""

    name: str
    operator: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        sign = next(sign for sign, word in SIGNS.items() if word == self.operator)
        return f"{self.name} {sign} {' or '.join(self.values)}"

    def holds(self, text: str, number: float | None) -> bool:
        """Of the hyperparameter's value, as text, and as a number where its range is one of numbers."""
        if self.operator in ORDERS:
            value = float(text) if number is None else number
            return any(ORDERS[self.operator](value, float(each)) for each in self.values)
        equal = text in self.values if number is None else any(number == float(each) for each in self.values)
        return equal == (self.operator == "is")


Combination = tuple[Clause, ...]
"""Clauses that all must hold."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A combination as a text has it; subject: what it's a condition of («momentum if …»)."""

    clauses: Combination
    subject: str | None = None


def words(clauses: Combination) -> str:
    """A combination for people: «optimizer = sgd and lr > 0.5»."""
    return " and ".join(map(str, clauses))


# -- from Python and job files ---------------------------------------------------------------------------------------


def combination(given: Mapping[str, Any] | str) -> Combination:
    """Of a mapping or a text. Raise InvalidSpec when it can't be understood."""
    if isinstance(given, str):
        entries = read(given)
        if len(entries) != 1 or entries[0].subject is not None:
            raise _unreadable(given, "must be one combination, such as «optimizer = sgd and lr > 0.5»")
        return entries[0].clauses
    if not isinstance(given, Mapping) or not given:
        raise _unreadable(given, 'must be a mapping such as {"optimizer": "sgd", "lr": "> 0.5"}, or a text')
    return tuple(_clause(str(name), value) for name, value in given.items())


def alternatives(given: Mapping[str, Any] | str | Sequence[Mapping[str, Any] | str] | None) -> tuple[Combination, ...]:
    """Of one combination or a list of them, any one of which is enough."""
    if given is None or given == ():
        return ()
    if not given:
        raise _unreadable(given, "is empty. Leave it out, or name a hyperparameter and its value")
    if isinstance(given, Mapping | str):
        return (combination(given),)
    if callable(given) or not isinstance(given, Sequence):
        raise _unreadable(
            given, 'must be combinations such as {"optimizer": "sgd", "lr": "> 0.5"}, which can be stored'
        )
    if isinstance(given, tuple) and all(isinstance(each, tuple) for each in given):
        return given  # combinations already
    return tuple(combination(each) for each in given)


def _clause(name: str, value: Any) -> Clause:
    if isinstance(value, str) and (signed := SIGNED.fullmatch(value)):
        return Clause(name, SIGNS[signed[1]], (signed[2],))
    values = value if isinstance(value, list | tuple | set | frozenset | range) else [value]
    if not values:
        raise _unreadable(value, f"is no value of {name}. Give one, or a list")
    return Clause(name, "is", tuple(map(as_text, values)))


def as_text(value: Any) -> str:
    """A value as AMT's requests have it: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value.item() if hasattr(value, "item") else value)


# -- texts -----------------------------------------------------------------------------------------------------------


def read(text: str) -> list[Entry]:
    """The entries of a text. Raise InvalidSpec for what can't be understood."""
    return list(_Reader(text).entries())


def write(entries: Iterable[Entry]) -> str:
    """The text that `read` understands as these entries, in characters that a tag of AWS may have."""
    return " / ".join(
        (f"{_escaped(entry.subject)} if " if entry.subject is not None else "")
        + " and ".join(
            " ".join([_escaped(each.name), each.operator, " or ".join(map(_escaped, each.values))])
            for each in entry.clauses
        )
        for entry in entries
    )


def _escaped(text: str) -> str:
    if text in KEYWORDS or text in OPERATORS or not text:
        return "".join(f"@{byte:02X}" for byte in text.encode()) or "@"
    return UNSAFE.sub(lambda found: "".join(f"@{byte:02X}" for byte in found[0].encode()), text)


def _plain(word: str) -> str:
    if word == "@":
        return ""
    return ESCAPED.sub(lambda found: bytes.fromhex(found[0].replace("@", "")).decode(errors="replace"), word)


class _Reader:
    """Takes the tokens of a text one by one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = TOKEN.findall(text)
        if re.sub(r"\s", "", TOKEN.sub("", text)):
            raise _unreadable(text, "has a ! on its own")

    def entries(self) -> Iterator[Entry]:
        while True:
            yield self._entry()
            if not self.tokens:
                return
            self.tokens.pop(0)  # the /

    def _entry(self) -> Entry:
        subject = None
        if len(self.tokens) > 1 and self.tokens[1] == "if":
            subject, self.tokens = self._word("a hyperparameter"), self.tokens[1:]
        clauses: list[Clause] = []
        while self.tokens and self.tokens[0] != "/":
            if clauses and self.tokens[0] == "and":
                self.tokens.pop(0)
            clauses.append(self._clause())
        if not clauses:
            raise _unreadable(self.text, "has a part without a clause. Write one as «name = value»")
        return Entry(tuple(clauses), subject)

    def _clause(self) -> Clause:
        name = self._word("a hyperparameter")
        sign = self.tokens.pop(0) if self.tokens else ""
        found = SIGNS.get(sign, sign)
        if found not in OPERATORS:
            known = ", ".join([*SIGNS, *OPERATORS])
            raise _unreadable(self.text, f"has {repr(sign) if sign else 'nothing'} after {name}. Use one of {known}")
        values = [self._word(f"a value of {name}")]
        while self.tokens and self.tokens[0] == "or":
            self.tokens.pop(0)
            values.append(self._word(f"a value of {name}"))
        return Clause(name, found, tuple(values))

    def _word(self, what: str) -> str:
        token = self.tokens.pop(0) if self.tokens else ""
        if not token or token in KEYWORDS or token in SIGNS:
            raise _unreadable(self.text, f"lacks {what}{f' before {token!r}' if token else ' at its end'}")
        return token[1:-1] if token[0] in "\"'" and token[-1] == token[0] and len(token) > 1 else _plain(token)


def _unreadable(given: Any, why: str) -> InvalidSpec:
    return InvalidSpec([Fault("", f"{given!r} {why}.")])


def number_of(text: str) -> float | None:
    """The finite number that a text is; None for any other."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
