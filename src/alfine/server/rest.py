"""alfine's REST API: what AWS's API has no field for, as JSON at /_alfine/…, with the same access rules.

    /_alfine/tuning-jobs                          tuning jobs, with best objective and reason of the end: ?status, ?name,
                                                  ?tag=KEY=VALUE (all three repeatable), ?sort, ?order=ascending, ?limit
    /_alfine/tuning-jobs/NAME                     one tuning job, with the verdicts of its criteria and its cost
    /_alfine/tuning-jobs/NAME/training-jobs       its training jobs
    /_alfine/tuning-jobs/NAME/replays             when other criteria would have ended it: ?criterion=TEXT, repeatable
    /_alfine/tuning-jobs/NAME/export              its training jobs as a table: ?format=csv, json or parquet
    /_alfine/tuning-jobs/NAME/report              its report, one HTML page: ?criterion=TEXT, repeatable
    /_alfine/buckets                              the S3 that s3:// URIs use
    /_alfine/training-jobs/NAME/log               a part of a log: ?begin=BYTE, or ?lines=N for the last lines
    /_alfine/training-jobs/NAME/log-piece         the same for other servers: ?begin=BYTE, ?most=BYTES

`alfine --endpoint` uses them. Changes use AWS's own operations, except for what AWS doesn't have:

    POST /_alfine/tuning-jobs/NAME/changes        change limits and criteria: the arguments of `Service.change` as a JSON
                                                  object, criteria as texts; the answer is that of GET for the job
    POST /_alfine/tuning-jobs/NAME/annotations    set `note` (a text) and `tags` (an object; null removes a tag)
    POST /_alfine/console-links                   make a one-time link into the console, for the key that signed this
    POST /_alfine/tuning-jobs/NAME/forced-stop    kill what runs of it, and record it as Stopped
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from alfine.aws.auth.guard import SIGNER
from alfine.aws.dispatch import UNAVAILABLE, retry_headers
from alfine.core.errors import AlfineError, Fault, InvalidSpec, NotFound, NoTuningJob
from alfine.core.fields import CHANGEABLE, unknown
from alfine.core.unavailable import UNAVAILABLE_CODE, reason_to_try_later
from alfine.core.wording import did_you_mean
from alfine.figures.report import report
from alfine.jobs.analysis.export_table import FORMATS, export_table
from alfine.jobs.analysis.replay_report import check_size, recorded_report, report_turn
from alfine.jobs.service import Service
from alfine.runners.log_files import PART_BYTES
from alfine.server.replay_desk import ReplayDesk, wanted_replays
from alfine.store.config import S3
from alfine.store.tuning_job_table import SORTS, TuningJobSelection

MAX_CHANGE_BYTES = 1 << 16
"""Largest body of a change."""

ANNOTATIONS = ("note", "tags")
"""Keys of a body with annotations."""

LONGEST_NUMBER = 18
"""Digits of a number in a query: any that fits into 64 bits."""

SHOWN_LETTERS = 40
"""Letters of a wrong value that a message shows."""

PATH = "/_alfine"
"""Path at which the API begins; bucket names have no underscore, so that it hides none."""


class RestApi:
    """The REST API of one home.

    Args:
        service: Reads and changes its tuning jobs.
        s3: Its settings of S3.
        run: Runs the tuning job of that name on this server.
        changed: Wakes the engine after a change.
        console_link: Returns the path of a new one-time link into the console for the access key with that id.
        force_stop: Stops the tuning job of that name by force; see `Service.force_stop`.
        replays: Works out replays.
    """

    def __init__(
        self,
        service: Service,
        s3: S3,
        run: Callable[[str], None],
        changed: Callable[[], None],
        *,
        console_link: Callable[[str], str],
        force_stop: Callable[[str], Sequence[str]],
        replays: ReplayDesk,
    ) -> None:
        self.service, self.s3, self.run, self.changed = service, s3, run, changed
        self.console_link, self.force_stop, self.replays = console_link, force_stop, replays

    def routes(self) -> Mount:
        """Return the routes of all documents."""
        paths: dict[
            str, tuple[Callable[[Request], Any], tuple[str, ...]]
        ] = {  # path: (reader, parameters of the query)
            "/tuning-jobs": (self._tuning_jobs, ("status", "name", "tag", "sort", "order", "limit")),
            "/tuning-jobs/{name}": (self._tuning_job, ()),
            "/tuning-jobs/{name}/training-jobs": (self._training_jobs, ()),
            "/tuning-jobs/{name}/replays": (self._replays, ("criterion",)),
            "/tuning-jobs/{name}/export": (self._export, ("format",)),
            "/tuning-jobs/{name}/report": (self._report, ("criterion",)),
            "/training-jobs/{name}/log": (self._log, ("begin", "lines")),
            "/training-jobs/{name}/log-piece": (self._log_piece, ("begin", "most")),
            "/buckets": (self._buckets, ()),
        }
        reading = [Route(path, _answering(*read), methods=["GET"]) for path, read in paths.items()]
        changing = [
            Route("/tuning-jobs/{name}/changes", self._changes, methods=["POST"]),
            Route("/tuning-jobs/{name}/annotations", self._annotations, methods=["POST"]),
            Route("/tuning-jobs/{name}/forced-stop", _answering(self._forced_stop, ()), methods=["POST"]),
            Route("/console-links", _answering(self._new_link, ()), methods=["POST"]),
        ]
        return Mount(PATH, routes=[*reading, *changing])

    def _tuning_jobs(self, request: Request) -> Any:
        rows, total = self.service.listed(_selection(request), _number(request, "limit"))
        return {"HyperParameterTuningJobSummaries": rows, "Total": total}

    def _tuning_job(self, request: Request) -> Any:
        return self.service.describe(request.path_params["name"])

    def _training_jobs(self, request: Request) -> Any:
        return {"TrainingJobSummaries": [*self.service.training_jobs(request.path_params["name"])]}

    def _replays(self, request: Request) -> Any:
        texts = request.query_params.getlist("criterion")
        check_size(texts)
        job = self.service.get(request.path_params["name"])
        history = self.service.history(job.name)
        wanted = wanted_replays((job.id, job.facts, job.status), history, texts)
        return recorded_report(history, self.replays.results(request.scope.get(SIGNER, ""), wanted))

    async def _changes(self, request: Request) -> Response:
        body = await _body(request)

        def change(request: Request) -> Any:
            name = request.path_params["name"]
            self.service.change(name, **_object_in(body, CHANGEABLE))
            self.changed()
            self.run(name)
            return self.service.describe(name)

        answer: Response = await _answering(change, ())(request)
        return answer

    async def _annotations(self, request: Request) -> Response:
        body = await _body(request)

        def annotate(request: Request) -> Any:
            name = request.path_params["name"]
            self.service.annotate(name, **_object_in(body, ANNOTATIONS))
            return self.service.describe(name)

        answer: Response = await _answering(annotate, ())(request)
        return answer

    def _forced_stop(self, request: Request) -> Any:
        name = request.path_params["name"]
        left = self.force_stop(name)
        self.changed()
        return {"HyperParameterTuningJobName": name, "HyperParameterTuningJobStatus": "Stopped", "StillRunning": left}

    def _export(self, request: Request) -> Response:
        kind = request.query_params.get("format", "csv")
        if kind not in FORMATS:
            raise InvalidSpec([Fault("format", f"{kind[:SHOWN_LETTERS]!r} must be one of {', '.join(FORMATS)}.")])
        return _as_file(export_table(self.service.history(request.path_params["name"]), kind), {})

    def _report(self, request: Request) -> Response:
        name, texts = request.path_params["name"], request.query_params.getlist("criterion")
        with report_turn(texts):  # it asks a criterion again and again, as a replay does
            page = report(self.service.get(name), self.service.history(name), texts)
        return _as_file(page.encode(), {})

    def _buckets(self, _: Request) -> Any:
        return {"Endpoint": self.s3.endpoint or None, "Region": self.s3.region}

    def _new_link(self, request: Request) -> Any:
        return {"Path": self.console_link(request.scope.get(SIGNER, ""))}

    def _log(self, request: Request) -> Response:
        begin, lines = (_number(request, name) for name in ("begin", "lines"))
        if begin is not None and lines is not None:
            raise InvalidSpec([Fault("lines", "can't be combined with begin. Give one of them.")])
        part = self.service.log(request.path_params["name"], begin or 0, lines)
        headers = {
            "x-alfine-training-job": quote(part.training_job),
            "x-alfine-status": part.status,
            "x-alfine-path": quote(part.path),
            "x-alfine-begin": str(part.begin),
            "x-alfine-ended": "true" if part.ended else "false",
        }
        return _as_file(part.data, headers)

    def _log_piece(self, request: Request) -> Response:
        """Answer another server, which reads a log that lies here as it would read one of its own."""
        begin, most = (_number(request, name) or 0 for name in ("begin", "most"))
        piece = self.service.logs.of(request.path_params["name"], begin, min(most, PART_BYTES))
        headers = {
            "x-alfine-begin": str(piece.begin),
            "x-alfine-size": str(piece.size),
            "x-alfine-path": quote(piece.path),
        }
        return _as_file(piece.data, headers)


async def _body(request: Request) -> bytes:
    """Return the body of a request, or more than MAX_CHANGE_BYTES of a longer one."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_CHANGE_BYTES:
            break
    return body


