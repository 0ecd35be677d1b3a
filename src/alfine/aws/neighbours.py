"""What SageMaker's clients also ask of other services: logs, metrics, who they are. From the same records.

A line of a log has no instant of its own (the training job's output is kept as it came), so that each event bears the
instant at which its training job started; clients go on from where they were by the number of events they have seen.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alfine import queries
from alfine.aws.backend import Backend, Function
from alfine.aws.names import workspace
from alfine.aws.protocol import Plain, WireError, validation_error
from alfine.core.errors import NotFound
from alfine.store import metrics, training_jobs

GROUP = NAMESPACE = "/aws/sagemaker/TrainingJobs"
PAGE_BYTES = 1 << 20  # of a log in one answer, as CloudWatch
PAGE_EVENTS = 10_000
LONGEST_LINE = 256 << 10
FILTER_BYTES = 16 << 20  # of logs that one FilterLogEvents looks through
MAX_DATAPOINTS = 100_800
MAX_LISTED = 500


# ---- logs --------------------------------------------------------------------------------------------------------------


def describe_log_streams(backend: Backend, request: Plain) -> Plain:
    """One stream a training job that has started, «<training job>/algo-1-<when it started>»."""
    _check_group(request)
    prefix = request.get("logStreamNamePrefix", "")
    after = request.get("nextToken", "")
    size = request.get("limit", 50)
    started = training_jobs.c.started_at.is_not(None)
    name, _, rest = prefix.partition("/")
    mine = (
        training_jobs.c.name == name
        if rest or "/" in prefix
        else training_jobs.c.name.startswith(name, autoescape=True)
    )
    page = queries.Page("name", descending=False, size=size + 1, after=(None, after) if after else None)
    with backend.reading() as connection:
        rows = queries.training_job_page(connection, page, [started, mine])
    found = [(row, stream_of(row)) for row in rows[:size]]
    answer: Plain = {
        "logStreams": [_stream(backend, row, stream) for row, stream in found if stream.startswith(prefix)]
    }
    if len(rows) > size:
        answer["nextToken"] = rows[size - 1].name
    return answer


def stream_of(row: queries.AnyRow) -> str:
    return f"{row.name}/algo-1-{int(row.started_at.timestamp())}"


def _stream(backend: Backend, row: queries.AnyRow, stream: str) -> Plain:
    at = _milliseconds(row.started_at)
    size = _size(workspace(backend.service.folder, row).log)
    arn = f"arn:aws:logs:{backend.arns.region}:{backend.arns.account}:log-group:{GROUP}:log-stream:{stream}"
    return {
        "logStreamName": stream,
        "creationTime": at,
        "firstEventTimestamp": at,
        "lastEventTimestamp": at,
        "arn": arn,
        "storedBytes": size,
    }


def get_log_events(backend: Backend, request: Plain) -> Plain:
    """Pages by byte offset; at the end the same token comes back, by which clients know."""
    _check_group(request)
    row = _training_job_of(backend, request["logStreamName"])
    log = workspace(backend.service.folder, row).log
    at = _milliseconds(row.started_at)
    seen = request.get("startTime", 0) <= at < request.get("endTime", at + 1)
    begin = _offset(request, log)
    events, end = _events(log, begin, request.get("limit", PAGE_EVENTS)) if seen else ([], begin)
    shown = [{"timestamp": at, "message": text, "ingestionTime": at} for text in events]
    return {"events": shown, "nextForwardToken": f"f/{end}", "nextBackwardToken": f"b/{begin}"}


def _offset(request: Plain, log: Path) -> int:
    token = request.get("nextToken")
    if token is not None:
        found = re.fullmatch(r"([fb])/(\d{1,18})", token)
        if not found:
            raise WireError("InvalidParameterException", "The specified nextToken is invalid.")
        return int(found[2]) if found[1] == "f" else max(0, int(found[2]) - PAGE_BYTES)
    return 0 if request.get("startFromHead") else max(0, _size(log) - PAGE_BYTES)


def _events(log: Path, begin: int, limit: int) -> tuple[list[str], int]:
    """Whole lines from an offset on, at most PAGE_BYTES of them, and the offset after the last."""
    try:
        with log.open("rb") as file:
            file.seek(begin)
            block = file.read(PAGE_BYTES)
    except OSError:
        return [], begin
    end = block.rfind(b"\n") + 1
    if end == 0 and len(block) == PAGE_BYTES:
        end = len(block)  # one endless line is told in pieces
    lines = block[:end].splitlines(keepends=True)[:limit]
    texts = [line.rstrip(b"\r\n").decode(errors="replace")[:LONGEST_LINE] for line in lines]
    return texts, begin + sum(len(line) for line in lines)


def filter_log_events(backend: Backend, request: Plain) -> Plain:
    """The lines that have the pattern's text in them (CloudWatch's pattern language beyond plain words isn't read)."""
    _check_group(request)
    words = [word.strip('"') for word in request.get("filterPattern", "").split()]
    limit = request.get("limit", PAGE_EVENTS)
    found: list[Plain] = []
    left = FILTER_BYTES
    for row, stream in _streams(backend, request):
        log, at = workspace(backend.service.folder, row).log, _milliseconds(row.started_at)
        offset = 0
        while left > 0 and len(found) < limit:
            events, end = _events(log, offset, PAGE_EVENTS)
            if end == offset:
                break
            left -= end - offset
            found += [
                {
                    "logStreamName": stream,
                    "timestamp": at,
                    "message": text,
                    "ingestionTime": at,
                    "eventId": f"{row.name}/{offset + index}",
                }
                for index, text in enumerate(events)
                if all(word in text for word in words)
            ]
            offset = end
    return {"events": found[:limit], "searchedLogStreams": []}


