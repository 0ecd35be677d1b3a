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
