"""CloudWatch Logs: one stream per training job, with its lines as events.

A line of a log has no timestamp of its own (the training job's output is kept as it came). Each event therefore has the time at which its
training job started; clients continue after the number of events they have seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from alfine.aws.sagemaker.backend import AwsBackend, Function
from alfine.aws.shape_readers import Plain
from alfine.aws.wire_error import WireError
from alfine.core.errors import NotFound
from alfine.jobs.training_job_log import TrainingJobLogs
from alfine.store import queries
from alfine.store.conditions import TRAINING_JOBS, Condition, equals, has_started, name_from, name_starts_with
from alfine.store.pages import Page, training_job_page
from alfine.store.records import TrainingJobRow

GROUP = "/aws/sagemaker/TrainingJobs"
PAGE_BYTES = 1 << 20
"""Largest part of a log in one answer, as in CloudWatch."""

PAGE_EVENTS = 10_000
LONGEST_LINE = 256 << 10
"""Longest event, in bytes; a longer line comes in pieces."""

FILTER_BYTES = 16 << 20
"""Bytes of logs that one FilterLogEvents reads."""

FILTER_STREAMS = 500
"""Streams that one FilterLogEvents reads."""


def describe_log_groups(backend: AwsBackend, request: Plain) -> Plain:
    """Return the one group that there is, where the request's prefix or pattern fits its name."""
    prefix, pattern = request.get("logGroupNamePrefix", ""), request.get("logGroupNamePattern", "")
    identifiers = request.get("logGroupIdentifiers")
    named = identifiers is None or any(name == GROUP or name.endswith(f":log-group:{GROUP}") for name in identifiers)
    if not named or not GROUP.startswith(prefix) or pattern.lower() not in GROUP.lower():
        return {"logGroups": []}
    arn = f"arn:aws:logs:{backend.arns.region}:{backend.arns.account}:log-group:{GROUP}"
    group = {"logGroupName": GROUP, "creationTime": 0, "arn": f"{arn}:*", "logGroupArn": arn, "metricFilterCount": 0}
    return {"logGroups": [group]}


def describe_log_streams(backend: AwsBackend, request: Plain) -> Plain:
    """Return one stream per started training job, named «<training job>/algo-1-<start time>». A token names the last stream."""
    _check_group(request)
    by_time = request.get("orderBy") == "LastEventTime"
    if by_time and "logStreamNamePrefix" in request:
        raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    prefix, size = request.get("logStreamNamePrefix", ""), request.get("limit", 50)
    last = _row(backend, request["nextToken"]) if request.get("nextToken") else None
    if last is None and request.get("nextToken"):
        raise _invalid("The specified nextToken is invalid.")
    after = None if last is None else (last.started_at, last.name)
    page = Page("started_at" if by_time else "name", request.get("descending", False), size + 1, after)
    with backend.reading() as connection:
        rows = training_job_page(connection, page, _begun(prefix))
    found = [(row, stream_of(row)) for row in rows[:size]]
    answer: Plain = {
        "logStreams": [_stream(backend, row, stream) for row, stream in found if stream.startswith(prefix)]
    }
    if len(rows) > size:
        answer["nextToken"] = rows[size - 1].name
    return answer


def _begun(prefix: str) -> Sequence[Condition]:
    """Return the started training jobs whose streams may have the prefix; a prefix with a slash belongs to at most one."""
    name, slash, _ = prefix.partition("/")
    return [has_started(), equals(TRAINING_JOBS, "name", name) if slash else name_starts_with(name)]


def stream_of(row: TrainingJobRow) -> str:
    """Return the stream of a training job as CloudWatch shows it."""
    return f"{row.name}/algo-1-{_milliseconds(row) // 1000}"


def _stream(backend: AwsBackend, row: TrainingJobRow, stream: str) -> Plain:
    at = _milliseconds(row)
    arn = f"arn:aws:logs:{backend.arns.region}:{backend.arns.account}:log-group:{GROUP}:log-stream:{stream}"
    return {
        "logStreamName": stream,
        "creationTime": at,
        "firstEventTimestamp": at,
        "lastEventTimestamp": at,
        "arn": arn,
        "storedBytes": _log(backend, row).size,
    }