def _streams(backend: Backend, request: Plain) -> Iterator[tuple[queries.AnyRow, str]]:
    for name in request.get("logStreamNames", ()):
        row = _training_job_of(backend, name)
        yield row, name
    if "logStreamNames" not in request:
        prefix = request.get("logStreamNamePrefix", "")
        stem = prefix.partition("/")[0]
        page = queries.Page("name", descending=False, size=MAX_LISTED)
        with backend.reading() as connection:
            conditions = [
                training_jobs.c.started_at.is_not(None),
                training_jobs.c.name.startswith(stem, autoescape=True),
            ]
            rows = queries.training_job_page(connection, page, conditions)
        yield from ((row, stream_of(row)) for row in rows if stream_of(row).startswith(prefix))


def _training_job_of(backend: Backend, stream: str) -> queries.AnyRow:
    with backend.reading() as connection:
        try:
            row = queries.training_job(connection, stream.partition("/")[0])
        except NotFound:
            row = None
    if row is None or row.started_at is None or stream_of(row) != stream:
        raise WireError("ResourceNotFoundException", "The specified log stream does not exist.")
    return row


def _check_group(request: Plain) -> None:
    name = request.get("logGroupName") or request.get("logGroupIdentifier", "")
    if name != GROUP and not name.endswith(f":log-group:{GROUP}"):
        raise WireError("ResourceNotFoundException", "The specified log group does not exist.")


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


# ---- metrics -----------------------------------------------------------------------------------------------------------

STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Average": lambda values: math.fsum(values) / len(values),
    "Sum": math.fsum,
    "Minimum": min,
    "Maximum": max,
    "SampleCount": len,
}


@dataclass(frozen=True, slots=True)
class _Series:
    """Values of one metric of one training job, by periods."""

    periods: Mapping[datetime, Sequence[float]]

    def points(self, statistic: str) -> list[tuple[datetime, float]]:
        return [(at, STATISTICS[statistic](values)) for at, values in sorted(self.periods.items())]


def get_metric_statistics(backend: Backend, request: Plain) -> Plain:
    series = _series(backend, request, request["Period"], request["StartTime"], request["EndTime"])
    statistics = request.get("Statistics", ["Average"])
    points: list[Plain] = [
        {"Timestamp": at, "Unit": "None", **{each: STATISTICS[each](values) for each in statistics}}
        for at, values in sorted(series.periods.items())
    ]
    return {"Label": request["MetricName"], "Datapoints": points}


def get_metric_data(backend: Backend, request: Plain) -> Plain:
    results: list[Plain] = []
    for query in request["MetricDataQueries"]:
        stat = query.get("MetricStat")
        if stat is None:
            raise validation_error(
                f"The query {query['Id']!r} is a metric math expression, which isn't supported here."
            )
        if stat["Stat"] not in STATISTICS:
            raise validation_error(f"The statistic {stat['Stat'][:40]!r} isn't one of {', '.join(STATISTICS)}.")
        points = _series(backend, stat["Metric"], stat["Period"], request["StartTime"], request["EndTime"]).points(
            stat["Stat"]
        )
        if request.get("ScanBy", "TimestampDescending") == "TimestampDescending":
            points.reverse()
        if query.get("ReturnData", True):
            label = query.get("Label") or stat["Metric"].get("MetricName", "")
            times, values = [at for at, _ in points], [value for _, value in points]
            results.append(
                {"Id": query["Id"], "Label": label, "Timestamps": times, "Values": values, "StatusCode": "Complete"}
            )
    return {"MetricDataResults": results, "Messages": []}


