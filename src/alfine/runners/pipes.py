"""Pipe input mode: named pipes `<channel>_0`, `<channel>_1`, …, from each of which a training job reads one epoch's data.

    python -I -S pipes.py CONFIG COMMAND …

makes the first pipes, starts a feeder as its child, and becomes the command. The feeder waits at each pipe until somebody opens it,
writes the channel's files one after the other, closes it, and goes on with the pipe of the next epoch. It has at most one piece of a
file in memory (with RecordIO one file). It ends with the training job, whether or not that ever opened a pipe.

CONFIG is a file with a JSON list of {"pipe": path without the epoch, "files": [...], "gzip", "record_io", "seed", "host", "hosts",
"failure": the file in which a training job writes why it failed}.

This program is started for each training job, in its sandbox if it has one. It imports only the standard library.
"""

from __future__ import annotations

import ctypes
import gzip
import json
import os
import random
import shutil
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any, NoReturn

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>: the kernel kills the feeder when the training job ends."""

PIECE_BYTES = 1 << 20
"""Bytes of a file that are read at once."""

MAGIC = struct.pack("<I", 0xCED7230A)
"""Beginning of each part of a RecordIO record. Then come 3 bits that say which part it is, and 29 bits of its length.
Source: recordio.h of dmlc-core, which MXNet writes it with."""

WHOLE, FIRST, MIDDLE, LAST = range(4)
"""The part of a record."""

MAX_RECORD_BYTES = (1 << 29) - 1
"""The largest length that 29 bits can say."""

LOOK_SECONDS = 1.0
"""Pause, in seconds, after which the feeder looks whether the training job still runs, where the kernel doesn't kill it."""


def main(config: str, command: list[str]) -> NoReturn:
    """Make the first pipes, start the feeder, and become the command."""
    with open(config, encoding="utf-8") as file:
        channels = json.load(file)
    for channel in channels:
        _make(channel, 0)
    parent = os.getpid()
    if os.fork() == 0:
        _feed(channels, parent)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def _feed(channels: list[dict[str, Any]], parent: int) -> NoReturn:
    """Feed each channel from a thread, until the training job ends."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a script that is asked to stop may still want to read on
    for channel in channels:
        threading.Thread(target=_feed_channel, args=(channel, parent), daemon=True).start()
    while os.getppid() == parent:
        threading.Event().wait(LOOK_SECONDS)
    os._exit(0)


def _feed_channel(channel: dict[str, Any], parent: int) -> None:
    epoch = 0
    while True:
        path = _path(channel, epoch)
        try:
            with open(path, "wb") as pipe:
                _make(channel, epoch + 1)  # before the reader has finished with this epoch
                os.unlink(path)
                try:
                    for file in order(channel, epoch):
                        copy(file, pipe, gzipped=channel["gzip"], record_io=channel["record_io"])
                except BrokenPipeError:
                    raise
                except (OSError, EOFError, ValueError) as error:
                    _fail(
                        channel, error, parent
                    )  # while the pipe is open: the reader would take its end for the end of the data
        except BrokenPipeError:
            pass  # the reader has had enough of this epoch
        except (OSError, EOFError, ValueError) as error:
            _fail(channel, error, parent)
        epoch += 1


def order(channel: dict[str, Any], epoch: int) -> list[str]:
    """Return the files of one epoch in the order in which this host gets them."""
    files = list(channel["files"])
    if channel["seed"] is not None:
        random.Random(f"{channel['seed']} {epoch}").shuffle(files)
    mine: list[str] = files[channel["host"] :: channel["hosts"]]
    return mine


def copy(path: str, pipe: IO[bytes], *, gzipped: bool, record_io: bool) -> None:
    """Write one file's data to the pipe.

    Args:
        path: The file.
        pipe: The pipe.
        gzipped: Whether the file is decompressed.
        record_io: Whether it becomes one RecordIO record.

    Raises:
        ValueError: The file is too large for one record.
        OSError: It can't be read, or nobody reads the pipe any more (BrokenPipeError).
        EOFError: Its compressed data end too early.
    """
    with gzip.open(path) if gzipped else open(path, "rb") as file:
        if not record_io:
            shutil.copyfileobj(file, pipe, PIECE_BYTES)
            return
        data = file.read(MAX_RECORD_BYTES + 1)
    if len(data) > MAX_RECORD_BYTES:
        raise ValueError(f"{path} is too large for a RecordIO record ({MAX_RECORD_BYTES} bytes)")
    for piece in record(data):
        pipe.write(piece)


def record(data: bytes) -> Iterator[bytes]:
    """Yield the bytes of one RecordIO record.

    Where the data contain the magic number at a multiple of 4 they are split there, and the magic number is left out.
    """
    begin, at = 0, data.find(MAGIC)
    while at >= 0:
        if at % 4 == 0:
            yield from _part(data[begin:at], FIRST if begin == 0 else MIDDLE)
            begin = at + 4
        at = data.find(MAGIC, begin if at % 4 == 0 else at + 1)
    yield from _part(data[begin:], LAST if begin else WHOLE)


def _part(data: bytes, which: int) -> Iterator[bytes]:
    yield MAGIC + struct.pack("<I", which << 29 | len(data))
    yield data
    yield bytes(-len(data) % 4)


def _make(channel: dict[str, Any], epoch: int) -> None:
    path = _path(channel, epoch)
    if not os.path.exists(path):
        os.mkfifo(path)


def _path(channel: dict[str, Any], epoch: int) -> str:
    return f"{channel['pipe']}_{epoch}"


def _fail(channel: dict[str, Any], error: Exception, parent: int) -> None:
    """Kill the training job because data can't be read: it would take an early end of the file for the end of the data."""
    name = os.path.basename(channel["pipe"])
    with open(channel["failure"], "w", encoding="utf-8") as file:
        file.write(f"Data download failed: channel {name}: {error}")
    if os.getppid() == parent:
        os.kill(parent, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
