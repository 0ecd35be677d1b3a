"""Upload the code and data that a request names on this machine, and rewrite the request to use the uploaded files.

Only code (source_dir, script) and data channels are uploaded. A command (alfine_command), an interpreter, and files that a
script opens itself must exist on the server.
"""

from __future__ import annotations

import copy
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from alfine.core.errors import Fault, InvalidSpec
from alfine.programs.hyperparameter_text import unquoted

BUCKET = "sagemaker-{region}-000000000000"
"""The default bucket of the SageMaker SDK, in alfine's only account."""

DIRECTORY = "sagemaker_submit_directory"
"""The static hyperparameter of SageMaker's script mode that names the code."""

LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache"}
)
"""Folders of tools that are not uploaded with code."""

MAX_CODE_BYTES = 256 << 20
"""Largest folder of code, in bytes: a larger one probably contains data, or is a whole home folder."""

Put = Callable[[str, str, Path], str]
"""Uploads a file: (bucket, key, file) -> URI."""


def upload_inputs(request: Mapping[str, Any], bucket: str, put: Put) -> tuple[dict[str, Any], list[str]]:
    """Upload the files that a request names.

    Args:
        request: A CreateHyperParameterTuningJob request with file:// URIs.
        bucket: The bucket to upload to.
        put: Uploads one file.

    Returns:
        The request with s3:// URIs, and a line for each upload.

    Raises:
        InvalidSpec: Files are missing, or a folder of code is too large. Nothing was uploaded then.
    """
    changed = copy.deepcopy(dict(request))
    places = [*_places(changed)]
    faults = [Fault(key, f"{path} doesn't exist.") for key, path, _ in places if not path.exists()]
    faults += [
        Fault(
            key,
            f"{path} has more than {MAX_CODE_BYTES >> 20} MiB, the limit for code. Use a source_dir that only contains code.",
        )
        for key, path, _ in places
        if _is_code(key) and path.is_dir() and sum(file.stat().st_size for file in _code(path)) > MAX_CODE_BYTES
    ]
    if faults:
        raise InvalidSpec(faults)
    name = changed.get("HyperParameterTuningJobName", "job")
    lines = []
    for key, path, replace in places:
        uri = (_send_code if _is_code(key) else _send_data)(path, bucket, f"{name}/{key}", put)
        replace(uri)
        lines.append(f"Uploaded {path} to {uri}")
    return changed, lines


def _places(request: dict[str, Any]) -> Iterator[tuple[str, Path, Callable[[str], None]]]:
    """Yield each place of the request that names a file: (key below the job's name, file, function that puts a URI there)."""
    definitions = [request.get("TrainingJobDefinition"), *(request.get("TrainingJobDefinitions") or ())]
    for number, definition in enumerate(entry for entry in definitions if isinstance(entry, dict)):
        suffix = f"-{number}" if number else ""
        static = definition.get("StaticHyperParameters") or {}
        path = _path(unquoted(static.get(DIRECTORY, "")))
        if path is not None:
            yield f"source{suffix}", path, _setter(static, DIRECTORY)
        for channel in definition.get("InputDataConfig") or ():
            source = (channel.get("DataSource") or {}).get("S3DataSource") or {}
            path = _path(source.get("S3Uri", ""))
            if path is not None:
                yield f"input{suffix}/{channel.get('ChannelName')}", path, _setter(source, "S3Uri")


def _is_code(key: str) -> bool:
    return key.startswith("source")


def _setter(holder: dict[str, Any], key: str) -> Callable[[str], None]:
    return lambda uri: holder.__setitem__(key, uri)


def _path(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _send_code(path: Path, bucket: str, key: str, put: Put) -> str:
    if path.is_file():
        return put(bucket, f"{key}/{path.name}", path)
    with tempfile.TemporaryDirectory(prefix="alfine-") as folder:
        archive = Path(folder) / "sourcedir.tar.gz"
        with tarfile.open(archive, "w:gz") as packed:
            for file in _code(path):
                packed.add(file, file.relative_to(path).as_posix(), recursive=False)
        return put(bucket, f"{key}/{archive.name}", archive)


def _send_data(path: Path, bucket: str, key: str, put: Put) -> str:
    if path.is_file():
        return put(bucket, f"{key}/{path.name}", path)
    for file in sorted(path.rglob("*")):
        if file.is_file():
            put(bucket, f"{key}/{file.relative_to(path).as_posix()}", file)
    return f"s3://{bucket}/{key}/"


def _code(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder of code, without folders of tools. Links to files are followed, links to folders are not."""
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        yield from (Path(at) / name for name in sorted(files) if (Path(at) / name).is_file())
