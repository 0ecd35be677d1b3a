"""Reads the log of a training job: part by part for people, its new lines for the engine, its end for a FailureReason."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from alfine.runners import launcher

logger = logging.getLogger("alfine.runners")

PART_BYTES = 1 << 20
"""Bytes of a log in one part, at most."""

BLOCK_BYTES = 1 << 16
"""Bytes that are read at once while searching backwards for the beginning of a line."""

READ_BYTES = 1 << 20
"""Bytes of a log that one poll reads, at most."""

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


def log_size(log: Path) -> int:
    """Return the size of a training job's log in bytes; 0 where there is none, or something else."""
    try:
        with open_log(log) as file:
            return os.fstat(file.fileno()).st_size
    except OSError:
        return 0  # there is no log: nothing was printed


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


def part_of(log: Path, begin: int = 0, lines: int | None = None) -> tuple[int, bytes]:
    """Read a part of a log.

    Args:
        log: The file.
        begin: Where to begin, in bytes.
        lines: Read this number of lines at the end of the log instead.

    Returns:
        Where the part begins, and its bytes: at most `PART_BYTES` of them. (0, b"") where there is no log yet.
    """
    try:
        with open_log(log) as file:
            begin = begin if lines is None else start_of_last(file, lines)
            file.seek(begin)
            return begin, file.read(PART_BYTES)
    except FileNotFoundError:
        return 0, b""


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
            file.seek(offset)
            data = file.read(READ_BYTES)
    except FileNotFoundError:
        data = b""
    at_end = ended and len(data) < READ_BYTES
    end = data.rfind(b"\n") + 1
    if at_end or (end == 0 and len(data) == READ_BYTES):
        end = len(data)
    if end == 0:
        return (), offset, at_end
    text = data[:end].removesuffix(b"\n").decode(errors="replace")
    lines = (line[:LINE_CHARACTERS].removesuffix("\r") for line in text.split("\n"))
    return tuple(lines), offset + end, at_end


def tail(log: Path) -> str:
    """Return the last lines of a log: printable, at most 2000 characters; "" where there is no log."""
    try:
        with open_log(log) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace").strip()
    except OSError:
        return ""  # there is no log: nothing was printed
    printable = "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return printable[-TAIL_CHARACTERS:]
