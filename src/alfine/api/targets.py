"""Targets of `alfine.tune`: a Python function, a script, or the words of a command."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from alfine.api.local_paths import anchored_word
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.facts import Launched
from alfine.core.fields import WORDS, unknown
from alfine.core.history import History
from alfine.core.space import ParameterSpace

Objective: TypeAlias = Callable[..., float | None]
Target: TypeAlias = Objective | str | Path | Sequence[str]

OF_TARGET = ("script", "command", "function")
"""The fields that `target` stands for."""

LONGEST_STEM = 13
"""Characters of a default name that come from the target's name; with time and date AMT's limit is 32."""


class NativeFunction:
    """The caller's function as the inline runner calls it: with AMT's strings, which become native values again.

    Args:
        function: The caller's function.
        space: The caller's ranges.
        static: The hyperparameters with a fixed value, as the caller gave them.
    """

    def __init__(self, function: Objective, space: ParameterSpace, static: Mapping[str, Any]) -> None:
        self.function, self.space, self.static = function, space, dict(static)
        self.reports = _takes_report(function, space.names)

    def __call__(self, texts: Mapping[str, str], report: Callable[[float, float], bool]) -> float | None:
        native = {**self.static, **self.space.from_text(texts)}
        return self.function(native, report) if self.reports else self.function(native)


class NativeHistory:
    """A job's history with the caller's own values: categories of any type instead of AMT's strings.

    The recorded history may grow; what was translated before isn't translated again.
    """

    def __init__(self, ranges: ParameterSpace) -> None:
        self.ranges = ranges.ranges
        self._native: History | None = None

    def of(self, history: History) -> History:
        """Return the history with the caller's values."""
        recorded = history.spec.space
        if recorded.ranges == self.ranges:
            return history
        space = replace(recorded, ranges={name: self.ranges[name] for name in recorded.names})
        native = self._native = self._native or history.under(replace(history.first_spec, space=space))
        for fact in history.facts[len(native.facts) :]:
            if isinstance(fact, Launched):
                texts = recorded.to_text(fact.hyperparameters)
                native.record(replace(fact, hyperparameters=space.from_text(texts)))
            else:
                native.record(fact)
        native.now = history.now
        return native


def check_settings(settings: Mapping[str, Any], target: Any) -> None:
    """Raise InvalidSpec for arguments that don't exist, or that would have no effect on this target.

    Args:
        settings: The arguments by their names.
        target: What is to be tuned.
    """
    words = [word for word in WORDS if word not in (*OF_TARGET, "definitions")]
    if odd := [key for key in settings if key not in words and key not in OF_TARGET]:
        raise InvalidSpec([Fault(key, unknown(key, words)) for key in odd])
    if not callable(target) and not (isinstance(target, Path | Sequence) and target):
        message = f"{target!r} must be a function, a Python script, or the words of a command."
        raise InvalidSpec([Fault("target", message)])
    _check_not_async(target)
    faults = [Fault(key, "is what target says: alfine.tune(target, space, …).") for key in OF_TARGET if key in settings]
    if callable(target):
        why = "is for scripts and commands; a function runs in this process, and returns or reports its objective."
        faults += [Fault(key, why) for key in settings if key in words and not WORDS[key].for_functions]
    if faults:
        raise InvalidSpec(faults)


def _check_not_async(target: Any) -> None:
    """Raise InvalidSpec for a function whose call only returns something that has yet to be run."""
    for function in (target, getattr(target, "__call__", None)) if callable(target) else ():  # noqa: B004 - the method itself
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            fault = "is async. Give a function that isn't; it may call asyncio.run(…)."
        elif inspect.isgeneratorfunction(function):
            fault = "is a generator. Return the objective, and call report(step, value) for each value before."
        else:
            continue
        raise InvalidSpec([Fault(f"target {getattr(target, '__name__', target)}", fault)])


def fields_of_target(target: Target) -> dict[str, Any]:
    """Return the field that says what trains, as `job_request` takes it."""
    if callable(target):
        return {"function": f"{target.__module__}:{getattr(target, '__qualname__', type(target).__name__)}"}
    if isinstance(target, str | Path):
        return {"script": target}
    return {"command": [anchored_word(str(word), Path.cwd()) for word in target]}


def name_for(target: Target) -> str:
    """Return a name for a tuning job: what is tuned, and when («train-261123-231502-1a2b»)."""
    if callable(target):
        stem = getattr(target, "__name__", "function")
    else:
        stem = Path(target if isinstance(target, str | Path) else target[0]).stem
    words = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in stem).strip("-")
    now = datetime.now(UTC)
    return f"{words[:LONGEST_STEM].strip('-') or 'tune'}-{now:%y%m%d-%H%M%S}-{now.microsecond >> 4:04x}"


def _takes_report(function: Objective, names: Sequence[str]) -> bool:
    """Return whether a function takes `report`. Raise InvalidSpec when it takes neither that nor the hyperparameters
    alone.

    names: of the hyperparameters, which a function gets as one dict.
    """
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [p for p in inspect.signature(function).parameters.values() if p.kind in kinds]
    one_by_one = len(positional) == 2 and {p.name for p in positional} <= {*names}
    if one_by_one or not 1 <= len(positional) <= 2:
        fault = "must take the hyperparameters (a dict), and report if it wants to: objective(hyperparameters, report)."
        raise InvalidSpec([Fault(f"target {getattr(function, '__name__', function)}", fault)])
    if len(positional) == 1:
        return False
    return positional[1].default is inspect.Parameter.empty or positional[1].name == "report"
