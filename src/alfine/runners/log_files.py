"""Reads the log of a training job: part by part for people, its new lines for the engine, its end for a FailureReason."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from alfine.runners import launcher
from alfine.runners.protocol import LogPiece
from alfine.runners.shortages import is_shortage

logger = logging.getLogger("alfine.runners")

PART_BYTES = 1 << 20
"""Bytes of a log in one part, at most."""

BLOCK_BYTES = 1 << 16
"""Bytes that are read at once while searching backwards for the beginning of a line."""

READ_BYTES = 1 << 20
"""Bytes of a log that one poll reads, at most."""

TRUNCATED = "truncated"
"""The file beside a log that was truncated, until the end of the log says so."""

REMEMBERED_BYTES = 64
"""Bytes before an offset by which a log is recognised."""

LINE_CHARACTERS = 16 << 10
"""Longer lines are cut."""

TAIL_BYTES = 8 << 10
"""Bytes at the end of a log in which its last lines are looked for."""

TAIL_CHARACTERS = 2000
"""Characters of the last lines that are kept, at most."""


@dataclass(frozen=True, slots=True)
class LogPart:
    """A part of a training job's log.

    Attributes:
        training_job: The training job's name.
        status: Its status when the part was read.
        path: The log file, on the machine that has it.
        begin: Where the part begins in the log, in bytes.
        data: The part.
        ended: Whether nothing will be added to the log.
    """

    training_job: str
    status: str
    path: str
    begin: int
    data: bytes
    ended: bool

    @property
    def end(self) -> int:
        """Return the end of the part in the log, in bytes."""
        return self.begin + len(self.data)

    @property
    def last(self) -> bool:
        """Return whether the part reached the end of the log as it was then."""
        return len(self.data) < PART_BYTES


def open_log(log: Path) -> BinaryIO:
    """Open a training job's log for reading.

    Raises:
        FileNotFoundError: There is none yet.
        OSError: It isn't a regular file (a training job in a plain process may have replaced it), or can't be read.
    """
    return launcher.open_regular(str(log))


def _raise_shortage(error: OSError) -> None:
    """Raise an error again that says nothing about a log: a moment later the log may be read."""
    if is_shortage(error):
        raise error


def log_status(log: Path) -> os.stat_result | None:
    """Return what stat says of a training job's log; None where there is none, or something else than a file."""
    try:
        with open_log(log) as file:
            return os.fstat(file.fileno())
    except OSError as error:
        _raise_shortage(error)
        return None  # there is no log: nothing was printed


def log_size(log: Path) -> int:
    """Return the size of a training job's log in bytes; 0 where there is none, or something else than a file."""
    status = log_status(log)
    return 0 if status is None else status.st_size


def note_in_log(log: Path, sentence: str) -> None:
    """Add a line of alfine's own to a training job's log, «alfine: …». Where that isn't possible, alfine's own log has the reason."""
    try:
        descriptor = launcher.open_log(str(log.parent.parent))
    except OSError as error:
        logger.warning("%s can't be written: %s. It would say: %s", log, error, sentence)
        return
    with os.fdopen(descriptor, "ab") as file:
        begin = "" if _ends_line(log) else "\n"
        file.write(f"{begin}alfine: {sentence}\n".encode(errors="replace"))


def _ends_line(log: Path) -> bool:
    with open_log(log) as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def piece_of(log: Path, begin: int, most: int) -> LogPiece:
    """Return bytes of a log; none where there is no log, or something else than a file. Arguments are those of `Runner.log`."""
    try:
        with open_log(log) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(begin)
            return LogPiece(begin=begin, data=file.read(most) if most else b"", size=size, path=str(log))
    except OSError as error:
        _raise_shortage(error)
        return LogPiece(begin=begin, path=str(log))  # nothing was printed


def start_of_last(file: BinaryIO, lines: int) -> int:
    """Return where the last lines of a file begin, in bytes. It searches from the end, since a log may have gigabytes.

    Args:
        file: A file that can be sought in.
        lines: How many lines.
    """
    end = file.seek(0, os.SEEK_END)
    missing, position, last = lines, end, True
    while position > 0:
        begin = max(0, position - BLOCK_BYTES)
        file.seek(begin)
        block = file.read(position - begin)
        if last and block.endswith(b"\n"):
            missing += 1  # the newline that ends the last line begins no other
        last, at = False, len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            missing -= 1
            if missing == 0:
                return begin + at + 1
        position = begin
    return 0 if lines else end


