"""The files that a training job left: model, output and checkpoints, with their sizes, and each to download."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from alfine.core.errors import Fault, InvalidSpec, NotFound
from alfine.core.spec import FUNCTION, definition_of
from alfine.core.wording import did_you_mean
from alfine.jobs.training_job_log import workspace_of
from alfine.runners.left_files import FOLDERS, left_files, open_left_file
from alfine.runners.storage.artifacts import artifact
from alfine.server.console.page_request import PageRequest
from alfine.server.console.sent_files import attachment
from alfine.store import queries
from alfine.store.records import TrainingJobRow

TITLES = {"model": "Model", "output": "Output", "checkpoints": "Checkpoints", "packed": "Packed"}

CHUNK_BYTES = 1 << 20
"""Bytes of a file that are sent at once."""


def artifacts(request: PageRequest, row: TrainingJobRow, tuning_request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a training job has left so far: its files on this machine, and where its model is stored.

    Args:
        request: The page's request.
        row: The training job.
        tuning_request: The request of its tuning job.
    """
    definition = definition_of(tuning_request, row.definition)
    if FUNCTION in (definition.get("StaticHyperParameters") or {}):
        return {"kinds": [], "stored": None, "note": "A Python function leaves no files."}
    output, note = definition.get("OutputDataConfig", {}), ""
    packed = output.get("CompressionType") != "NONE"
    stored = artifact(output.get("S3OutputPath", ""), row.name, packed=packed, attempt=row.attempt)
    try:
        kinds = left_files(workspace_of(request.service.folder, row))
        note = "" if kinds else "No files so far." if row.ended_at is None else "It left no files."
    except OSError:  # it ran elsewhere, or its folder was removed or replaced: the note says what to do
        kinds, note = [], f"Its files aren't on this machine{f', but on {row.node}' if row.node else ''}."
    return {"kinds": [_kind(row, each) for each in kinds], "stored": row.uploaded_at and stored, "note": note}


def _kind(row: TrainingJobRow, files: Any) -> Mapping[str, Any]:
    return {
        "title": TITLES[files.kind],
        "count": files.count,
        "size": files.size,
        "whole": files.whole,
        "files": [(name, size, _address(row.name, files.kind, name)) for name, size in files.files],
    }


def _address(training_job: str, kind: str, name: str) -> str | None:
    """Return where a file can be downloaded; None for a name that isn't a text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return None
    return f"/console/training-jobs/{training_job}/files/{kind}?{urlencode({'path': name})}"


def file(request: PageRequest) -> Response:
    """Answer a file that the training job left, to be saved. Query: `path`, below the folder of its kind."""
    name, kind, path = request.path_part("name"), request.path_part("kind"), request.query.get("path", "")
    if kind not in FOLDERS:
        raise InvalidSpec([Fault("files", f"{kind!r} isn't one. {did_you_mean(kind, FOLDERS)}")])
    with request.service.store.reading() as connection:
        row = queries.training_job(connection, name)
    try:
        opened = open_left_file(workspace_of(request.service.folder, row), kind, path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise NotFound(f"{name} has no file {path[:100]!r} in {kind}.") from error
    headers = attachment(path.rpartition("/")[2])
    return StreamingResponse(_chunks(opened), media_type="application/octet-stream", headers=headers)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
