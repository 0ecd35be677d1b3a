"""What the AWS API has no field for, as JSON over HTTP beside it: GET /_alfine/…, behind the same guard.

    /_alfine/tuning-jobs                          all of them, with the best objective and why each ended
    /_alfine/tuning-jobs/NAME                     one: verdicts of all criteria, costs
    /_alfine/tuning-jobs/NAME/training-jobs       its training jobs
    /_alfine/tuning-jobs/NAME/replays             when other criteria would have ended it: ?criterion=TEXT, which may be repeated
    /_alfine/tuning-jobs/NAME/export              its training jobs as a table: ?format=csv, json or parquet
    /_alfine/buckets                              where s3:// leads
    /_alfine/training-jobs/NAME/log               a part of a log: ?begin=BYTE, or ?lines=N for the last ones

The commands of `alfine --endpoint` read these. What changes something goes through AWS's own operations, but for what AWS has none for:

    POST /_alfine/tuning-jobs/NAME/changes        other limits and criteria: the words of `Service.change` as a JSON object,
                                                  criteria as texts; the answer is the job as GET tells it
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from alfine.core.errors import AlfineError, Fault, InvalidSpec, NotFound
from alfine.core.fields import unknown
from alfine.jobs.analysis.export_table import FORMATS, export
from alfine.jobs.analysis.replay_report import told, turn
from alfine.jobs.change_request import CHANGES
from alfine.jobs.service import Service
from alfine.store.config import S3

MAX_CHANGES = 1 << 16  # bytes
PATH = "/_alfine"  # no bucket's name has an underscore


class Documents:
    """The documents of one service. s3: its settings. run: has a job gone on with; changed: wakes whoever runs one."""

    def __init__(self, service: Service, s3: S3, run: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.service, self.s3, self.run, self.changed = service, s3, run, changed

    def routes(self) -> Mount:
        paths: dict[str, tuple[Callable[[Request], Any], tuple[str, ...]]] = {  # with the parameters that it knows
            "/tuning-jobs": (self._tuning_jobs, ()),
            "/tuning-jobs/{name}": (self._tuning_job, ()),
            "/tuning-jobs/{name}/training-jobs": (self._training_jobs, ()),
            "/tuning-jobs/{name}/replays": (self._replays, ("criterion",)),
            "/tuning-jobs/{name}/export": (self._export, ("format",)),
            "/training-jobs/{name}/log": (self._log, ("begin", "lines")),
            "/buckets": (self._buckets, ()),
        }
        reading = [Route(path, _answering(*read), methods=["GET"]) for path, read in paths.items()]
        return Mount(PATH, routes=[*reading, Route("/tuning-jobs/{name}/changes", self._changes, methods=["POST"])])

    def _tuning_jobs(self, _: Request) -> Any:
        return {"HyperParameterTuningJobSummaries": [*self.service.list()]}

    def _tuning_job(self, request: Request) -> Any:
        return self.service.describe(request.path_params["name"])

    def _training_jobs(self, request: Request) -> Any:
        return {"TrainingJobSummaries": [*self.service.training_jobs(request.path_params["name"])]}

    def _replays(self, request: Request) -> Any:
        texts = request.query_params.getlist("criterion")
        with turn(texts):
            return told(self.service.history(request.path_params["name"]), texts)

    async def _changes(self, request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_CHANGES:
                break

        def change(request: Request) -> Any:
            name = request.path_params["name"]
            self.service.change(name, **_words(body))
            self.changed()
            self.run(name)
            return self.service.describe(name)

        answer: Response = await _answering(change, ())(request)
        return answer

    def _export(self, request: Request) -> Response:
        kind = request.query_params.get("format", "csv")
        if kind not in FORMATS:
            raise InvalidSpec([Fault("format", f"{kind[:40]!r} must be one of {', '.join(FORMATS)}.")])
        return _as_file(export(self.service.history(request.path_params["name"]), kind), {})

    def _buckets(self, _: Request) -> Any:
        return {"Endpoint": self.s3.endpoint or None, "Region": self.s3.region}

    def _log(self, request: Request) -> Response:
        begin, lines = (_number(request, each) for each in ("begin", "lines"))
        if begin is not None and lines is not None:
            raise InvalidSpec([Fault("lines", "are the last ones, wherever the log begins. Give begin or lines.")])
        part = self.service.log(request.path_params["name"], begin or 0, lines)
        headers = {
            "x-alfine-training-job": quote(part.training_job),
            "x-alfine-status": part.status,
            "x-alfine-path": quote(part.path),
            "x-alfine-begin": str(part.begin),
            "x-alfine-ended": "true" if part.ended else "false",
        }
        return _as_file(part.data, headers)


def _words(body: bytes) -> dict[str, Any]:
    """What to change. Raise InvalidSpec for what isn't an object of the words that there are."""
    try:
        found = json.loads(body) if len(body) <= MAX_CHANGES else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not found:
        raise InvalidSpec([Fault("", f"The body must be a JSON object of at most {MAX_CHANGES} bytes.")])
    faults = [Fault(key[:40], unknown(key[:40], CHANGES)) for key in found if key not in CHANGES]
    if faults:
        raise InvalidSpec(faults)
    return found


def _as_file(data: bytes, headers: Mapping[str, str]) -> Response:
    """Bytes that a browser, should it ask for them, takes for text and nothing else."""
    safe = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox"}
    return Response(data, headers={**headers, **safe}, media_type="text/plain")


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidSpec([Fault(name, f"{text[:40]!r} must be a whole number.")])
    return int(text)


def _answering(read: Callable[[Request], Any], known: tuple[str, ...]) -> Callable[[Request], Any]:
    """known: the parameters that are read; any other is refused."""

    async def answer(request: Request) -> Response:
        try:
            _check(request, known)
            status, value = 200, await run_in_threadpool(read, request)
            if isinstance(value, Response):
                return value
        except AlfineError as error:
            status, value = 404 if isinstance(error, NotFound) else 400, {"__type": error.code, "Message": str(error)}
        text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
        return Response(text, status, media_type="application/json")

    return answer


def _check(request: Request, known: tuple[str, ...]) -> None:
    """X-Amz-… are of a signed URL."""
    odd = [name for name in request.query_params if name not in known and not name.startswith("X-Amz-")]
    if odd:
        told = f"Known: {', '.join(known)}." if known else "There are none."
        raise InvalidSpec([Fault(odd[0][:40], f"isn't a parameter of this document. {told}")])


def _plain(value: Any) -> Any:
    """What JSON can say: numpy's scalars as numbers, infinities as null, texts without half characters."""
    match value:
        case dict():
            return {_plain(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case bool() | int() | None:
            return value
        case str():
            return value if value.isascii() else value.encode(errors="replace").decode()
        case float():
            return value if math.isfinite(value) else None
        case _:
            return _plain(value.item()) if hasattr(value, "item") else str(value)
