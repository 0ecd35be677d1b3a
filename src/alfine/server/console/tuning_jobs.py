"""The list of tuning jobs: the newest first, by pages, filtered by name and status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from alfine.aws.sagemaker import pagination
from alfine.core.history import TUNING_TRANSITIONS
from alfine.server.console.page_request import Visit
from alfine.server.console.verdict_text import nearest
from alfine.store import queries
from alfine.store.conditions import TUNING_JOBS
from alfine.store.database import Connection
from alfine.store.pages import tuning_job_page
from alfine.store.queries import Counters
from alfine.store.records import TuningJob

PAGE_SIZE = 25
LONGEST_NAME = 100
STATUSES = tuple(TUNING_TRANSITIONS)


def page(visit: Visit) -> Response:
    name, status = visit.query.get("name", "").strip()[:LONGEST_NAME], visit.query.get("status", "")
    asked: dict[str, Any] = {"SortOrder": "Descending", "MaxResults": PAGE_SIZE}
    asked |= {"NameContains": name} if name else {}
    asked |= {"StatusEquals": status} if status in STATUSES else {}
    asked |= {"NextToken": visit.query["after"]} if visit.query.get("after") else {}
    keyset = pagination.page_of(asked, {"CreationTime": "created_at"}, "CreationTime")
    with visit.service.store.reading() as connection:
        found = tuning_job_page(connection, keyset, pagination.filters(asked, TUNING_JOBS))
        counts = queries.counters(connection, [row.id for row in found])
        rows = [_row(connection, row, counts[row.id], visit) for row in found[:PAGE_SIZE]]
    token = pagination.answered(asked, keyset, found, "rows", lambda row: row.name).get("NextToken")
    kept = {key: value for key, value in (("name", name), ("status", status)) if value}
    return visit.page(
        "tuning_jobs.html",
        rows=rows,
        name=name,
        status=status,
        statuses=STATUSES,
        first=f"?{urlencode(kept)}" if "NextToken" in asked else None,
        further=f"?{urlencode({**kept, 'after': token})}" if token else None,
    )


def _row(connection: Connection, row: TuningJob, counts: Counters, visit: Visit) -> Mapping[str, Any]:
    spec = row.spec()
    number = visit.service.best_by_repeats(row.name, spec)
    best = queries.best(connection, row.id, minimise=spec.sign > 0, ranked=spec.ranked, number=number)
    verdict = nearest(row.verdict.as_dict() if row.verdict else None, [verdict.as_dict() for verdict in row.verdicts])
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
        "seconds": ((row.ended_at or visit.service.clock()) - row.created_at).total_seconds(),
    }
