"""Values that are derived from the facts of a history, and kept with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from alfine.core.memo import MemoKey
from alfine.core.training_job import TrainingJob

S = TypeVar("S")


class DerivedValues:
    """The memo of a history: the base of History.

    Each value is a function of a prefix of the facts: if it's thrown away, it's computed again to the same bits.
    """

    memo: dict[MemoKey[Any], tuple[Hashable, Any]]
    finished: list[TrainingJob]

    def remembered(self, key: MemoKey[S], compute: Callable[[], S], version: Hashable = None) -> S:
        """Return a derived value from the memo; compute it first where it isn't there.

        Args:
            key: Names the value.
            compute: Returns the value, a function of a prefix of the facts, of the key's parameters and of `version`.
            version: What the value was computed for, such as a number of results. Only the latest version is kept; without one the
                value is computed once.

        Returns:
            The value. It's shared, so that it must not be changed.
        """
        if key not in self.memo or self.memo[key][0] != version:
            self.memo[key] = version, compute()
        value: S = self.memo[key][1]
        return value

    def recall(self, key: MemoKey[S], default: S) -> S:
        """Return what `remember` has kept under the key; the default where it has kept nothing.

        Args:
            key: Names the value.
            default: What is returned where nothing is kept.
        """
        value: S = self.memo[key][1] if key in self.memo else default
        return value

    def remember(self, key: MemoKey[S], value: S) -> S:
        """Keep a derived value under the key, in place of an earlier one, and return it.

        Args:
            key: Names the value.
            value: A function of a prefix of the facts and of the key's parameters.
        """
        self.memo[key] = None, value
        return value

    def fold(self, key: MemoKey[S], initial: S, step: Callable[[S, TrainingJob], S]) -> S:
        """Return `step` folded over the ended training jobs in order of completion, at the cost of the new ones only.

        Args:
            key: Names the state. A fold's key is used by nothing else.
            initial: The state before the first training job has ended.
            step: Returns the state after one more training job. It doesn't change the state in place, unless nobody else sees it.
        """
        done, state = cast(tuple[int, S], self.memo.get(key, (0, initial)))
        for job in self.finished[done:]:
            state = step(state, job)
        self.memo[key] = len(self.finished), state
        return state
