"""Turns a portable Launch into the LocalLaunch of this machine, and paths into URIs."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from alfine.runners.executor import LocalChannel, LocalLaunch
from alfine.runners.launch import ChannelTerms, InputChannel, Launch, LaunchTerms, Source, terms_of

PACKAGE = str(Path(__file__).resolve().parents[1])
"""The folder of the package alfine on this machine."""

CHANNELS_KEPT = 1024
"""Channels whose URIs are remembered: all training jobs of a tuning job have the same ones."""

FILE = "file://"


def uri_of(path: Path) -> str:
    """Return the file:// URI of an absolute path."""
    return FILE + quote_from_bytes(os.fsencode(path))


def path_of(uri: str) -> Path:
    """Return the path that a file:// URI names.

    Raises:
        ValueError: It is another kind of URI.
    """
    if not uri.startswith(f"{FILE}/"):
        raise ValueError(f"{uri!r} isn't a file:// URI of an absolute path.")
    return Path(os.fsdecode(unquote_to_bytes(uri.removeprefix(FILE))))


@lru_cache(maxsize=CHANNELS_KEPT)
def portable_channel(channel: LocalChannel) -> InputChannel:
    """Return a channel of this machine as one with file:// URIs."""
    return InputChannel(
        **terms_of(channel, ChannelTerms),
        uri="" if channel.path == Path() else uri_of(channel.path.absolute()),
        shards=tuple(uri_of(shard.absolute()) for shard in channel.shards),
    )


@lru_cache(maxsize=CHANNELS_KEPT)
def local_channel(channel: InputChannel) -> LocalChannel:
    """Return a channel with file:// URIs as one of this machine."""
    return LocalChannel(
        **terms_of(channel, ChannelTerms),
        path=path_of(channel.uri) if channel.uri else Path(),
        shards=tuple(path_of(shard) for shard in channel.shards),
    )


@lru_cache(maxsize=CHANNELS_KEPT)
def portable_source(script: Path | None, folder: Path | None) -> tuple[Source | None, str]:
    """Return the source and the script of a launch.

    Args:
        script: A file inside `folder`, or a single file where that is None. None: there is no script.
        folder: The folder of the script's files.
    """
    if folder is not None:
        return Source(uri=uri_of(folder.absolute())), "" if script is None else script.as_posix()
    if script is None:
        return None, ""
    return Source(uri=uri_of(script.absolute()), single=True), script.name


def local_launch(launch: Launch, root: Path) -> LocalLaunch:
    """Return a training job as executors of this machine take it.

    Args:
        launch: The training job. Its URIs are file:// URIs.
        root: The folder that has a folder for each tuning job.

    Raises:
        ValueError: A URI isn't a file:// URI.
    """
    script, folder = _source(launch)
    terms = terms_of(launch, LaunchTerms) | {
        "command": None if launch.command is None else tuple(_here(word, launch) for word in launch.command),
        "environment": {name: _here(text, launch) for name, text in launch.environment.items()},
    }
    return LocalLaunch(
        **terms,
        folder=root / launch.tuning_job / launch.name,
        script=script,
        source_dir=folder,
        python=_here(launch.python, launch) or sys.executable,
        channels=tuple(map(local_channel, launch.channels)),
        shared=path_of(launch.shared) if launch.shared else None,
    )


def _source(launch: Launch) -> tuple[Path | None, Path | None]:
    """Return the script and the folder of its files."""
    script = Path(launch.script) if launch.script else None
    if launch.source is None:
        return script, None
    path = Path(_here(str(path_of(launch.source.uri)), launch))
    return (path, None) if launch.source.single else (script, path)


def _here(text: str, launch: Launch) -> str:
    """Return a text with this machine's alfine in the place of the one where the launch was made."""
    if launch.interpreter and text == launch.interpreter:
        return sys.executable
    if launch.package and launch.package != PACKAGE and launch.package in text:
        return text.replace(launch.package, PACKAGE)
    return text
