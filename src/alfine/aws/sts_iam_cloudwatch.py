"""Other services that SageMaker's clients call: metrics in CloudWatch, the caller's identity and role. Answered from the same records."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alfine.aws.auth import session_keys
from alfine.aws.auth.session_keys import signer
from alfine.aws.cloudwatch_logs import GROUP
from alfine.aws.sagemaker.backend import AwsBackend, Function
from alfine.aws.shape_readers import Plain
from alfine.aws.wire_error import validation_error
from alfine.core.errors import NotFound
from alfine.store import queries
from alfine.store.database import Connection
from alfine.store.metrics import metric_names, metric_values
from alfine.store.records import TrainingJobRow

NAMESPACE = GROUP
MAX_DATAPOINTS = 100_800
MAX_LISTED = 500
SESSION_SECONDS = 3600
"""How long a temporary key is valid, where the request doesn't say. Source: AssumeRole in STS's API reference."""

ROLE = "alfine"
"""The name of the one role that is listed, and that the caller has."""
SESSION = "session"
"""The name of the caller's session."""


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
    """The values of one metric of one training job, by periods."""

    periods: Mapping[datetime, Sequence[float]]

    def points(self, statistic: str) -> list[tuple[datetime, float]]:
        """Return the points of one statistic."""
        return [(at, STATISTICS[statistic](values)) for at, values in sorted(self.periods.items())]


def get_metric_statistics(backend: AwsBackend, request: Plain) -> Plain:
    """Return the statistics of one metric of a training job."""
    if request.get("ExtendedStatistics"):
        raise validation_error(f"ExtendedStatistics aren't to be had here. Use Statistics, {', '.join(STATISTICS)}.")
    series = _series(backend, request, request, request["StartTime"], request["EndTime"])
    statistics = request.get("Statistics", ["Average"])
    points: list[Plain] = [
        {"Timestamp": at, "Unit": "None", **{each: STATISTICS[each](values) for each in statistics}}
        for at, values in sorted(series.periods.items())
    ]
    return {"Label": request["MetricName"], "Datapoints": points}


def get_metric_data(backend: AwsBackend, request: Plain) -> Plain:
    """Return the points of several queries in their order. A token holds how many points were returned before."""
    told = _points_told(request.get("NextToken"))
    left, room, more = told, request.get("MaxDatapoints", MAX_DATAPOINTS), False
    results: list[Plain] = []
    for query in request["MetricDataQueries"]:
        points = _points(backend, query, request)
        if not query.get("ReturnData", True):
            continue
        rest, left = points[left:], max(0, left - len(points))
        shown = rest[:room]
        room, told, cut = room - len(shown), told + len(shown), len(shown) < len(rest)
        more = more or cut
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label") or query["MetricStat"]["Metric"].get("MetricName", ""),
                "Timestamps": [at for at, _ in shown],
                "Values": [value for _, value in shown],
                "StatusCode": "PartialData" if cut else "Complete",
            }
        )
    return {"MetricDataResults": results, "Messages": [], **({"NextToken": str(told)} if more else {})}


def _points_told(token: str | None) -> int:
    if token and not re.fullmatch(r"[0-9]{1,18}", token):
        raise validation_error("The NextToken isn't one of this service's.")
    return int(token or 0)


def _points(backend: AwsBackend, query: Plain, request: Plain) -> list[tuple[datetime, float]]:
    stat = query.get("MetricStat")
    if stat is None:
        raise validation_error(f"The query {query['Id']!r} is a metric math expression, which isn't supported here.")
    if stat["Stat"] not in STATISTICS:
        raise validation_error(f"The statistic {stat['Stat'][:40]!r} isn't one of {', '.join(STATISTICS)}.")
    points = _series(backend, stat["Metric"], stat, request["StartTime"], request["EndTime"]).points(stat["Stat"])
    return points[::-1] if request.get("ScanBy", "TimestampDescending") == "TimestampDescending" else points