def _series(backend: Backend, metric: Plain, period: int, begin: datetime, end: datetime) -> _Series:
    """Periods begin at multiples of their length since 1970; the first is the one that `begin` lies in."""
    name = _dimensions(metric).get("TrainingJobName")
    if metric.get("Namespace") != NAMESPACE or name is None or period < 1:
        return _Series({})
    length = timedelta(seconds=period)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    first = epoch + (begin - epoch) // length * length
    periods: defaultdict[datetime, list[float]] = defaultdict(list)
    with backend.reading() as connection:
        job = _known(connection, name)
        if job is not None:
            for at, value in queries.metric_values(
                connection, job.tuning_job, job.number, metric.get("MetricName", ""), (first, end)
            ):
                periods[epoch + (at - epoch) // length * length].append(value)
    return _Series(dict(sorted(periods.items())[:MAX_DATAPOINTS]))


def list_metrics(backend: Backend, request: Plain) -> Plain:
    """The metrics of the training jobs, by name; a page goes on after the last training job of the one before."""
    if request.get("Namespace", NAMESPACE) != NAMESPACE:
        return {"Metrics": []}
    wanted = {each["Name"]: each.get("Value") for each in request.get("Dimensions", ())}
    if set(wanted) - {"TrainingJobName"}:
        return {"Metrics": []}
    after, one = request.get("NextToken", ""), wanted.get("TrainingJobName")
    query = (
        sa.select(training_jobs.c.name, metrics.c.metric)
        .distinct()
        .join_from(training_jobs, metrics, _same_job())
        .where(training_jobs.c.name > after, *([training_jobs.c.name == one] if one else []))
        .where(*([metrics.c.metric == request["MetricName"]] if "MetricName" in request else []))
        .order_by(training_jobs.c.name, metrics.c.metric)
        .limit(MAX_LISTED + 1)
    )
    with backend.reading() as connection:
        rows = connection.execute(query).all()
    more = len(rows) > MAX_LISTED
    last = rows[-1].name if more else None
    shown = [row for row in rows if row.name != last]
    found: Plain = {"Metrics": [_metric(row.name, row.metric) for row in shown]}
    return {**found, "NextToken": shown[-1].name} if more and shown else found


def _same_job() -> sa.ColumnElement[bool]:
    return (metrics.c.tuning_job == training_jobs.c.tuning_job) & (metrics.c.number == training_jobs.c.number)


def _metric(training_job: str, name: str) -> Plain:
    dimension = {"Name": "TrainingJobName", "Value": training_job}
    return {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": [dimension]}


def _dimensions(metric: Plain) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}


def _known(connection: Connection, name: str) -> queries.AnyRow | None:
    try:
        return queries.training_job(connection, name)
    except NotFound:
        return None


# ---- who is asking -----------------------------------------------------------------------------------------------------


def get_caller_identity(backend: Backend, request: Plain) -> Plain:  # noqa: ARG001 - an operation's signature
    account = backend.arns.account
    return {"UserId": "ALFINE", "Account": account, "Arn": f"arn:aws:iam::{account}:user/alfine"}


def get_role(backend: Backend, request: Plain) -> Plain:
    """Any role exists: nothing here asks who may do what."""
    name = request["RoleName"]
    arn = f"arn:aws:iam::{backend.arns.account}:role/{name}"
    made = datetime(2017, 11, 29, tzinfo=UTC)  # the day SageMaker was announced
    return {
        "Role": {
            "Path": "/",
            "RoleName": name,
            "RoleId": f"AROA{name.upper()[:17]:0<17}",
            "Arn": arn,
            "CreateDate": made,
        }
    }


def simulate_principal_policy(backend: Backend, request: Plain) -> Plain:  # noqa: ARG001 - an operation's signature
    """Whoever asks may do everything: SDK 3 asks before it uses a role."""
    resources = request.get("ResourceArns") or ["*"]
    return {
        "EvaluationResults": [
            {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed"}
            for action in request["ActionNames"]
            for resource in resources
        ],
        "IsTruncated": False,
    }


LOGS: Mapping[str, Function] = {
    "DescribeLogStreams": describe_log_streams,
    "GetLogEvents": get_log_events,
    "FilterLogEvents": filter_log_events,
}
CLOUDWATCH: Mapping[str, Function] = {
    "GetMetricStatistics": get_metric_statistics,
    "GetMetricData": get_metric_data,
    "ListMetrics": list_metrics,
}
STS: Mapping[str, Function] = {"GetCallerIdentity": get_caller_identity}
IAM: Mapping[str, Function] = {"GetRole": get_role, "SimulatePrincipalPolicy": simulate_principal_policy}
