"""The state of a table of training jobs, as its address has it: filter, status, order, columns, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.facts import TRANSITIONS
from alfine.core.spec import TuningJobSpec
from alfine.server.console.table_filter import TableFilter, read_filter, table_columns
from alfine.store.training_job_table import TableColumn, TableSelection

MOST_SHOWN = 6
"""Hyperparameters that the table shows where nobody has chosen columns."""

LARGEST_PAGE = 10**6
"""The number of a page, at most."""

STATUSES = tuple(TRANSITIONS)

FIXED = ("number", "objective", "status")
"""Columns that are always shown."""


ORDERS = ("ascending", "descending")


@dataclass(frozen=True, kw_only=True)
class AddressState:
    """The state of a table in an address. What is as at first isn't in the address.

    Attributes:
        filter: The filter as it was typed.
        status: A status; "": any.
        sort: The column of the order; "": the first one.
        order: One of ORDERS, or "" for the column's own first order.
        columns: The names of the columns that were chosen; empty: none were.
        page: The number of the page, from 1.
    """

    filter: str = ""
    status: str = ""
    sort: str = ""
    order: str = ""
    columns: Sequence[str] = ()
    page: int = 1

    def link(self, **changes: Any) -> str:
        """Return the parameters of the address of another state, with «?»; changes: its attributes that differ."""
        other = replace(self, **changes)
        pairs = [(key, getattr(other, key)) for key in ("filter", "status", "sort", "order")]
        pairs += [("column", name) for name in other.columns]
        pairs += [("page", other.page)] if other.page > 1 else []
        return f"?{urlencode([pair for pair in pairs if pair[1]])}"

    def head(self, column: str, label: str, now: str, first: str, *, right: bool) -> Mapping[str, Any]:
        """Return the head of a column: its label, the link that sorts by it, and its order if the table is sorted by it.

        Args:
            column: The column.
            label: What people read.
            now: Its order; "" where the table isn't sorted by it.
            first: Its order if the table is sorted by it now.
            right: Whether it stands on the right.
        """
        other = {"ascending": "descending", "descending": "ascending"}.get(now, first)
        return {"label": label, "link": self.link(sort=column, order=other, page=1), "order": now, "right": right}


def read_choice(query: Mapping[str, str], key: str, known: Sequence[str]) -> str:
    """Return a parameter of an address if its value is a known one, else ""."""
    return query.get(key, "") if query.get(key) in known else ""


@dataclass(frozen=True, kw_only=True)
class TableQuery(AddressState):
    """The state of a table of training jobs in an address; sort: the name of a column."""

    @classmethod
    def read(cls, query: QueryParams) -> TableQuery:
        """Return the state in the parameters of an address. Raise InvalidSpec where the page isn't a number."""
        return cls(
            filter=query.get("filter", "").strip(),
            status=read_choice(query, "status", STATUSES),
            sort=query.get("sort", ""),
            order=read_choice(query, "order", ORDERS),
            columns=tuple(query.getlist("column")),
            page=page_number(query.get("page", "")),
        )


def page_number(text: str) -> int:
    """Return the number of a page in an address; 1 where there is none. Raise InvalidSpec if it isn't one."""
    if not text:
        return 1
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LARGEST_PAGE:
        raise InvalidSpec([Fault("page", f"{text[:40]!r} isn't the number of a page.")])
    return int(text[:9])


class TableState:
    """A state of the table of one tuning job, understood.

    Args:
        query: The state in the address.
        spec: The tuning job.

    Attributes:
        columns: All columns of the table, by name.
        asked: What the filter asks for, with its faults.
        sort: The column of the order.
        descending: Whether its largest value comes first.
    """

    def __init__(self, query: TableQuery, spec: TuningJobSpec) -> None:
        self.query = query
        self.spec = spec
        self.columns: Mapping[str, TableColumn] = table_columns(spec)
        self.asked: TableFilter = read_filter(query.filter, self.columns, spec.metric)
        first = next(iter(self.columns.values()))
        self.sort = self.columns.get(query.sort, first)
        self.descending = self._order(self.sort) == "descending" if not query.order else query.order == "descending"

    @property
    def selection(self) -> TableSelection:
        """Return the rows and their order."""
        return TableSelection(
            sort=self.sort,
            descending=self.descending,
            comparisons=self.asked.comparisons,
            texts=self.asked.texts,
            statuses=[self.query.status] if self.query.status else [],
        )

    @property
    def is_filtered(self) -> bool:
        """Return whether the table may lack some training jobs."""
        return bool(self.query.filter or self.query.status)

    @property
    def shown(self) -> list[TableColumn]:
        """Return the columns that are shown, in the table's order: those that were chosen, or the first ones."""
        chosen = {name for name in self.query.columns if name in self.columns}
        if not self.query.columns:
            hyperparameters = [name for name, column in self.columns.items() if column.hyperparameter]
            chosen = {*hyperparameters[:MOST_SHOWN]}
            chosen |= {column.name for column in self.columns.values() if column.source in ("duration", "definition")}
        return [column for column in self.columns.values() if column.name in chosen or column.source in FIXED]

    def head(self, column: TableColumn) -> Mapping[str, Any]:
        """Return the head of a column: its label, the link that sorts by it, and its order if the table is sorted by it."""
        now = ("descending" if self.descending else "ascending") if column == self.sort else ""
        return self.query.head(column.name, self.label(column), now, self._order(column), right=column.numeric)

    def label(self, column: TableColumn) -> str:
        """Return what people read above a column; where the screen is narrow, beside each value."""
        labels = {"number": "No.", "objective": self.spec.metric}
        return labels.get(column.source, column.name if column.hyperparameter else column.source.capitalize())

    def _order(self, column: TableColumn) -> str:
        """Return the order of a column that was not sorted before: the newest, the best or the longest first."""
        if column.source == "objective":
            return "ascending" if self.spec.sign > 0 else "descending"
        return "descending" if column.source in ("number", "started", "duration") else "ascending"
