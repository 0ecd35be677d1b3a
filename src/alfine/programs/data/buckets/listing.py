"""A bucket's keys in order, from its folders, without reading more of them than a page needs."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from alfine.programs.data.buckets.key_names import OURS, decoded, is_plain_name

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ListingPage(Generic[Item]):
    """One page of a list.

    Attributes:
        last: The last key or prefix of the page when more follow; None on the last page.
    """

    objects: list[Item]
    prefixes: list[str]
    last: str | None  # the last key or prefix on this page, when more follow


def page(
    bucket: Path,
    prefix: str,
    *,
    delimiter: str,
    after: str,
    limit: int,
    describe: Callable[[str, str], Item | None],
) -> ListingPage[Item]:
    """Return the keys after `after` in order. Keys that share everything up to the next delimiter are one common prefix.

    Args:
        bucket: The bucket's folder.
        prefix: Only keys that begin with it.
        delimiter: Groups keys; "" for none.
        after: A key, or a common prefix whose keys are all done.
        limit: Largest number of objects and prefixes together.
        describe: Makes an item of a key and its file.
    """
    objects: list[Item] = []
    prefixes: list[str] = []
    last = ""
    if not limit:
        return ListingPage([], [], None)
    for name, path in _grouped(walk(bucket, prefix, after, folders_as_one=delimiter == "/"), prefix, delimiter, after):
        if len(objects) + len(prefixes) == limit:
            return ListingPage(objects, prefixes, last)
        if path is None:
            prefixes.append(name)
        elif (item := describe(name, path)) is not None:
            objects.append(item)
        else:
            continue
        last = name
    return ListingPage(objects, prefixes, None)


def walk(
    bucket: Path, prefix: str = "", after: str = "", *, folders_as_one: bool = False
) -> Iterator[tuple[str, str | None]]:
    """Yield (key, file) in the order of the keys, each once.

    Args:
        bucket: The bucket's folder.
        prefix: Only keys that begin with it.
        after: Only keys after it.
        folders_as_one: Don't enter a folder below the prefix: yield (its name with `/`, None) if it holds any object.
    """
    plain = _plain(str(bucket), "", prefix, after, folders_as_one=folders_as_one)
    odd = _odd(bucket, prefix, after)
    before = None
    for key, path in heapq.merge(plain, odd, key=lambda item: item[0]):
        if key != before:  # the plain place comes first when a put died before it had emptied the odd one
            yield key, path
        before = key


def _grouped(
    keys: Iterator[tuple[str, str | None]], prefix: str, delimiter: str, after: str
) -> Iterator[tuple[str, str | None]]:
    if not delimiter:
        yield from keys
        return
    done = after
    for key, path in keys:
        end = key.find(delimiter, len(prefix))
        if end < 0:
            yield key, path
            continue
        group = key[: end + len(delimiter)]
        if group != done:
            yield group, None
        done = group


def _plain(
    folder: str, base: str, prefix: str, after: str, *, folders_as_one: bool
) -> Iterator[tuple[str, str | None]]:
    """Yield the keys in one folder. A folder sorts as its name with `/`, so that all its keys follow each other."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(_keys_in(entries, base, after))
    except (FileNotFoundError, NotADirectoryError):  # removed while we walk
        return
    for key, path in names:
        if not is_plain_name(key[len(base) :].removesuffix("/")):
            continue
        if not key.endswith("/"):
            if key.startswith(prefix):
                yield key, path
        elif key <= after and not after.startswith(key):
            continue  # all its keys come before
        elif folders_as_one and key.startswith(prefix) and key != prefix:
            if key != after and any(_plain(path, key, "", after, folders_as_one=False)):
                yield key, None
        elif key.startswith(prefix) or prefix.startswith(key):
            yield from _plain(path, key, prefix, after, folders_as_one=folders_as_one)


def _keys_in(entries: Iterable[os.DirEntry[str]], base: str, after: str) -> Iterator[tuple[str, str]]:
    for entry in entries:
        key = f"{base}{entry.name}"
        if entry.is_file(follow_symlinks=False):
            if key > after:
                yield key, entry.path
        elif entry.is_dir(follow_symlinks=False) and key != OURS:
            yield f"{key}/", entry.path


def _odd(bucket: Path, prefix: str, after: str) -> list[tuple[str, str | None]]:
    """Return the keys that have no plain place. They are few, so all are read and sorted."""
    top = bucket / OURS / "odd"
    found: list[tuple[str, str | None]] = []
    for folder, _, names in os.walk(top):
        for name in names:
            path = Path(folder, name)
            key = decoded(path.relative_to(top).as_posix())
            if key.startswith(prefix) and key > after:
                found.append((key, str(path)))
    return sorted(found, key=lambda item: item[0])