def _series(backend: AwsBackend, metric: Plain, asked: Plain, begin: datetime, end: datetime) -> _Series:
    """Return the periods of a metric. They begin at multiples of their length since 1970; the first contains `begin`. No metric has a unit."""
    name, period = _dimensions(metric).get("TrainingJobName"), asked["Period"]
    if metric.get("Namespace") != NAMESPACE or name is None or period < 1 or asked.get("Unit", "None") != "None":
        return _Series({})
    length = timedelta(seconds=period)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    first = epoch + (begin - epoch) // length * length
    periods: defaultdict[datetime, list[float]] = defaultdict(list)
    with backend.reading() as connection:
        job = _known(connection, name)
        if job is not None:
            metric_name = metric.get("MetricName", "")
            for at, value in metric_values(connection, job.tuning_job, job.number, metric_name, (first, end)):
                periods[epoch + (at - epoch) // length * length].append(value)
    return _Series(dict(sorted(periods.items())[:MAX_DATAPOINTS]))


RECENTLY = timedelta(hours=3)  # RecentlyActive


def list_metrics(backend: AwsBackend, request: Plain) -> Plain:
    """Return the metrics of the training jobs, sorted by name; the next page begins after the last training job of this one."""
    if request.get("Namespace", NAMESPACE) != NAMESPACE:
        return {"Metrics": []}
    wanted = {each["Name"]: each.get("Value") for each in request.get("Dimensions", ())}
    if set(wanted) - {"TrainingJobName"} or request.get("OwningAccount", backend.arns.account) != backend.arns.account:
        return {"Metrics": []}
    with backend.reading() as connection:
        pairs = metric_names(
            connection,
            MAX_LISTED + 1,
            after=request.get("NextToken", ""),
            training_job=wanted.get("TrainingJobName") or None,
            metric=request.get("MetricName"),
            since=backend.now - RECENTLY if "RecentlyActive" in request else None,
        )
    more = len(pairs) > MAX_LISTED
    last = pairs[-1][0] if more else None
    shown = [pair for pair in pairs if pair[0] != last]
    answer: Plain = {"Metrics": [_metric(*pair) for pair in shown]}
    return {**answer, "NextToken": shown[-1][0]} if more and shown else answer


def _metric(training_job: str, name: str) -> Plain:
    dimension = {"Name": "TrainingJobName", "Value": training_job}
    return {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": [dimension]}


def _dimensions(metric: Plain) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}


def _known(connection: Connection, name: str) -> TrainingJobRow | None:
    try:
        return queries.training_job(connection, name)
    except NotFound:
        return None


def put_metric_data(backend: AwsBackend, request: Plain) -> Plain:  # noqa: ARG001 - an operation's signature
    """Accept metrics that programs publish themselves, without keeping them: alfine's metrics are those of training jobs."""
    return {}


# ---- who is asking -----------------------------------------------------------------------------------------------------


def get_caller_identity(backend: AwsBackend, request: Plain) -> Plain:  # noqa: ARG001 - an operation's signature
    """Return the caller: a session of alfine's one role. SDK 3 trains without a given role only where the caller has one."""
    account = backend.arns.account
    arn = f"arn:aws:sts::{account}:assumed-role/{ROLE}/{SESSION}"
    return {"UserId": f"{_role_id(ROLE)}:{SESSION}", "Account": account, "Arn": arn}


def assume_role(backend: AwsBackend, request: Plain) -> Plain:
    """Return a temporary key of the caller's. Every role exists, and it may do what the caller may."""
    key = signer.get()
    secret = backend.secret_of(key) if key else None
    made = session_keys.make(
        key or "any", secret or "any", backend.now, request.get("DurationSeconds", SESSION_SECONDS)
    )
    account, role, session = backend.arns.account, request["RoleArn"].rpartition("/")[2], request["RoleSessionName"]
    return {
        "Credentials": {
            "AccessKeyId": made.id,
            "SecretAccessKey": made.secret,
            "SessionToken": made.token,
            "Expiration": made.expires_at,
        },
        "AssumedRoleUser": {
            "AssumedRoleId": f"AROA{role.upper()[:17]:0<17}:{session}",
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        },
    }


def get_role(backend: AwsBackend, request: Plain) -> Plain:
    """Return the role of that name. Every role exists: nothing here checks who may do what."""
    return {"Role": _role(backend, request["RoleName"])}


def list_roles(backend: AwsBackend, request: Plain) -> Plain:
    """Return the one role that alfine's own caller has."""
    there = "/".startswith(request.get("PathPrefix", "/"))
    return {"Roles": [_role(backend, ROLE)] if there else [], "IsTruncated": False}


def _role(backend: AwsBackend, name: str) -> Plain:
    return {
        "Path": "/",
        "RoleName": name,
        "RoleId": _role_id(name),
        "Arn": f"arn:aws:iam::{backend.arns.account}:role/{name}",
        "CreateDate": datetime(2017, 11, 29, tzinfo=UTC),  # the day SageMaker was announced
    }


def _role_id(name: str) -> str:
    return f"AROA{name.upper()[:17]:0<17}"


def simulate_principal_policy(backend: AwsBackend, request: Plain) -> Plain:  # noqa: ARG001 - an operation's signature
    """Answer that everything is allowed: SDK 3 asks before it uses a role."""
    resources = request.get("ResourceArns") or ["*"]
    return {
        "EvaluationResults": [
            {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed"}
            for action in request["ActionNames"]
            for resource in resources
        ],
        "IsTruncated": False,
    }


CLOUDWATCH: Mapping[str, Function] = {
    "GetMetricStatistics": get_metric_statistics,
    "GetMetricData": get_metric_data,
    "ListMetrics": list_metrics,
    "PutMetricData": put_metric_data,
}
STS: Mapping[str, Function] = {"AssumeRole": assume_role, "GetCallerIdentity": get_caller_identity}
IAM: Mapping[str, Function] = {
    "GetRole": get_role,
    "ListRoles": list_roles,
    "SimulatePrincipalPolicy": simulate_principal_policy,
}
