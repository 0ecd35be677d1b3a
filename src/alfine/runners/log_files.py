"""Reads a training job's log a part at a time: all of it, its last lines, or what was added since."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BLOCK = 1 << 16
PART = 1 << 20  # bytes of a log at most in one part


@dataclass(frozen=True, slots=True)
class LogPart:
    """Bytes [begin, end) of a log. ended: nothing will be added after what was there when it was read."""

    training_job: str
    status: str
    path: str
    begin: int
    data: bytes
    ended: bool

    @property
    def end(self) -> int:
        return self.begin + len(self.data)

    @property
    def last(self) -> bool:
        """Whether there was no more to read."""
        return len(self.data) < PART


def part_of(log: Path, begin: int = 0, lines: int | None = None) -> tuple[int, bytes]:
    """(where it begins, the bytes) from `begin`, or from where the last `lines` lines begin; at most PART of them."""
    try:
        with log.open("rb") as file:
            begin = begin if lines is None else start_of_last(file, lines)
            file.seek(begin)
            return begin, file.read(PART)
    except FileNotFoundError:
        return 0, b""


def start_of_last(file: BinaryIO, lines: int) -> int:
    """Searched from the end, so that a log of gigabytes is not read for its last line."""
    end = file.seek(0, os.SEEK_END)
    missing, position, last = lines, end, True
    while position > 0:
        begin = max(0, position - BLOCK)
        file.seek(begin)
        block = file.read(position - begin)
        if last and block.endswith(b"\n"):
            missing += 1  # the newline that ends the last line begins none
        last, at = False, len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            missing -= 1
            if missing == 0:
                return begin + at + 1
        position = begin
    return 0 if lines else end


READ_BYTES = 1 << 20
LINE_CHARACTERS = 16 << 10
TAIL_BYTES, TAIL_CHARACTERS = 8 << 10, 2000


def read_lines(path: Path, offset: int, *, ended: bool) -> tuple[tuple[str, ...], int, bool]:
    """The complete lines after `offset` within the next MiB, where to go on, and whether the end has been delivered.

    Which lines there are depends on the file alone, not on when it was read: a line longer than a MiB is cut after its
    first 16 Ki characters, and what comes after that MiB counts as a line of its own.
    """
    try:
        with path.open("rb", buffering=0) as file:
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
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace").strip()
    except OSError:
        return ""
    printable = "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return printable[-TAIL_CHARACTERS:]
