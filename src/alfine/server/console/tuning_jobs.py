"""The list of tuning jobs: newest first, page by page, filtered by name and status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from alfine.aws.sagemaker import pagination
from alfine.core.facts import TUNING_TRANSITIONS
from alfine.jobs.describe import TuningJobSummary, tuning_job_summaries
from alfine.server.console.page_request import PageRequest
from alfine.server.console.verdict_text import nearest
from alfine.store.conditions import TUNING_JOBS
from alfine.store.pages import tuning_job_page

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
        rows = [_row(summary, request) for summary in tuning_job_summaries(connection, jobs[:PAGE_SIZE])]
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


def _row(summary: TuningJobSummary, request: PageRequest) -> Mapping[str, Any]:
    row, spec, counters = summary.job, summary.spec, summary.counters.statuses
    verdict = nearest(row.verdict.as_dict() if row.verdict else None, [verdict.as_dict() for verdict in row.verdicts])
    return {
        "name": row.name,
        "status": row.status,
        "verdict": verdict,
        "launched": summary.counters.launched,
        "ended": summary.counters.launched - counters["InProgress"],
        "running": counters["InProgress"],
        "failed": counters["NonRetryableError"] + counters["RetryableError"],
        "allowed": spec and spec.most_training_jobs,
        "metric": spec and spec.metric,
        "goal": spec and spec.goal,
        "error": summary.error,
        "best": summary.best_value,
        "created_at": row.created_at,
        "nobody": summary.nobody,
        "seconds": (summary.until(request.service.clock()) - row.created_at).total_seconds(),
    }