def get_log_events(backend: AwsBackend, request: Plain) -> Plain:
    """Return the lines after or before a place. Tokens hold the place, a byte offset; at either end the same token comes back."""
    _check_group(request)
    row = _training_job_of(backend, request["logStreamName"])
    log, at = _log(backend, row), _milliseconds(row)
    forward, place = _place(request, log)
    seen = request.get("startTime", 0) <= at < request.get("endTime", at + 1)
    limit = request.get("limit", PAGE_EVENTS)
    lines = [] if not seen else log.after(place)[:limit] if forward else log.before(place)[-limit:]
    length = sum(map(len, lines))
    begin, end = (place, place + length) if forward else (place - length, place)
    shown = [{"timestamp": at, "message": _text(line), "ingestionTime": at} for line in lines]
    return {"events": shown, "nextForwardToken": f"f/{end}", "nextBackwardToken": f"b/{begin}"}


def _place(request: Plain, log: _Log) -> tuple[bool, int]:
    """Return whether to go forward, and from which byte."""
    token = request.get("nextToken")
    if token is None:
        return (True, 0) if request.get("startFromHead") else (False, log.end)
    found = re.fullmatch(r"([fb])/(\d{1,18})", token)
    if not found:
        raise _invalid("The specified nextToken is invalid.")
    forward, place = found[1] == "f", int(found[2])
    return forward, log.present(place) if forward else min(place, log.size)


def filter_log_events(backend: AwsBackend, request: Plain) -> Plain:
    """Return the lines that match a pattern, stream after stream. A token holds the stream and the place to continue at."""
    _check_group(request)
    wanted, limit = _pattern(request.get("filterPattern", "")), request.get("limit", PAGE_EVENTS)
    first, place = _resumed(request.get("nextToken"))
    rows = _streams(backend, request, first)
    since, until = request.get("startTime", 0), request.get("endTime", math.inf)
    found: list[Plain] = []
    left = FILTER_BYTES
    for row in rows:
        log, at, stream = _log(backend, row), _milliseconds(row), stream_of(row)
        offset = log.present(place) if row.name == first else 0
        while since <= at <= until and (lines := log.after(offset)):
            for line in lines:
                if len(found) == limit or left <= 0:
                    return _found(found, f"{row.name}/{offset}")
                text, offset, left = _text(line), offset + len(line), left - len(line)
                if wanted(text):
                    event = {"logStreamName": stream, "timestamp": at, "message": text, "ingestionTime": at}
                    found.append({**event, "eventId": f"{row.name}/{offset}"})
    more = "logStreamNames" not in request and len(rows) == FILTER_STREAMS
    return _found(found, f"{rows[-1].name}/{_log(backend, rows[-1]).size}" if more else None)


def _found(events: list[Plain], token: str | None) -> Plain:
    return {"events": events, "searchedLogStreams": [], **({} if token is None else {"nextToken": token})}


def _resumed(token: str | None) -> tuple[str, int]:
    """Return the training job to continue with, and the byte offset in its log."""
    found = re.fullmatch(r"([^/]+)/(\d{1,18})", token) if token else None
    if token and not found:
        raise _invalid("The specified nextToken is invalid.")
    return (found[1], int(found[2])) if found else ("", 0)


def _streams(backend: AwsBackend, request: Plain, first: str) -> Sequence[TrainingJobRow]:
    """Return the training jobs whose logs are asked for, by name, from `first` on; without names at most FILTER_STREAMS."""
    prefix, names = request.get("logStreamNamePrefix", ""), request.get("logStreamNames")
    if prefix and names:
        raise _invalid("Give either logStreamNamePrefix or logStreamNames, not both.")
    if names:
        return [row for row in (_training_job_of(backend, name) for name in sorted(set(names))) if row.name >= first]
    page = Page("name", descending=False, size=FILTER_STREAMS)
    with backend.reading() as connection:
        rows = training_job_page(connection, page, [*_begun(prefix), name_from(first)])
    return [row for row in rows if stream_of(row).startswith(prefix)]


# ---- patterns ----------------------------------------------------------------------------------------------------------

