"""Fetches the code and the data of a training job on the node where it was placed, where that shares no files with alfine."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

from alfine.core.channels import Channel
from alfine.core.errors import InvalidSpec
from alfine.programs.data.archives import is_archive, sha256_of, unpacked
from alfine.programs.data.channels import channel_paths
from alfine.programs.data.request_files import RequestFiles, Unreadable, sentence
from alfine.runners.executor import LocalChannel
from alfine.runners.launch import ChannelTerms, InputChannel, Launch, Source, terms_of
from alfine.runners.local_launch import portable_channel, uri_of
from alfine.runners.node_cache import INPUTS
from alfine.runners.storage.locations import S3_URI, Buckets, may_pass

UNREADABLE = (Unreadable, InvalidSpec, OSError, EOFError, zlib.error)


def fetch_inputs(launch: Launch, root: Path, buckets: Buckets | None, *, max_decompressed_bytes: int) -> Launch:
    """Return a launch with file:// URIs in the place of s3:// URIs: its code and its data are files of this machine then.

    They are fetched once for all training jobs of a tuning job. What can't be read is a channel whose `trouble` ends the training job.

    Args:
        launch: The training job.
        root: The folder that has a folder for each tuning job.
        buckets: Where s3:// URIs lead.
        max_decompressed_bytes: See `RequestFiles`.

    Raises:
        OSError: The buckets can't be read at present, but may be later.
    """
    files = RequestFiles(
        root / launch.tuning_job / INPUTS, buckets, fetch=True, faults=[], max_decompressed_bytes=max_decompressed_bytes
    )
    channels = []
    try:
        launch = replace(launch, source=launch.source and _source(launch.source, files))
    except UNREADABLE as error:
        launch = replace(launch, source=None, script="", command=(launch.script,))
        channels.append(portable_channel(LocalChannel(name="code", path=Path(), trouble=_told(error))))
    channels += [_channel(channel, files, launch.instance_count) for channel in launch.channels]
    return replace(launch, channels=tuple(channels))


def _source(source: Source, files: RequestFiles) -> Source:
    if not source.uri.startswith(S3_URI):
        return source
    path = files.path(source.uri, "code", make=True)
    if source.sha256 and sha256_of(path) != source.sha256:
        raise Unreadable(f"{source.uri} has changed since alfine began this tuning job.")
    return Source(uri=uri_of(unpacked(path, files.place) if is_archive(path) else path))


def _channel(channel: InputChannel, files: RequestFiles, hosts: int) -> InputChannel:
    if not channel.uri.startswith(S3_URI):
        return channel
    asked = Channel(
        name=channel.name,
        uri=channel.uri,
        input_mode=channel.input_mode,
        manifest=channel.manifest,
        sharded=channel.sharded,
        gzip=channel.gzip,
        shuffle_seed=channel.seed,
        content_type=channel.content_type,
        record_io=channel.record_io,
    )
    terms = terms_of(channel, ChannelTerms)
    path, shards = Path(), tuple[Path, ...]()
    try:
        path, shards = channel_paths(asked, files, hosts)
    except UNREADABLE as error:
        terms["trouble"] = _told(error)
    return portable_channel(LocalChannel(**terms, path=path, shards=shards))


def _told(error: Exception) -> str:
    """Return why something can't be read, as a sentence; raise the error again where it may be read later."""
    if may_pass(error):
        raise error
    return sentence(error)