def read_lines(path: Path, offset: int, *, ended: bool) -> tuple[tuple[str, ...], int, bool]:
    """Read the complete lines of a log from an offset on, at most one MiB of them.

    Which lines there are depends on the file alone, not on when it was read. Of a line longer than one MiB the first 16 Ki
    characters are kept, and what comes after that MiB counts as another line.

    Args:
        path: The log; it needn't exist yet.
        offset: Where to begin, in bytes: 0, or what an earlier call returned.
        ended: Whether nothing will be added to the log, so that an unfinished last line counts as complete.

    Returns:
        The lines, the offset of the next call, and whether the end of an ended log was reached.
    """
    try:
        with open_log(path) as file:
            return _read(file, offset, ended=ended)
    except FileNotFoundError:
        return (), offset, ended


def _read(file: BinaryIO, offset: int, *, ended: bool) -> tuple[tuple[str, ...], int, bool]:
    file.seek(offset)
    data = file.read(READ_BYTES)
    at_end = ended and len(data) < READ_BYTES
    end = data.rfind(b"\n") + 1
    if at_end or (end == 0 and len(data) == READ_BYTES):
        end = len(data)
    if end == 0:
        return (), offset, at_end
    text = data[:end].removesuffix(b"\n").decode(errors="replace")
    return tuple(map(as_line, text.split("\n"))), offset + end, at_end


def as_line(line: str) -> str:
    """Return a line of a log as metrics are looked for in it: without its end, and cut where it is too long."""
    return line[:LINE_CHARACTERS].removesuffix("\r")


def mark_truncated(log: Path) -> None:
    """Note that a log was truncated while its training job runs: until that has ended, nobody else writes to the log."""
    with launcher.Beneath.at(log.parent) as control:
        control.write(TRUNCATED, b"")


def note_truncation(log: Path) -> None:
    """Say at the end of a log that it was truncated, if it was."""
    with launcher.Beneath.at(log.parent) as control:
        if control.status(TRUNCATED) is None:
            return
        note_in_log(
            log,
            "this log was truncated while the training job ran. The metrics that were read before are kept; lines that nobody had read "
            "yet are lost.",
        )
        control.remove(TRUNCATED)


@dataclass(frozen=True, slots=True)
class NewLines:
    """The new lines of a log, as a `LogReader` reads them.

    Attributes:
        lines: New complete lines.
        offset: Where to read on, in bytes.
        at_end: Whether the end of an ended log was reached.
        truncated: Whether the log was truncated since it was read last. Then the lines are those since.
    """

    lines: tuple[str, ...]
    offset: int
    at_end: bool
    truncated: bool = False


class LogReader:
    """Reads logs as `read_lines` does, and notices when one was truncated: by logrotate, say, or by a script that opens its log anew.

    What stands before an offset is remembered. So a log that has grown again beyond the offset is noticed, too. After a restart of
    alfine, such a log is only noticed if the offset isn't at the beginning of a line there.
    """

    def __init__(self) -> None:
        self._before: dict[Path, tuple[int, bytes]] = {}

    def read(self, log: Path, offset: int, *, ended: bool) -> NewLines:
        """Read the new lines of a log; of one that was truncated, all lines since. Arguments are those of `read_lines`."""
        try:
            with open_log(log) as file:
                begin = self._begin(file, log, offset)
                lines, end, at_end = _read(file, begin, ended=ended)
                if end != offset or begin != offset:
                    self._before[log] = end, _before(file, end)
        except FileNotFoundError:
            return NewLines((), offset, ended)
        return NewLines(lines, end, at_end, begin != offset)

    def forget(self, log: Path) -> None:
        """Forget a log, because its training job has ended."""
        self._before.pop(log, None)

    def _begin(self, file: BinaryIO, log: Path, offset: int) -> int:
        """Return where to go on reading: at `offset`, or at 0 if the log was truncated since it was read up to there."""
        if offset == 0:
            return 0
        before = _before(file, offset)
        known, expected = self._before.get(log, (0, b""))
        if len(before) < min(offset, REMEMBERED_BYTES):
            return 0
        if known == offset:
            return offset if before == expected else 0
        return offset if before.endswith(b"\n") or _cuts_long_line(file, offset) else 0


def _before(file: BinaryIO, offset: int) -> bytes:
    file.seek(max(0, offset - REMEMBERED_BYTES))
    return file.read(min(offset, REMEMBERED_BYTES))


def _cuts_long_line(file: BinaryIO, offset: int) -> bool:
    """Return whether `read_lines` has cut a line at this offset because it is longer than what is read at once."""
    file.seek(max(0, offset - READ_BYTES))
    return offset >= READ_BYTES and b"\n" not in file.read(READ_BYTES)


def tail(log: Path) -> str:
    """Return the last lines of a log: printable, at most 2000 characters; "" where there is no log."""
    try:
        with open_log(log) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace").strip()
    except OSError as error:
        _raise_shortage(error)
        return ""  # there is no log: nothing was printed
    printable = "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return printable[-TAIL_CHARACTERS:]
