"""Reads filters of the table of training jobs: «learning_rate<0.1 objective>=0.8 booster=gbtree status=failed "out of memory"».

A filter is a list of conditions, which all hold, and of texts, which are each looked for in names, reasons and values. A name or a text
with spaces or signs stands between quotation marks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from alfine.core.ranges import Categorical
from alfine.core.spec import TuningJobSpec
from alfine.core.wording import closest
from alfine.jobs.analysis.results_table import column_name
from alfine.store.training_job_table import Comparison, TableColumn

LONGEST = 1000
"""Characters of a filter, at most."""

MOST_TERMS = 20
"""Conditions and texts of a filter, at most."""

MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
"""The operator with its sides exchanged: «0.1 > x» is «x < 0.1»."""

SPELLINGS = {"==": "=", "≤": "<=", "≥": ">=", "≠": "!="}
"""Other ways to write an operator."""

TOKEN = re.compile(
    r'\s*(?:"(?P<quoted>[^"]*)"|(?P<operator><=|>=|!=|==|[<>=≤≥≠])|(?P<word>[^\s"<>=!≤≥≠]+|!)|(?P<open>"))'
)


class FilterToken(NamedTuple):
    """A part of a filter: a word, a quoted text or an operator."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class TableFilter:
    """A filter as it was understood.

    Attributes:
        comparisons: Its conditions.
        texts: Its texts.
        faults: A sentence for each part that wasn't understood.
    """

    comparisons: Sequence[Comparison] = ()
    texts: Sequence[str] = ()
    faults: Sequence[str] = ()


def table_columns(spec: TuningJobSpec) -> dict[str, TableColumn]:
    """Return the columns of a tuning job's table, by name.

    Another column whose name a hyperparameter has is called training_job_<name>, as in exported tables.

    Args:
        spec: The tuning job.
    """
    ranges: dict[str, list[object]] = {}
    for part in spec.definition_specs:
        for name, range_ in part.space.ranges.items():
            ranges.setdefault(name, []).append(range_)
    own = [
        TableColumn("number", "number", numeric=True),
        TableColumn("objective", "objective", numeric=True),
        TableColumn("status", "status"),
        *([TableColumn("definition", "definition")] if spec.parts else []),
        *(
            TableColumn(name, "hyperparameter", numeric=all(map(_is_numeric, found)), hyperparameter=name)
            for name, found in ((name, ranges[name]) for name in spec.names_in_order)
        ),
        TableColumn("started", "started"),
        TableColumn("duration", "duration", numeric=True),
        TableColumn("reason", "reason"),
        TableColumn("name", "name"),
    ]
    named = [
        each if each.hyperparameter else TableColumn(column_name(each.name, ranges), each.source, each.numeric)
        for each in own
    ]
    return {each.name: each for each in named}


def _is_numeric(range_: object) -> bool:
    if not isinstance(range_, Categorical):
        return True
    return all(not isinstance(value, bool) and _number(str(value)) is not None for value in range_.values)


def read_filter(text: str, columns: Mapping[str, TableColumn], metric: str = "") -> TableFilter:
    """Return what a filter asks for. Parts that aren't understood are faults; the others hold all the same.

    Args:
        text: The filter.
        columns: The table's columns, by name.
        metric: The objective metric, whose name stands for the objective, too.
    """
    reading = _Reading(columns, metric)
    if len(text) > LONGEST:
        return TableFilter(faults=[f"The filter is longer than {LONGEST} characters."])
    reading.read([_token(found) for found in TOKEN.finditer(text)])
    faults = reading.faults
    if len(reading.comparisons) + len(reading.texts) > MOST_TERMS:
        return TableFilter(faults=[f"The filter has more than {MOST_TERMS} conditions and texts."])
    return TableFilter(reading.comparisons, reading.texts, faults)


def _token(found: re.Match[str]) -> FilterToken:
    kind = str(found.lastgroup)
    text = found[kind]
    return FilterToken(SPELLINGS.get(text, text) if kind == "operator" else text, kind)


class _Reading:
    """One reading of a filter."""

    def __init__(self, columns: Mapping[str, TableColumn], metric: str) -> None:
        self.columns = columns
        self.metric = metric
        self.comparisons: list[Comparison] = []
        self.texts: list[str] = []
        self.faults: list[str] = []

    def read(self, tokens: Sequence[FilterToken]) -> None:
        for chain in _chains(tokens):
            match [token.text for token in chain]:
                case [text]:
                    self._text(chain[0], text)
                case [left, operator, right]:
                    self._comparison(left, operator, right)
                case [low, first, name, second, high] if self._column(name):
                    self._comparison(low, first, name)
                    self._comparison(name, second, high)
                case parts:
                    self.faults.append(f"«{' '.join(parts)}» isn't understood. A condition is like learning_rate<0.1")

    def _text(self, token: FilterToken, text: str) -> None:
        if token.kind == "open":
            self.faults.append("A quotation mark isn't closed.")
        elif token.kind == "operator":
            self.faults.append(f"«{text}» has nothing to compare. A condition is like learning_rate<0.1")
        elif text:
            self.texts.append(text)

    def _comparison(self, left: str, operator: str, right: str) -> None:
        column, value = self._column(left), right
        if column is None and (mirrored := self._column(right)) is not None and _number(left) is not None:
            column, operator, value = mirrored, MIRRORED[operator], left
        if column is None:
            near = closest(left, [*self.columns, *([self.metric] if self.metric else [])])
            hint = f"Did you mean {near}?" if near else f"Columns: {', '.join(self.columns)}."
            self.faults.append(f"«{left}» isn't a column. {hint}")
        elif column.source == "started":
            self.faults.append(f"«{column.name}» can be sorted, but not compared.")
        elif column.numeric:
            self._number(column, operator, value)
        elif operator not in ("=", "!="):
            self.faults.append(
                f"«{column.name} {operator} {value}»: {column.name} has texts, not numbers. Use = or !=."
            )
        else:
            self.comparisons.append(Comparison(column, operator, value))

    def _number(self, column: TableColumn, operator: str, value: str) -> None:
        number = _number(value)
        if number is None:
            self.faults.append(f"«{column.name} {operator} {value}»: {value} isn't a number.")
        else:
            self.comparisons.append(Comparison(column, operator, number))

    def _column(self, name: str) -> TableColumn | None:
        if name in self.columns:
            return self.columns[name]
        if name == self.metric:
            return next(column for column in self.columns.values() if column.source == "objective")
        return None


def _chains(tokens: Sequence[FilterToken]) -> Iterator[list[FilterToken]]:
    """Yield the tokens that belong together: those with an operator between them, and all others one by one."""
    chain: list[FilterToken] = []
    for token in tokens:
        if chain and token.kind != "operator" and chain[-1].kind != "operator":
            yield chain
            chain = []
        chain.append(token)
    if chain:
        yield chain


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
