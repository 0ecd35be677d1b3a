"""Settings of alfine, which AMT has no fields for: they stand in the tags `alfine:<setting>` of a request.

Clients of the AWS API refuse fields that they don't know, but all of them can set tags. Each completion criterion has a setting of its own,
beside those of this file.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.fields import FIELDS

TAG_PREFIX = "alfine:"
LONGEST_TAG = 256  # characters, a quota of AWS

# Settings in the words of core/conditions.py: conditions, forbidden combinations, steps of ranges («n is 32 / eta is 0.25»),
# configurations to try first.
REQUIRES = "requires"
FORBID = "forbid"
STEP = "step"
START_WITH = "start-with"

ORDER = "order"
"""The setting with the names of the hyperparameters in the order in which people gave them: AMT's request sorts ranges by kind."""


def is_number(value: Any, good: Callable[[float], bool]) -> bool:
    """Return whether a value is a number, or the text of one, for which `good` returns True."""
    try:
        return not isinstance(value, bool) and good(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _is_amount(text: str) -> bool:
    return is_number(text, lambda x: 0 <= x < math.inf)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0


# -- repeats ---------------------------------------------------------------------------------------------------------

REPEATS = "repeats"
NO_REPEATS = ("never", "0")  # texts that take the repeats away from a job that was to have them
MOST_REPEATS = 100  # of either number
REPEATS_WANTED = f"must be as «best=3 times=5», two whole numbers from 1 to {MOST_REPEATS}: how many configurations are run again, and how many times."


@dataclass(frozen=True, slots=True)
class Repeats:
    """Run the `best` configurations again, each of them `times` times, before the job says which one is best.

    The best of noisy results was also lucky; the mean of several runs of one configuration is less so. Once a criterion has ended
    the search, and its training jobs have ended too, the configurations with the best first results are launched again as
    ordinary training jobs (`repeats_due` in core/policy.py): one round after the other, so that whatever cuts them short, all have
    run about equally often. The best is then the one with the best mean (`History.incumbent`).

    They count as training jobs everywhere. MaxNumberOfTrainingJobs keeps room for them; time and money that run out cut them short.
    """

    best: int = 3
    times: int = 5

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read «best=3 times=5», or «5» for the times alone; return None where it can't be read."""
        words = dict(word.rpartition("=")[::2] for word in text.split())
        numbers = {key or "times": int(number) for key, number in words.items() if re.fullmatch(r"[0-9]{1,3}", number)}
        if not words or len(numbers) < len(text.split()) or not {*numbers} <= {"best", "times"}:
            return None
        repeats = cls(**numbers)
        return repeats if 1 <= repeats.best <= MOST_REPEATS and 1 <= repeats.times <= MOST_REPEATS else None

    @classmethod
    def of(cls, given: Any) -> Self:
        """Return the setting that a caller means.

        Args:
            given: A number of times, `{"best": 3, "times": 5}`, a text as `read` takes it, or the setting itself.

        Raises:
            InvalidSpec: For anything else.
        """
        if isinstance(given, cls):
            return given
        text = " ".join(f"{key}={value}" for key, value in given.items()) if isinstance(given, Mapping) else str(given)
        repeats = None if isinstance(given, bool) else cls.read(text)
        if repeats is None:
            raise InvalidSpec([Fault(REPEATS, f"{given!r:.100} {REPEATS_WANTED}")])
        return repeats

    @property
    def training_jobs(self) -> int:
        """The largest number of training jobs that the repeats can be."""
        return self.best * self.times

    def __str__(self) -> str:
        return f"best={self.best} times={self.times}"


def kept_for_repeats(settings: Mapping[str, str]) -> int:
    """Return how many training jobs are kept for repeats, 0 where none are asked for."""
    repeats = Repeats.read(settings.get(REPEATS, ""))
    return 0 if repeats is None else repeats.training_jobs


# -- GPUs ------------------------------------------------------------------------------------------------------------


def gpu_count_trouble(count: float) -> str:
    """Return why a training job can't have so many GPUs; "" where it can: a whole number of them, or a part of one."""
    if math.isfinite(count) and count >= 0 and int(count) in (0, count):
        return ""
    return f"{count} must be a whole number from 0 on, or a part of one GPU, such as 0.5."


# -- all settings ----------------------------------------------------------------------------------------------------

_OF_KIND: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "amount": (_is_amount, "must be a number from 0 on."),
    "count": (_is_count, "must be a whole number from 1 on."),
    "repeats": (lambda text: Repeats.read(text) is not None, REPEATS_WANTED),
    "flag": (lambda text: text in ("on", "off"), "must be on or off."),
}
"""By the kind of a field: a test of its tag's text, and the message where the text fails it."""

