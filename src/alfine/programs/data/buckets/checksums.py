"""The checksums that S3 clients send, each computed piece by piece.

The standard library has most of them. CRC32C and CRC64NVME, which the AWS CLI 2 and botocore send by default, come from awscrt: 8 GiB a
second, where numpy reaches 0.3.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from typing import Protocol


class Digest(Protocol):
    """A checksum that is computed piece by piece, as those of hashlib are."""

    def update(self, data: bytes, /) -> object: ...
    def digest(self) -> bytes: ...


class Crc:
    """A CRC as a Digest.

    Args:
        function: Return the CRC of the data (first argument) after data with the CRC in the second argument; 0 at the beginning.
        width: Number of bytes of the CRC.
    """

    def __init__(self, function: Callable[[bytes, int], int], width: int) -> None:
        self._function = function
        self._width = width
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


def _crc32() -> Digest:
    return Crc(zlib.crc32, 4)


def _crc32c() -> Digest:
    from awscrt import checksums

    return Crc(checksums.crc32c, 4)


def _crc64nvme() -> Digest:
    from awscrt import checksums

    return Crc(checksums.crc64nvme, 8)


def _md5() -> Digest:
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> Digest:
    return hashlib.sha1(usedforsecurity=False)


ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "crc32": _crc32,
    "crc32c": _crc32c,
    "crc64nvme": _crc64nvme,
    "sha1": _sha1,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "md5": _md5,
}
"""Each algorithm by its name in the header `x-amz-checksum-<name>`."""

FULL_OBJECT_BY_DEFAULT = frozenset({"crc64nvme"})
"""The algorithms whose checksum of a multipart object is, by default, that of the whole object. Others' is one of the parts' checksums."""


class Digests:
    """Several digests of one body.

    Args:
        names: Keys of ALGORITHMS.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._digests = {name: ALGORITHMS[name]() for name in sorted(names)}

    def update(self, data: bytes) -> None:
        for digest in self._digests.values():
            digest.update(data)

    def __getitem__(self, name: str) -> bytes:
        return self._digests[name].digest()

    def base64(self, name: str) -> str:
        """Return one digest as headers have it."""
        return base64.b64encode(self[name]).decode("ascii")


def is_digest(name: str, value: str) -> bool:
    """Return whether the value can be a checksum of that algorithm: base64 of the right number of bytes."""
    try:
        return len(base64.b64decode(value, validate=True)) == len(ALGORITHMS[name]().digest())
    except (binascii.Error, ValueError):
        return False
