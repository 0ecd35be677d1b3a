"""The list of tuning jobs: searched, filtered, sorted and cut into pages by the server; its whole state is in the address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.responses import Response

from alfine.core.facts import TUNING_TRANSITIONS
from alfine.figures.sparkline import sparkline
from alfine.jobs.tuning_job_list import ListedTuningJob
from alfine.server.console.insights import Insights
from alfine.server.console.page_request import PageRequest
from alfine.server.console.table_query import ORDERS, AddressState, page_number, read_choice
from alfine.server.console.verdict_text import expected_end, nearest
from alfine.store.tuning_job_table import SORTS, TuningJobSelection

PAGE_SIZE = 25
"""Tuning jobs on a page."""

LONGEST_FILTER = 200
"""Characters of the filter that are used."""

MOST_TERMS = 10
"""Words of the filter that are used."""

STATUSES = tuple(TUNING_TRANSITIONS)

TERM = re.compile(r'"([^"]*)"|(\S+)')
"""A text between quotation marks, or a word."""

HEADS = {
    "name": "Name",
    "status": "Status",
    "verdict": "Verdict",
    "training_jobs": "Training jobs",
    "best": "Best objective",
}
HEADS |= {"created": "Created", "duration": "Duration", "cost": "Cost"}

ASCENDING = ("name", "status", "verdict")
"""Columns that are sorted upwards at first."""


@dataclass(frozen=True, kw_only=True)
class ListQuery(AddressState):
    """The state of the list in an address; filter: words, and tags as key=value; sort: one of SORTS, by creation at first."""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> ListQuery:
        """Return the state in the parameters of an address. Raise InvalidSpec where the page isn't a number."""
        return cls(
            filter=(query.get("filter") or query.get("name", "")).strip()[:LONGEST_FILTER],
            status=read_choice(query, "status", STATUSES),
            sort=read_choice(query, "sort", SORTS),
            order=read_choice(query, "order", ORDERS),
            page=page_number(query.get("page", "")),
        )

    @property
    def descending(self) -> bool:
        """Return whether the largest value comes first."""
        return self.order == "descending" if self.order else (self.sort or "created") not in ASCENDING

    @property
    def selection(self) -> TuningJobSelection:
        """Return the tuning jobs that the list shows, and their order. «key=value» is a tag; anything else is a text."""
        texts, tags = [], []
        for quoted, word in TERM.findall(self.filter)[:MOST_TERMS]:
            key, equals, value = word.partition("=")
            if key and equals:
                tags.append((key, value or None))
            elif text := quoted or word:
                texts.append(text)
        return TuningJobSelection(
            texts=texts,
            tags=tags,
            statuses=[self.status] if self.status else [],
            sort=self.sort or "created",
            descending=self.descending,
        )

    def heads(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the heads of all columns."""
        by, order = self.sort or "created", "descending" if self.descending else "ascending"
        return {
            column: self.head(
                column,
                label,
                order if column == by else "",
                "ascending" if column in ASCENDING else "descending",
                right=column not in (*ASCENDING, "created"),
            )
            for column, label in HEADS.items()
        }


def page(request: PageRequest) -> Response:
    """Render the list. Query: see `ListQuery`."""
    query, now = ListQuery.read(request.query), request.service.clock()
    found = request.service.tuning_jobs.page(query.selection, PAGE_SIZE, (query.page - 1) * PAGE_SIZE, now)
    return request.render(
        "tuning_jobs.html",
        query=query,
        rows=[_row(listed, request.backend.insights, now) for listed in found.rows],
        total=found.total,
        begin=(query.page - 1) * PAGE_SIZE,
        pages=max(1, -(-found.total // PAGE_SIZE)),
        statuses=STATUSES,
        heads=query.heads(),
    )


def _row(listed: ListedTuningJob, insights: Insights, now: datetime) -> Mapping[str, Any]:
    summary = listed.summary
    row, spec, counters = summary.job, summary.spec, summary.counters.statuses
    ended = summary.counters.launched - counters["InProgress"]
    allowed = spec and spec.most_training_jobs
    verdicts = [verdict.as_dict() for verdict in row.verdicts]
    runs = spec is not None and not row.ended and not summary.nobody
    expected = expected_end(insights.forecast(row), verdicts) if runs else None
    return {
        "name": row.name,
        "status": row.status,
        "expected": expected,
        "verdict": expected.verdict if expected else nearest(row.verdict.as_dict() if row.verdict else None, verdicts),
        "ended": ended,
        "share": min(1.0, ended / allowed) if allowed else 0.0,
        "running": counters["InProgress"],
        "failed": counters["NonRetryableError"] + counters["RetryableError"],
        "allowed": allowed,
        "metric": spec and spec.metric,
        "goal": spec and spec.goal,
        "error": summary.error,
        "best": summary.best_value,
        "runs": summary.best_runs,
        "course": sparkline(listed.course.steps, listed.course.results),
        "cost": listed.cost,
        "tags": listed.tags,
        "note": row.note or "",
        "created_at": row.created_at,
        "nobody": summary.nobody,
        "seconds": (summary.until(now) - row.created_at).total_seconds(),
    }