def _object_in(body: bytes, known: Sequence[str]) -> dict[str, Any]:
    """Return the JSON object in a body, whose keys must be known; raise InvalidSpec for anything else."""
    try:
        changes = json.loads(body) if len(body) <= MAX_CHANGE_BYTES else None
    except (ValueError, RecursionError):
        changes = None
    if not isinstance(changes, dict) or not changes:
        raise InvalidSpec([Fault("", f"The body must be a JSON object of at most {MAX_CHANGE_BYTES} bytes.")])
    faults = [Fault(key[:SHOWN_LETTERS], unknown(key[:SHOWN_LETTERS], known)) for key in changes if key not in known]
    if faults:
        raise InvalidSpec(faults)
    return changes


def _as_file(data: bytes, headers: Mapping[str, str]) -> Response:
    """Return bytes as plain text, which a browser must not run or interpret."""
    safe = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox"}
    return Response(data, headers={**headers, **safe}, media_type="text/plain")


def _selection(request: Request) -> TuningJobSelection:
    """Return the tuning jobs that a query asks for; the newest first, unless it says otherwise."""
    query = request.query_params
    sort, order = query.get("sort", "created"), query.get("order", "descending")
    for name, value, known in (("sort", sort, SORTS), ("order", order, ("ascending", "descending"))):
        if value not in known:
            raise InvalidSpec([Fault(name, f"{value[:SHOWN_LETTERS]!r} must be one of {', '.join(known)}.")])
    pairs = (tag.partition("=") for tag in query.getlist("tag"))
    return TuningJobSelection(
        names=query.getlist("name"),
        statuses=query.getlist("status"),
        tags=[(key, value if equals else None) for key, equals, value in pairs],
        sort=sort,
        descending=order == "descending",
    )


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_NUMBER:
        raise InvalidSpec([Fault(name, f"{text[:SHOWN_LETTERS]!r} must be a whole number.")])
    return int(text)


