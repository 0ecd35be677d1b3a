"""Notes and tags: what people write about a tuning job, at any time.

Tags are SageMaker's (AddTags, ListTags). The note is a column of its own and not a reserved tag: a tag's value has at most 256 characters of
a few kinds, a job at most 50 tags, and clients of AWS would see a tag that they may neither change nor remove.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.read_values import shown
from alfine.core.settings import TAG_PREFIX

LONGEST_NOTE = 4000
"""Characters of a note: a page of text."""

MOST_TAGS = 50
"""Tags of a resource. Source: AWS's quota."""

LONGEST_KEY, LONGEST_VALUE = 128, 256
"""Characters of a tag's key and value. Source: the shape Tag of SageMaker's API."""

MARKS = "_.:/=+-@"
"""The characters of a tag beside letters, digits and spaces. Source: the shape Tag of SageMaker's API."""

OF_AWS = "aws:"
"""How keys begin that AWS keeps for itself."""


def checked_note(note: Any) -> str:
    """Return a note as it is stored: without white space at its ends. Raise InvalidSpec for anything but a text of LONGEST_NOTE."""
    if not isinstance(note, str):
        raise InvalidSpec([Fault("note", f"{shown(note)} must be a text.")])
    text = note.replace("\r\n", "\n").strip()
    if len(text) > LONGEST_NOTE:
        raise InvalidSpec([Fault("note", f"has {len(text)} characters; a note has at most {LONGEST_NOTE}.")])
    return text


def checked_tags(known: Mapping[str, str], changes: Any) -> dict[str, str | None]:
    """Return changes of tags.

    Args:
        known: All tags of the job.
        changes: The new value of each tag; None removes it.

    Raises:
        InvalidSpec: A key or a value isn't one of AWS's, is a setting of alfine, or there would be too many tags.
    """
    if not isinstance(changes, Mapping):
        raise InvalidSpec([Fault("tags", f"{shown(changes)} must be keys and values.")])
    if faults := [fault for key, value in changes.items() for fault in _faults(str(key), value)]:
        raise InvalidSpec(faults)
    left = {key for key in {**known, **changes} if changes.get(key, "") is not None}
    if len(left) > MOST_TAGS:
        raise InvalidSpec([Fault("tags", f"a job has at most {MOST_TAGS} tags, and this would make {len(left)}.")])
    return dict(changes)


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that people set, without those that hold alfine's settings."""
    return {key: value for key, value in tags.items() if not key.startswith(TAG_PREFIX)}


def _faults(key: str, value: Any) -> Iterator[Fault]:
    path = f"tags.{key[:LONGEST_KEY]}"
    if key.startswith(TAG_PREFIX):
        yield Fault(path, "is a setting of alfine, which counts as it was when the job was created.")
    elif key.lower().startswith(OF_AWS):
        yield Fault(path, f"can't begin with {OF_AWS}, which AWS keeps for itself.")
    elif not key or len(key) > LONGEST_KEY or not _allowed(key):
        yield Fault(path, f"must be 1 to {LONGEST_KEY} letters, digits, spaces and {MARKS}")
    if value is not None and (not isinstance(value, str) or len(value) > LONGEST_VALUE or not _allowed(value)):
        yield Fault(path, f"{shown(value)} must be at most {LONGEST_VALUE} letters, digits, spaces and {MARKS}")


def _allowed(text: str) -> bool:
    return all(character in MARKS or unicodedata.category(character)[0] in "LNZ" for character in text)
