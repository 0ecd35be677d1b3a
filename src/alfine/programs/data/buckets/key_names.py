"""Bucket names and keys, and where a key's files lie: no key can name a path outside its bucket's folder.

A *plain* key is a relative path of ordinary file names, and its object is the file of that path. Every other key (with empty
or dot segments, a trailing slash, control characters, names that are too long, anything under `.alfine`) is *odd*: its object is kept
under a percent-encoded name, cut into pieces, that no other key has.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from alfine.programs.data.buckets.errors import S3Error

OURS = ".alfine"
"""The folder in each bucket for metadata, uploads and odd keys."""

KEY_BYTES = 1024
"""Largest length of a key, in bytes of UTF-8: S3's limit."""

NAME_BYTES = 255
"""Largest length of a file name, in bytes, on Linux and macOS."""

PIECE = 200  # characters of an encoded key in one file name; leaves room for the marks and a time

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def check_bucket_name(bucket: str) -> None:
    """Raise S3Error InvalidBucketName unless S3 allows the name."""
    if not _BUCKET.fullmatch(bucket) or ".." in bucket or _ADDRESS.fullmatch(bucket):
        raise S3Error("InvalidBucketName", BucketName=bucket)


def check_key(key: str) -> None:
    """Raise S3Error unless the key is 1 to 1,024 bytes of UTF-8.

    Bytes that aren't UTF-8 are held as Python holds them in file names: as lone surrogates.
    """
    try:
        size = len(key.encode(errors="surrogateescape"))
    except UnicodeEncodeError:
        raise S3Error("InvalidURI", URI=ascii(key)) from None
    if size > KEY_BYTES:
        raise S3Error("KeyTooLongError", Size=size, MaxSizeAllowed=KEY_BYTES)
    if not size:
        raise S3Error("InvalidArgument", "A key has at least one character.")


def is_plain(key: str) -> bool:
    """Return whether the bucket's folder can hold the key as a path."""
    if _CONTROL.search(key):
        return False
    names = key.split("/")
    return names[0] != OURS and all(is_plain_name(name) for name in names)


def is_plain_name(name: str) -> bool:
    """Return whether a segment of a key can be a file name."""
    return (
        name not in ("", ".", "..")
        and (len(name) <= NAME_BYTES // 4 or len(name.encode(errors="surrogateescape")) <= NAME_BYTES)
        and not _CONTROL.search(name)
    )


def encoded(key: str) -> str:
    """Return a relative path for any key. Different keys have different paths, and no file is where a folder must be.

    Each piece begins with `=`, so that none is `.` or `..`; every piece but the last ends with `+`, which `quote`
    never produces. Without these marks the pieces are the quoted key.
    """
    text = quote(key, safe="", errors="surrogateescape")
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    return "+/".join(f"={piece}" for piece in pieces)


def decoded(path: str) -> str:
    """Return the key of a path that `encoded` made."""
    text = "".join(piece.removeprefix("=").removesuffix("+") for piece in path.split("/"))
    return unquote(text, errors="surrogateescape")
