"""The digests that S3 clients send, each fed piece by piece.

zlib and hashlib have most. The two CRCs that Python lacks (CRC32C, and CRC64NVME, the AWS CLI v2's default) are folded
with numpy: rows of LANES words are advanced together and xored on the next row, and only the last row is read word by
word (Gopal et al. 2009, «Fast CRC Computation for Generic Polynomials Using PCLMULQDQ», with tables for the multiply).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

LANES = (4096, 64)  # words folded at a time: long rows while the data last, then short ones


class Digest(Protocol):
    def update(self, data: bytes, /) -> object: ...
    def digest(self) -> bytes: ...


class Crc32:
    def __init__(self) -> None:
        self._state = 0

    def update(self, data: bytes) -> None:
        self._state = zlib.crc32(data, self._state)

    def digest(self) -> bytes:
        return self._state.to_bytes(4, "big")


class FoldedCrc:
    """A reflected CRC of 32 or 64 bits that starts with ones and is inverted at the end."""

    def __init__(self, polynomial: int, width: int) -> None:
        self._polynomial = polynomial
        self._width = width
        self._state = (1 << width) - 1

    def update(self, data: bytes) -> None:
        whole = len(data) // 8
        words = np.frombuffer(data, "<u8", whole)
        state = self._state
        for lanes in LANES:
            rows = len(words) // lanes
            if rows > 1:
                table = _advance(self._polynomial, lanes)
                block = words[: rows * lanes].reshape(rows, lanes)
                row = block[0].copy()
                row[0] ^= np.uint64(state)
                for following in block[1:]:
                    row = _apply(table, row) ^ following
                words, state = np.concatenate([row, words[rows * lanes :]]), 0
        byte_table = _byte_table(self._polynomial)
        for byte in words.tobytes() + data[whole * 8 :]:
            state = state >> 8 ^ byte_table[(state ^ byte) & 0xFF]
        self._state = state

    def digest(self) -> bytes:
        return (self._state ^ (1 << self._width) - 1).to_bytes(self._width // 8, "big")


@cache
def _byte_table(polynomial: int) -> list[int]:
    return [_shifted(byte, polynomial, 8) for byte in range(256)]


def _shifted(value: int, polynomial: int, bits: int) -> int:
    for _ in range(bits):
        value = value >> 1 ^ (polynomial if value & 1 else 0)
    return value


@cache
def _advance(polynomial: int, words: int) -> NDArray[np.uint64]:
    """(8, 256): what each byte of a word becomes `words` words later. words: a power of two."""
    columns = [_shifted(1 << bit, polynomial, 64) for bit in range(64)]
    for _ in range(words.bit_length() - 1):  # squaring the map doubles the distance
        columns = [_image(column, columns) for column in columns]
    return np.array(
        [[_image(byte << 8 * at, columns) for byte in range(256)] for at in range(8)],
        dtype=np.uint64,
    )


def _image(value: int, columns: list[int]) -> int:
    result = 0
    while value:
        low = value & -value
        result ^= columns[low.bit_length() - 1]
        value ^= low
    return result


def _apply(table: NDArray[np.uint64], row: NDArray[np.uint64]) -> NDArray[np.uint64]:
    at = row.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)
    result: NDArray[np.uint64] = table[0][at[:, 0]]
    for place in range(1, 8):
        result ^= table[place][at[:, place]]
    return result


def _md5() -> Digest:
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> Digest:
    return hashlib.sha1(usedforsecurity=False)


def crc32c() -> Digest:
    return FoldedCrc(0x82F63B78, 32)


def crc64nvme() -> Digest:
    return FoldedCrc(0x9A6C9329AC4BC9B5, 64)


# By the name in `x-amz-checksum-<name>`.
ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "crc32": Crc32,
    "crc32c": crc32c,
    "crc64nvme": crc64nvme,
    "sha1": _sha1,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "md5": _md5,
}
# A multipart object's checksum is one over the whole with these by default, else one over its parts' checksums.
FULL_OBJECT_BY_DEFAULT = frozenset({"crc64nvme"})


class Digests:
    """Several digests of one body."""

    def __init__(self, names: frozenset[str]) -> None:
        self._digests = {name: ALGORITHMS[name]() for name in sorted(names)}

    def update(self, data: bytes) -> None:
        for digest in self._digests.values():
            digest.update(data)

    def __getitem__(self, name: str) -> bytes:
        return self._digests[name].digest()

    def base64(self, name: str) -> str:
        return base64.b64encode(self[name]).decode("ascii")


def is_digest(name: str, value: str) -> bool:
    """Whether the value can be a checksum of that kind: base64 of so many bytes."""
    try:
        return len(base64.b64decode(value, validate=True)) == len(ALGORITHMS[name]().digest())
    except (binascii.Error, ValueError):
        return False
