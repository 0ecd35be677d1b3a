"""Keys of the values that are derived from a history and kept with it (`History.remembered`, `recall`, `remember`, `fold`)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MemoKey(Generic[T]):
    """The name of one derived value; T is the value's type.

    A key belongs to the module that made it, so that two plug-ins which choose the same name don't read each other's values.

    Args:
        module: The module that owns the value: its `__name__`.
        name: What the value is, in a few words.
        parameters: What the value depends on beside the facts, such as a criterion's settings or a number of results.

    Example:
        >>> THETA: MemoKey[Array] = MemoKey(__name__, "theta")
        >>> theta = history.remembered(THETA.of(rung), lambda: fit(...))
    """

    module: str
    name: str
    parameters: tuple[Hashable, ...] = ()

    def of(self, *parameters: Hashable) -> MemoKey[T]:
        """Return the same key for a value that depends on these parameters."""
        return replace(self, parameters=parameters)