TERM = re.compile(r'([-?]?)(?:"([^"]*)"|(\S+))')


def _pattern(text: str) -> Callable[[str], bool]:
    """Return a test of lines: a line must have all words and "phrases" of the pattern, none of those after -, and one of those after ?
    where there are no others.

    Other patterns of CloudWatch (JSON, columns, regular expressions) are refused.
    """
    if text.strip()[:1] in ("{", "[", "%"):
        raise _invalid(f'The filterPattern {text[:80]!r} isn\'t one of words. Only words and "phrases" are read here.')
    terms = [(sign, phrase or word) for sign, phrase, word in TERM.findall(text)]
    needed, barred, choice = ([term for kind, term in terms if kind == sign] for sign in ("", "-", "?"))
    if choice and not needed and not barred:
        return lambda line: any(term in line for term in choice)
    return lambda line: all(term in line for term in needed) and not any(term in line for term in barred)


# ---- the lines of a log ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Log:
    """The lines of a log, read at most PAGE_BYTES at a time."""

    logs: TrainingJobLogs
    row: TrainingJobRow

    @property
    def ended(self) -> bool:
        """Return whether nothing will be added to the log, so that its last line needs no newline."""
        return self.row.ended_at is not None

    @cached_property
    def size(self) -> int:
        return self.logs.size(self.row)

    @property
    def end(self) -> int:
        """The place after the last line."""
        size = self.size
        begin = max(0, size - PAGE_BYTES)
        return size if self.ended else begin + self._read(begin, size).rfind(b"\n") + 1

    def present(self, place: int) -> int:
        """Return a place of a token; the beginning of a log that was truncated since the token was given."""
        return 0 if place > self.size else place

    def after(self, begin: int) -> list[bytes]:
        block = self._read(begin, begin + PAGE_BYTES)
        full, whole = len(block) == PAGE_BYTES, block.rfind(b"\n") + 1
        endless = full and not whole
        return _lines(block if endless or (self.ended and not full) else block[:whole])

    def before(self, end: int) -> list[bytes]:
        begin = max(0, end - PAGE_BYTES)
        block = self._read(begin, end)
        cut = block.find(b"\n") + 1 if begin else 0
        return _lines(block[cut:] or block)

    def _read(self, begin: int, end: int) -> bytes:
        return self.logs.piece(self.row, begin, end - begin).data


def _log(backend: AwsBackend, row: TrainingJobRow) -> _Log:
    return _Log(backend.service.logs, row)


def _lines(block: bytes) -> list[bytes]:
    """Return the lines of a block, with their line ends; a line longer than an event may be comes in pieces."""
    whole = block.splitlines(keepends=True)
    return [line[at : at + LONGEST_LINE] for line in whole for at in range(0, len(line), LONGEST_LINE)]


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode(errors="replace")


# ---- streams -----------------------------------------------------------------------------------------------------------


def _training_job_of(backend: AwsBackend, stream: str) -> TrainingJobRow:
    row = _row(backend, stream.partition("/")[0])
    if row is None or stream_of(row) != stream:
        raise WireError("ResourceNotFoundException", "The specified log stream does not exist.")
    return row


def _row(backend: AwsBackend, name: str) -> TrainingJobRow | None:
    """Return the training job if it has started."""
    with backend.reading() as connection:
        try:
            row = queries.training_job(connection, name)
        except NotFound:
            return None
    return None if row.started_at is None else row


def _check_group(request: Plain) -> None:
    name = request.get("logGroupName") or request.get("logGroupIdentifier", "")
    if name != GROUP and not name.endswith(f":log-group:{GROUP}"):
        raise WireError("ResourceNotFoundException", "The specified log group does not exist.")


def _invalid(message: str) -> WireError:
    return WireError("InvalidParameterException", message)


def _milliseconds(row: TrainingJobRow) -> int:
    return int((row.started_at or row.created_at).timestamp() * 1000)  # only those that have started have a stream


LOGS: Mapping[str, Function] = {
    "DescribeLogGroups": describe_log_groups,
    "DescribeLogStreams": describe_log_streams,
    "GetLogEvents": get_log_events,
    "FilterLogEvents": filter_log_events,
}
