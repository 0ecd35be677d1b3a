"""The input channels of a definition: their data as files of this machine, decompressed and divided between the hosts."""

from __future__ import annotations

import gzip
import random
import shutil
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from alfine.core.channels import Channel
from alfine.core.spec import DEFINITION, TuningJobSpec
from alfine.programs.data.made_once import made_once
from alfine.programs.data.request_files import Forbidden, Objects, RequestFiles, Unreadable, sentence
from alfine.runners.executor import LocalChannel
from alfine.runners.storage.locations import local, may_pass

PIECE_BYTES = 1 << 20
"""Bytes that are decompressed at once."""

LEFT_FREE_BYTES = 1 << 30
"""Bytes of a disk that decompressed data leave free: a few KiB can become any number of GiB."""


def channels(spec: TuningJobSpec, files: RequestFiles) -> Iterator[LocalChannel]:
    """Yield the input channels of all training jobs of a definition.

    Args:
        spec: The specification of the definition.
        files: Finds their files, and collects faults: with `fetch` only what requests may not name, without it everything.

    Raises:
        OSError: Data can't be read at present, but may be later (only with `fetch`).
    """
    for channel in spec.definition.channels:
        trouble, path = "", Path()
        shards: tuple[Path, ...] = ()
        try:
            path, shards = channel_paths(channel, files, spec.definition.instance_count)
        except (Unreadable, OSError, EOFError, zlib.error) as error:
            if files.fetch and may_pass(error):
                raise
            trouble = sentence(error)
            if isinstance(error, Forbidden) or not files.fetch:
                files.fault(f"{DEFINITION}.InputDataConfig ({channel.name})", trouble)
        yield LocalChannel(
            name=channel.name,
            path=path,
            content_type=channel.content_type,
            input_mode=channel.input_mode,
            sharded=channel.sharded,
            shards=shards,
            gzip=channel.gzip,
            record_io=channel.record_io,
            seed=channel.shuffle_seed,
            trouble=trouble,
        )


def channel_paths(channel: Channel, files: RequestFiles, hosts: int) -> tuple[Path, tuple[Path, ...]]:
    """Return the folder (or file) that every host sees, and those of each host where they share the data.

    Args:
        channel: The channel.
        files: Finds its files.
        hosts: How many hosts a training job has.

    Raises:
        Unreadable: There is nothing, or it can't be read.
        OSError: It can't be read at present, but may be later.
    """
    name = f"channel-{channel.name}"
    if channel.manifest:
        objects = files.listed(channel.uri, name)
        path = files.folder(name, objects) if files.fetch else Path()
    else:
        path = files.path(channel.uri, name, make=files.fetch)
    if channel.input_mode == "Pipe":  # decompressing, sharing and shuffling are done by pipes.py
        return path, ()
    asked, split = path == local(channel.uri), channel.sharded and hosts > 1
    if not files.fetch:
        if asked and (channel.gzip or split):
            files.below(path, asked=True)
        return path, ()
    if channel.gzip:
        path, asked = _decompressed(files, f"{name}-plain", files.below(path, asked=asked)), False
    if not split:
        return path, ()
    objects = files.below(path, asked=asked)
    return path, tuple(
        files.folder(f"{name}-{host + 1}-of-{hosts}", {part: objects[part] for part in mine})
        for host, mine in enumerate(shares(list(objects), hosts, channel.shuffle_seed))
    )


def shares(names: Sequence[str], hosts: int, seed: int | None) -> list[list[str]]:
    """Divide files between hosts: each host gets every n-th file.

    Args:
        names: The files, in the order of their keys.
        hosts: The number of hosts.
        seed: With a seed the files are shuffled before.

    Returns:
        The files of each host.

    Example:
        >>> shares(["a", "b", "c"], 2, None)
        [['a', 'c'], ['b']]
    """
    order = list(names)
    if seed is not None:
        random.Random(seed).shuffle(order)
    return [order[host::hosts] for host in range(hosts)]


def _decompressed(files: RequestFiles, name: str, objects: Objects) -> Path:
    """Return a folder with the decompressed content of the files. Their names lose «.gz»."""

    def fill(draft: Path) -> None:
        left = files.max_decompressed_bytes
        for packed, stored in objects.items():
            plain = draft / packed.removesuffix(".gz")
            plain.parent.mkdir(parents=True, exist_ok=True)
            try:
                with gzip.open(files.file(stored)) as source, plain.open("xb") as target:
                    while piece := source.read(PIECE_BYTES):
                        left -= len(piece)
                        _check_room(draft, left, files.max_decompressed_bytes)
                        target.write(piece)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise Unreadable(f"CompressionType is Gzip, but {packed} isn't a whole gzip file: {error}.") from error
            except FileExistsError as error:
                raise Unreadable(
                    f"two files would have the same name when decompressed: {packed.removesuffix('.gz')}."
                ) from error

    return made_once(files.place, name, repr(list(objects.items())), fill)


def _check_room(folder: Path, left: int, most: int) -> None:
    """Raise Unreadable where decompressed data exceed their limit, or what the disk can spare."""
    if left < 0:
        raise Unreadable(
            f"its files are more than {most} bytes when decompressed. To allow more, raise max_decompressed_bytes under [run] in "
            "alfine.toml; or use Pipe mode, which decompresses while reading and stores nothing."
        )
    if shutil.disk_usage(folder).free < LEFT_FREE_BYTES:
        raise Unreadable(
            f"its files leave less than {LEFT_FREE_BYTES >> 30} GiB free on the disk of {folder.parent} when decompressed. Make room, "
            "or use Pipe mode, which decompresses while reading and stores nothing."
        )
