"""Sequences, sets and mappings that share what they begin with: a copy of a history costs the same however long the history is."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, islice
from typing import Any, TypeVar, overload

K = TypeVar("K")
T = TypeVar("T")
V = TypeVar("V")


class ExtendedList(Sequence[T]):
    """The items that a list has now, which aren't copied, and further ones of its own.

    Args:
        shared: The list. It may grow afterwards; these items aren't seen.
    """

    def __init__(self, shared: list[T]) -> None:
        self._shared = shared
        self._count = len(shared)
        self._own: list[T] = []

    def __len__(self) -> int:
        return self._count + len(self._own)

    def __iter__(self) -> Iterator[T]:
        return chain(islice(self._shared, self._count), self._own)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        return self._shared[place] if place < self._count else self._own[place - self._count]

    def copy(self) -> ExtendedList[T]:
        """Return one that shares the same items, and has copies of the further ones."""
        copy = ExtendedList(self._shared)
        copy._count, copy._own = self._count, list(self._own)
        return copy

    def append(self, item: T) -> None:
        """Append an item of its own."""
        self._own.append(item)


class ExtendedSet(AbstractSet[T]):
    """A set that grows, and whose copies share what it has: they cost the same at any size."""

    def __init__(self) -> None:
        self._shared: dict[T, int] = {}  # each item with its place in the order in which they were added
        self._count = 0  # how many of the shared items belong to this set
        self._own: dict[T, int] = {}

    def copy(self) -> ExtendedSet[T]:
        """Return a set with the same items; what is added to this one later isn't in that one, nor the other way round."""
        copy: ExtendedSet[T] = ExtendedSet()
        if self._count:
            copy._shared, copy._count, copy._own = self._shared, self._count, dict(self._own)
        else:
            copy._shared, copy._count = self._own, len(self._own)
        return copy

    def __contains__(self, item: Any) -> bool:
        return item in self._own or self._shared.get(item, self._count) < self._count

    def __iter__(self) -> Iterator[T]:
        return chain(islice(self._shared, self._count), self._own)

    def __len__(self) -> int:
        return self._count + len(self._own)

    def add(self, item: T) -> None:
        """Add an item, unless it is there."""
        if item not in self:
            self._own[item] = len(self)


def extended_list(items: list[T] | ExtendedList[T]) -> ExtendedList[T]:
    """Return a list with the same items, which aren't copied, to which others can be appended."""
    return items.copy() if isinstance(items, ExtendedList) else ExtendedList(items)


def extended_mapping(entries: MutableMapping[K, V]) -> ChainMap[K, V]:
    """Return a mapping with the same entries, which aren't copied, to which others can be added."""
    return entries.copy() if isinstance(entries, ChainMap) else ChainMap({}, entries)
