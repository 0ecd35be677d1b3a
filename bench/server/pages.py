"""What a page of a list or a search costs with 100,000 training jobs in one tuning job: CPU ms, as a Markdown table.

    python bench/server/pages.py [how many training jobs]

The operations are asked as `alfine serve` asks them, JSON to JSON, without HTTP. CPU time of this process, since that's what a
neighbour leaves alone.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from alfine import Continuous, Integer
from alfine.api.job_words import job_request
from alfine.aws.sagemaker.backend import AwsBackend
from alfine.aws.sagemaker.operations import OPERATIONS
from alfine.aws.services import JsonService
from alfine.core.arns import Arns
from alfine.core.read_spec import read_spec
from alfine.jobs.home import Home
from alfine.store.schema import metrics, training_jobs

START = datetime(2026, 1, 1, tzinfo=UTC)
WITHIN, OVERALL = "ListTrainingJobsForHyperParameterTuningJob", "ListTrainingJobs"
SEARCHED = 20  # pages of a search


def fill(home: Home, count: int) -> None:
    """One tuning job with so many training jobs that have ended, one in a hundred failed."""
    space = {"x": Continuous(0, 1), "n": Integer(0, 9)}
    request = job_request(name="big", space=space, command=["true"])
    job = home.store.create(read_spec(request), START)
    draw = random.Random(1)
    rows = []
    for number in range(1, count + 1):
        status = draw.choices(["Completed", "Stopped", "Failed"], [90, 9, 1])[0]
        at = START + timedelta(seconds=number)
        row = {"tuning_job": job.id, "number": number, "name": f"big-{number:06d}-{draw.getrandbits(32):08x}"}
        row |= {"hyperparameters": json.dumps({"x": str(draw.random()), "n": str(number % 10)}), "status": status}
        row |= {"created_at": at, "started_at": at, "ended_at": at + timedelta(seconds=100), "log_offset": 0}
        row |= {"created_fact": 3 * number, "started_fact": 3 * number + 1, "ended_fact": 3 * number + 2}
        rows.append({**row, "objective": None if status == "Failed" else round(draw.random(), 3)})
    values = [
        {"tuning_job": job.id, "fact": row["ended_fact"], "number": row["number"], "at": row["ended_at"]}
        | {"metric": "objective", "step": 1.0, "value": row["objective"]}
        for row in rows
        if row["objective"] is not None
    ]
    with home.store.database.writing() as connection:  # a hundred thousand facts one by one would take an hour
        connection.execute(sa.insert(training_jobs), rows)
        connection.execute(sa.insert(metrics), values)


def walk(service: JsonService, operation: str, most: int | None = None, **words: Any) -> None:
    """Turn all pages (at most so many), and print a row of the table."""
    costs: list[float] = []
    token, seen = None, 0
    while (token or not costs) and (most is None or len(costs) < most):
        body = json.dumps({**words, "MaxResults": 100, **({"NextToken": token} if token else {})}).encode()
        begun = time.process_time()
        status, answer = service.answer(operation, body)
        costs.append(1000 * (time.process_time() - begun))
        told = json.loads(answer)
        assert status == 200, told
        token = told.get("NextToken")
        seen += len(told.get("TrainingJobSummaries", told.get("Results", ())))
    tenth = max(1, len(costs) // 10)
    first, last = statistics.median(costs[:tenth]), statistics.median(costs[-tenth:])
    shown = ", ".join(
        _shown(key, value) for key, value in words.items() if key not in ("HyperParameterTuningJobName", "Resource")
    )
    what = {WITHIN: "of one tuning job", OVERALL: "of all"}.get(operation, "Search")
    print(f"| {what} | {shown} | {len(costs):,} | {seen:,} | {first:.1f} | {last:.1f} | {max(costs):.0f} |", flush=True)


def _shown(key: str, value: Any) -> str:
    if key == "SearchExpression":
        return " and ".join(" ".join(each.values()) for each in value["Filters"])
    return f"{key} {value}"


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Home(Path(folder)) as home:
        fill(home, count)
        service = JsonService("sagemaker", OPERATIONS, AwsBackend(home.service, Arns(), lambda _: None, lambda: None))
        print(
            "| list | asked for | pages | rows | ms, first tenth | ms, last tenth | ms, worst |\n|---|---|---|---|---|---|---|"
        )
        big = {"HyperParameterTuningJobName": "big"}
        for sort in ("Name", "CreationTime", "Status", "FinalObjectiveMetricValue"):
            walk(service, WITHIN, **big, SortBy=sort)
            walk(service, WITHIN, **big, SortBy=sort, SortOrder="Descending")
            walk(service, WITHIN, **big, SortBy=sort, StatusEquals="Stopped")
        for sort in ("Name", "CreationTime", "Status"):
            walk(service, OVERALL, SortBy=sort)
            walk(service, OVERALL, SortBy=sort, StatusEquals="Failed")
        walk(service, OVERALL, NameContains="big-09999")
        walk(service, OVERALL, LastModifiedTimeAfter=(START + timedelta(seconds=count - 900)).timestamp())
        walk(service, "Search", SEARCHED, Resource="TrainingJob")
        for name, kind, value in (
            ("TrainingJobStatus", "Equals", "Failed"),
            ("HyperParameters.n", "Equals", "7"),
            ("Metrics.objective", "LessThan", "0.01"),
        ):
            filters = [{"Name": name, "Operator": kind, "Value": value}]
            walk(service, "Search", SEARCHED, Resource="TrainingJob", SearchExpression={"Filters": filters})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training_jobs", nargs="?", type=int, default=100_000)
    main(parser.parse_args().training_jobs)
