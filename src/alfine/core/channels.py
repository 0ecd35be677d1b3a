"""A channel of InputDataConfig, understood and checked: which data, how they are handed over, who of several hosts gets what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alfine.core.errors import Fault

INPUT_MODES = ("File", "FastFile", "Pipe")
SOURCE = "DataSource.S3DataSource"
REFUSED: Mapping[str, str] = {
    "DataSource.FileSystemDataSource": "alfine mounts no EFS or FSx. Name the folder in S3DataSource, as S3Uri file:///…",
    "DataSource.DatasetSource": "there are no dataset resources here. Use S3DataSource.",
    f"{SOURCE}.InstanceGroupNames": "all instances are of one group here. Leave it out.",
    f"{SOURCE}.HubAccessConfig": "there are no model hubs here. Leave it out.",
    f"{SOURCE}.ModelAccessConfig": "there are no gated models here. Leave it out.",
}
DATA_TYPES: Mapping[str, str] = {
    "S3Prefix": "",
    "ManifestFile": "",
    "AugmentedManifestFile": (
        "AugmentedManifestFile isn't supported here: its lines are streamed as RecordIO pairs. Use ManifestFile for its "
        "objects, and a channel of its own for its labels."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Input data: `uri` is s3://…, file://… or a local path; of a manifest when `manifest` is set.

    sharded: each of several hosts gets a part of the objects, all of them everything otherwise.
    gzip, record_io: the data are to be decompressed, each object to be wrapped in a RecordIO record.
    shuffle_seed: the order of the objects is to be shuffled, in each epoch anew.
    """

    name: str
    uri: str
    content_type: str | None = None
    input_mode: str = "File"
    manifest: bool = False
    sharded: bool = False
    gzip: bool = False
    record_io: bool = False
    shuffle_seed: int | None = None


def read_channel(entry: Mapping[str, Any], default_mode: str, path: str) -> tuple[Channel | None, list[Fault]]:
    """The channel that an entry describes, and what is wrong with it. default_mode: the algorithm's TrainingInputMode."""
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
    refused = [Fault(f"{path}.{name}", reason) for name, reason in REFUSED.items() if _at(entry, name)]
    yield from refused
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
    for name, value, known in choices:
        if value is not None and value not in known:
            yield Fault(f"{path}.{name}", f"{value!r} isn't supported here. Use {' or '.join(known)}.")
    if DATA_TYPES.get(kind):
        yield Fault(f"{path}.{SOURCE}.S3DataType", DATA_TYPES[kind])
    elif source.get("AttributeNames"):
        yield Fault(f"{path}.{SOURCE}.AttributeNames", "is for AugmentedManifestFile. Leave it out.")
    if entry.get("RecordWrapperType") == "RecordIO" and mode != "Pipe":
        yield Fault(f"{path}.RecordWrapperType", f"RecordIO is for Pipe mode. In {mode} mode leave it out.")


def _at(entry: Mapping[str, Any], path: str) -> Any:
    found: Any = entry
    for name in path.split("."):
        found = (found or {}).get(name)
    return found
