"""A channel of InputDataConfig, understood and checked: which data training jobs get, in which mode, and which host gets what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alfine.core.errors import Fault
from alfine.core.read_values import shown

NAME = re.compile(r"(?!\.{1,2}$)[^/\0]{1,64}")
"""A channel's name is that of a folder in the training job's own. AWS allows 64 characters."""

INPUT_MODES = ("File", "FastFile", "Pipe")
SOURCE = "DataSource.S3DataSource"

# Members that alfine doesn't support, with what to do instead.
REFUSED: Mapping[str, str] = {
    "DataSource.FileSystemDataSource": "alfine mounts no EFS or FSx. Name the folder in S3DataSource, as S3Uri file:///…",
    "DataSource.DatasetSource": "alfine has no dataset resources. Use S3DataSource.",
    f"{SOURCE}.InstanceGroupNames": "in alfine all instances belong to one group. Leave it out.",
    f"{SOURCE}.HubAccessConfig": "alfine has no model hubs. Leave it out.",
    f"{SOURCE}.ModelAccessConfig": "alfine has no gated models. Leave it out.",
}

# S3DataType, with why a type isn't supported.
DATA_TYPES: Mapping[str, str] = {
    "S3Prefix": "",
    "ManifestFile": "",
    "AugmentedManifestFile": (
        "AugmentedManifestFile isn't supported: alfine doesn't stream lines as RecordIO pairs. Use ManifestFile for the objects, "
        "and another channel for the labels."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel of input data.

    Args:
        name: ChannelName.
        uri: Where the data are: s3://…, file://… or a local path.
        input_mode: «File», «FastFile» or «Pipe».
        manifest: Whether `uri` is that of a manifest, which lists the objects.
        sharded: Whether each of several hosts gets a part of the objects; otherwise each gets all of them.
        gzip: Whether the data are decompressed.
        shuffle_seed: The seed with which the order of the objects is shuffled in each epoch; None: it isn't.
        content_type: The MIME type of the data.
        record_io: Whether each object is wrapped in a RecordIO record.
    """

    name: str
    uri: str
    input_mode: str
    manifest: bool
    sharded: bool
    gzip: bool
    shuffle_seed: int | None
    content_type: str | None
    record_io: bool


def read_channel(entry: Mapping[str, Any], default_mode: str, path: str) -> tuple[Channel | None, list[Fault]]:
    """Read an entry of InputDataConfig.

    Args:
        entry: The entry.
        default_mode: The algorithm's TrainingInputMode, for an entry without InputMode.
        path: The entry's path in the request.

    Returns:
        The channel, or None where there are faults; and the faults.
    """
    source = (entry.get("DataSource") or {}).get("S3DataSource") or {}
    faults = list(_faults(entry, source, default_mode, path))
    if faults:
        return None, faults
    shuffle = entry.get("ShuffleConfig") or {}
    return Channel(
        name=str(entry.get("ChannelName")),
        uri=str(source["S3Uri"]),
        content_type=entry.get("ContentType"),
        input_mode=entry.get("InputMode") or default_mode,
        manifest=source.get("S3DataType") == "ManifestFile",
        sharded=source.get("S3DataDistributionType") == "ShardedByS3Key",
        gzip=entry.get("CompressionType") == "Gzip",
        record_io=entry.get("RecordWrapperType") == "RecordIO",
        shuffle_seed=None if shuffle.get("Seed") is None else int(shuffle["Seed"]),
    ), []


def _faults(entry: Mapping[str, Any], source: Mapping[str, Any], default_mode: str, path: str) -> Iterator[Fault]:
    refused = [Fault(f"{path}.{name}", reason) for name, reason in REFUSED.items() if _member(entry, name)]
    yield from refused
    name = entry.get("ChannelName")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield Fault(
            f"{path}.ChannelName",
            f"{shown(name)} can't be the name of a folder. Use 1 to 64 letters, digits, -, _ and dots.",
        )
    if not source.get("S3Uri") and not refused:
        yield Fault(f"{path}.{SOURCE}.S3Uri", "is missing. Use file:///path or a local path.")
    mode = entry.get("InputMode") or default_mode
    kind = source.get("S3DataType", "S3Prefix")
    choices = (
        ("InputMode", mode, INPUT_MODES),
        (
            f"{SOURCE}.S3DataDistributionType",
            source.get("S3DataDistributionType"),
            ("FullyReplicated", "ShardedByS3Key"),
        ),
        ("CompressionType", entry.get("CompressionType"), ("None", "Gzip")),
        ("RecordWrapperType", entry.get("RecordWrapperType"), ("None", "RecordIO")),
        (f"{SOURCE}.S3DataType", kind, tuple(DATA_TYPES)),
    )
    for member, value, known in choices:
        if value is not None and value not in known:
            yield Fault(f"{path}.{member}", f"{value!r} isn't supported here. Use {' or '.join(known)}.")
    if DATA_TYPES.get(kind):
        yield Fault(f"{path}.{SOURCE}.S3DataType", DATA_TYPES[kind])
    elif source.get("AttributeNames"):
        yield Fault(f"{path}.{SOURCE}.AttributeNames", "is for AugmentedManifestFile. Leave it out.")
    if entry.get("RecordWrapperType") == "RecordIO" and mode != "Pipe":
        yield Fault(f"{path}.RecordWrapperType", f"RecordIO is for Pipe mode. In {mode} mode leave it out.")


def _member(entry: Mapping[str, Any], path: str) -> Any:
    """Return the member at a path like «DataSource.S3DataSource»; None where there is none."""
    value: Any = entry
    for name in path.split("."):
        value = (value or {}).get(name)
    return value
