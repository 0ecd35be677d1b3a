"""What a request names of this machine's files, sent to the server that shall run it, and the request that names it there.

Code and data alone: a command (alfine_command), an interpreter and whatever a script opens by itself are the server's.
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

BUCKET = "sagemaker-{region}-000000000000"  # the SDK's default bucket, of alfine's one account
DIRECTORY = "sagemaker_submit_directory"
LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache"}
)
MAX_CODE_BYTES = 256 << 20  # a folder of code that is more has data in it, or is somebody's whole home

Put = Callable[[str, str, Path], str]  # bucket, key, file -> URI


def sent(request: Mapping[str, Any], bucket: str, put: Put) -> tuple[dict[str, Any], list[str]]:
    """The request with s3:// instead of file://, and a line for each thing that was uploaded to the bucket.

    Raise InvalidSpec with every file that isn't there, before anything is uploaded.
    """
    changed = copy.deepcopy(dict(request))
    places = [*_places(changed)]
    faults = [Fault(key, f"there is nothing at {path}.") for key, path, _ in places if not path.exists()]
    faults += [
        Fault(key, f"{path} holds more than {MAX_CODE_BYTES >> 20} MiB. Give a source_dir with the code alone.")
        for key, path, _ in places
        if _is_code(key) and path.is_dir() and sum(each.stat().st_size for each in _code(path)) > MAX_CODE_BYTES
    ]
    if faults:
        raise InvalidSpec(faults)
    name = changed.get("HyperParameterTuningJobName", "job")
    said = []
    for key, path, replace in places:
        uri = (_send_code if _is_code(key) else _send_data)(path, bucket, f"{name}/{key}", put)
        replace(uri)
        said.append(f"Uploaded {path} to {uri}")
    return changed, said


def _places(request: dict[str, Any]) -> Iterator[tuple[str, Path, Callable[[str], None]]]:
    """Each place of the request that names a file: its key below the job's name, the file, what puts a URI there instead."""
    definitions = [request.get("TrainingJobDefinition"), *(request.get("TrainingJobDefinitions") or ())]
    for number, definition in enumerate(each for each in definitions if isinstance(each, dict)):
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
            for each in _code(path):
                packed.add(each, each.relative_to(path).as_posix(), recursive=False)
        return put(bucket, f"{key}/{archive.name}", archive)


def _send_data(path: Path, bucket: str, key: str, put: Put) -> str:
    if path.is_file():
        return put(bucket, f"{key}/{path.name}", path)
    for each in sorted(path.rglob("*")):
        if each.is_file():
            put(bucket, f"{key}/{each.relative_to(path).as_posix()}", each)
    return f"s3://{bucket}/{key}/"


def _code(folder: Path) -> Iterator[Path]:
    """The files of a folder of code, without what tools keep in it. Links are followed to files, not to folders."""
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        yield from (Path(at) / name for name in sorted(files) if (Path(at) / name).is_file())