SETTINGS = {
    **{field.tag: _OF_KIND[field.kind] for field in FIELDS if field.tag and field.kind in _OF_KIND},
    "max-log-bytes": _OF_KIND["count"],
}
"""The settings with one value, each with its test and its message: fields with a tag, and a setting of requests alone."""

OF_REQUESTS = (REQUIRES, FORBID, STEP, START_WITH, ORDER, "runner", "requirements", "checkpoints")
"""Further settings that only requests spell so. REQUIRES, FORBID, STEP, START_WITH and ORDER may continue in further tags («requires-2»)."""

NAMES = (*dict.fromkeys([*SETTINGS, *OF_REQUESTS, *(field.tag for field in FIELDS if field.tag)]),)
"""All settings except those of completion criteria."""


def settings_in(request: Mapping[str, Any]) -> dict[str, str]:
    """Return all settings of a request, by name."""
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or []}
    return {key.removeprefix(TAG_PREFIX): value for key, value in tags.items() if key.startswith(TAG_PREFIX)}


def setting_of(request: Mapping[str, Any], name: str) -> str | None:
    """Return the text of a setting of a request; None where the request doesn't have it.

    Args:
        request: The request.
        name: The setting's name, without `alfine:`.
    """
    return next((tag["Value"] for tag in request.get("Tags") or [] if tag["Key"] == TAG_PREFIX + name), None)


def put_setting(request: MutableMapping[str, Any], name: str, text: str | None) -> None:
    """Write a setting into the tags of a request, in place of an earlier one.

    Args:
        request: The request to change.
        name: The setting's name, without `alfine:`.
        text: The setting's text; None removes the setting.
    """
    key = TAG_PREFIX + name
    tags = [tag for tag in request.get("Tags") or [] if tag.get("Key") != key]
    if text is not None:
        tags.append({"Key": key, "Value": text})
    if tags:
        request["Tags"] = tags
    else:
        request.pop("Tags", None)


def text_of(settings: Mapping[str, str], name: str) -> str | None:
    """Return a setting that may be longer than a tag; None without it.

    Args:
        settings: All settings, by name.
        name: The setting's name; it continues in the tags «<name>-2», «<name>-3», …, which are joined by spaces.
    """
    lines: list[str] = []
    while (key := name if not lines else f"{name}-{len(lines) + 1}") in settings:
        lines.append(settings[key])
    return " ".join(lines) if lines else None


def names_in_order(settings: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """Return names of hyperparameters in the order in which people gave them; those that the setting doesn't name at the end.

    Args:
        settings: All settings, by name.
        names: The names; each counts once.
    """
    known = dict.fromkeys(names)
    first = [name for name in (text_of(settings, ORDER) or "").split() if name in known]
    return list(dict.fromkeys([*first, *known]))


def in_order(request: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a configuration in the order in which people gave its hyperparameters.

    Args:
        request: The request of the tuning job.
        values: The values by hyperparameter.
    """
    return {name: values[name] for name in names_in_order(settings_in(request), values)}


def put_order(request: MutableMapping[str, Any], names: Sequence[str]) -> None:
    """Write the order of hyperparameters into the tags of a request. Names with white space can't be written: theirs is left out.

    Args:
        request: The request to change.
        names: The names of all hyperparameters.
    """
    if not any(len(name.split()) != 1 or len(name) > LONGEST_TAG for name in names):
        put_text(request, ORDER, " ".join(names))


def without_order(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request without the order of its hyperparameters, in which two requests for one job may differ."""
    tags = [tag for tag in request.get("Tags") or [] if not tag["Key"].startswith(TAG_PREFIX + ORDER)]
    return {**{key: value for key, value in request.items() if key != "Tags"}, **({"Tags": tags} if tags else {})}


def put_text(request: MutableMapping[str, Any], name: str, text: str) -> None:
    """Write a setting that may be longer than a tag into the tags of a request, divided at white space.

    Args:
        request: The request to change.
        name: The setting's name, without `alfine:`.
        text: The setting's text.

    Raises:
        InvalidSpec: Where a single word is longer than a tag.
    """
    lines = textwrap.wrap(text, LONGEST_TAG, break_long_words=False, break_on_hyphens=False)
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_TAG:
            message = f"{line[:40]!r}… has {len(line)} characters; a tag of AWS has at most {LONGEST_TAG}."
            raise InvalidSpec([Fault(name.replace("-", "_"), message)])
        put_setting(request, name if number == 1 else f"{name}-{number}", line)
