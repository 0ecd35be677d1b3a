"""The list of tuning jobs: newest first, page by page, filtered by name and status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from alfine.aws.sagemaker import pagination
from alfine.core.history import TUNING_TRANSITIONS
from alfine.server.console.page_request import PageRequest
from alfine.server.console.verdict_text import nearest
from alfine.store import queries
from alfine.store.conditions import TUNING_JOBS
from alfine.store.database import Connection
from alfine.store.pages import tuning_job_page
from alfine.store.queries import Counters
from alfine.store.records import TuningJob

PAGE_SIZE = 25
"""Tuning jobs on a page."""

LONGEST_NAME = 100
"""Characters of the name filter that are used."""

STATUSES = tuple(TUNING_TRANSITIONS)


def page(request: PageRequest) -> Response:
    """Render the list. Query: `name`, a part of the name; `status`; `after`, the token of a page."""
    name, status = request.query.get("name", "").strip()[:LONGEST_NAME], request.query.get("status", "")
    listing: dict[str, Any] = {"SortOrder": "Descending", "MaxResults": PAGE_SIZE}
    listing |= {"NameContains": name} if name else {}
    listing |= {"StatusEquals": status} if status in STATUSES else {}
    listing |= {"NextToken": request.query["after"]} if request.query.get("after") else {}
    keyset = pagination.page_of(listing, {"CreationTime": "created_at"}, "CreationTime")
    with request.service.store.reading() as connection:
        jobs = tuning_job_page(connection, keyset, pagination.filters(listing, TUNING_JOBS))
        counts = queries.counters(connection, [row.id for row in jobs])
        rows = [_row(connection, row, counts[row.id], request) for row in jobs[:PAGE_SIZE]]
    token = pagination.answered(listing, keyset, jobs, "rows", lambda row: row.name).get("NextToken")
    query = {key: value for key, value in (("name", name), ("status", status)) if value}
    return request.render(
        "tuning_jobs.html",
        rows=rows,
        page_size=PAGE_SIZE,
        name=name,
        status=status,
        statuses=STATUSES,
        first_link=f"?{urlencode(query)}" if "NextToken" in listing else None,
        next_link=f"?{urlencode({**query, 'after': token})}" if token else None,
    )


def _row(connection: Connection, row: TuningJob, counts: Counters, request: PageRequest) -> Mapping[str, Any]:
    spec = row.spec()
    repeated = request.service.best_by_repeats(row.name, spec)
    best = queries.best(connection, row.id, minimise=spec.sign > 0, ranked=spec.ranked, number=repeated)
    verdict = nearest(row.verdict.as_dict() if row.verdict else None, [each.as_dict() for each in row.verdicts])
    counters = counts.statuses
    return {
        "name": row.name,
        "status": row.status,
        "verdict": verdict,
        "launched": sum(counters.values()),
        "ended": sum(counters.values()) - counters["InProgress"],
        "running": counters["InProgress"],
        "failed": counters["NonRetryableError"] + counters["RetryableError"],
        "allowed": spec.most_training_jobs,
        "metric": spec.metric,
        "goal": spec.goal,
        "best": best and best.objective,
        "created_at": row.created_at,
        "seconds": ((row.ended_at or request.service.clock()) - row.created_at).total_seconds(),
    }
