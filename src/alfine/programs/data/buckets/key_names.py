"""Bucket names, keys, and where a key's files lie: no key can name a path outside its bucket's folder.

A *plain* key is a relative path of ordinary file names, and its object is the file of that path. Every other key (empty
or dot segments, a trailing slash, control characters, names too long, anything under `.alfine`) is *odd*: it's kept
under a name of its own, percent-encoded and cut into pieces, where it can meet no other key's.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from alfine.programs.data.buckets.errors import S3Error

OURS = ".alfine"  # the folder in each bucket that is ours: metadata, uploads, odd keys
KEY_BYTES = 1024  # S3's limit
NAME_BYTES = 255  # Linux, macOS
PIECE = 200  # characters of an encoded key in one file name; leaves room for the marks and a time

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def check_bucket_name(bucket: str) -> None:
    if not _BUCKET.fullmatch(bucket) or ".." in bucket or _ADDRESS.fullmatch(bucket):
        raise S3Error("InvalidBucketName", BucketName=bucket)


def check_key(key: str) -> None:
    """Keys are 1 to 1,024 bytes of UTF-8; bytes that aren't UTF-8 are held as Python does file names' (surrogates)."""
    try:
        size = len(key.encode(errors="surrogateescape"))
    except UnicodeEncodeError:
        raise S3Error("InvalidURI", URI=ascii(key)) from None
    if size > KEY_BYTES:
        raise S3Error("KeyTooLongError", Size=size, MaxSizeAllowed=KEY_BYTES)
    if not size:
        raise S3Error("InvalidArgument", "A key has at least one character.")


def is_plain(key: str) -> bool:
    """Whether the key is a path that the bucket's folder can hold as it is."""
    if _CONTROL.search(key):
        return False
    names = key.split("/")
    return names[0] != OURS and all(is_plain_name(name) for name in names)


def is_plain_name(name: str) -> bool:
    return (
        name not in ("", ".", "..")
        and (len(name) <= NAME_BYTES // 4 or len(name.encode(errors="surrogateescape")) <= NAME_BYTES)
        and not _CONTROL.search(name)
    )


def encoded(key: str) -> str:
    """A relative path for any key: different keys have different ones, and no file is where a folder must be.

    Each piece begins with `=`, so that none is `.` or `..`; every piece but the last ends with `+`, which `quote`
    never leaves. The key is the pieces' text without these marks, unquoted.
    """
    text = quote(key, safe="", errors="surrogateescape")
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    return "+/".join(f"={piece}" for piece in pieces)


def decoded(path: str) -> str:
    text = "".join(piece.removeprefix("=").removesuffix("+") for piece in path.split("/"))
    return unquote(text, errors="surrogateescape")