def _answering(read: Callable[[Request], Any], known: tuple[str, ...]) -> Callable[[Request], Any]:
    """Return the endpoint that answers with what `read` returns, and refuses parameters that are not `known`."""

    async def answer(request: Request) -> Response:
        try:
            _check(request, known)
            status, value = 200, await run_in_threadpool(read, request)
            if isinstance(value, Response):
                return value
        except AlfineError as error:
            message = error.sentence() if isinstance(error, NoTuningJob) and error.similar else str(error)
            status, value = _status_of(error), {"__type": error.code, "Message": message}
        except OSError as error:
            if not (reason := reason_to_try_later(error)):
                raise
            status, value = UNAVAILABLE, {"__type": UNAVAILABLE_CODE, "Message": reason}
        text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
        return Response(text, status, retry_headers(status), media_type="application/json")

    return answer


def _status_of(error: AlfineError) -> int:
    if isinstance(error, NotFound):
        return 404
    return UNAVAILABLE if error.code == UNAVAILABLE_CODE else 400


def _check(request: Request, known: tuple[str, ...]) -> None:
    """Raise InvalidSpec for unknown parameters of the query; X-Amz-… belong to a signed URL."""
    odd = [name for name in request.query_params if name not in known and not name.startswith("X-Amz-")]
    if odd:
        hint = did_you_mean(odd[0], known)
        raise InvalidSpec([Fault(odd[0][:SHOWN_LETTERS], f"isn't a parameter of this document. {hint}")])


def _plain(value: Any) -> Any:
    """Convert a value to JSON: numpy's scalars to numbers, infinities to null, strings without lone surrogates."""
    match value:
        case dict():
            return {_plain(key): _plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case bool() | int() | None:
            return value
        case str():
            return value if value.isascii() else value.encode(errors="replace").decode()
        case float():
            return value if math.isfinite(value) else None
        case _:
            return _plain(value.item()) if hasattr(value, "item") else str(value)
