"""What a tuning job asks for beyond AMT's fields: settings of alfine, in a request's tags `alfine:<setting>`.

Clients of the AWS API refuse fields that they don't know, and any of them can set tags. Criteria have settings of their own beside these.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.repeats import SETTING as REPEATS
from alfine.core.repeats import WANTED as WANTED_REPEATS
from alfine.core.repeats import Repeats

TAG_PREFIX = "alfine:"
LONGEST_TAG = 256
REQUIRES, FORBID, START_WITH = "requires", "forbid", "start-with"  # in the words of core/conditions.py


def is_number(value: Any, good: Callable[[float], bool]) -> bool:
    """Whether it's a number, or the text of one, that is good."""
    try:
        return not isinstance(value, bool) and good(float(value))
    except (TypeError, ValueError):
        return False


def _is_amount(text: str) -> bool:
    return is_number(text, lambda x: 0 <= x < math.inf)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0


# Settings whose text must be something: what it's asked, and what to say. (Criteria read their own.)
SETTINGS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "price-per-hour": (_is_amount, "isn't a price. Use a number from 0 on, per instance and hour."),
    "grace-seconds": (_is_amount, "must be a number of seconds from 0 on."),
    "threads": (_is_count, "must be a whole number from 1 on."),
    "max-log-bytes": (_is_count, "must be a whole number from 1 on."),
    REPEATS: (lambda text: Repeats.read(text) is not None, WANTED_REPEATS),
    "warm": (lambda text: text in ("on", "off"), "must be on or off."),
}

# All that alfine reads from tags, but for completion criteria; REQUIRES, FORBID and START_WITH may be parted («requires-2»).
NAMES = (*SETTINGS, REQUIRES, FORBID, START_WITH, "at-end", "runner", "requirements", "checkpoints")


def setting_of(request: Mapping[str, Any], name: str) -> str | None:
    """An alfine setting of a request, None without."""
    return next((tag["Value"] for tag in request.get("Tags") or [] if tag["Key"] == TAG_PREFIX + name), None)


def put_setting(request: MutableMapping[str, Any], name: str, text: str | None) -> None:
    """Write an alfine setting into a request's tags, replacing an earlier one; None takes it away."""
    key = TAG_PREFIX + name
    tags = [tag for tag in request.get("Tags") or [] if tag.get("Key") != key]
    if text is not None:
        tags.append({"Key": key, "Value": text})
    if tags:
        request["Tags"] = tags
    else:
        request.pop("Tags", None)


def text_of(settings: Mapping[str, str], name: str) -> str | None:
    """A setting that may be longer than a tag: `alfine:<name>`, `alfine:<name>-2`, … with white space between."""
    found: list[str] = []
    while (key := name if not found else f"{name}-{len(found) + 1}") in settings:
        found.append(settings[key])
    return " ".join(found) if found else None


def put_text(request: MutableMapping[str, Any], name: str, text: str) -> None:
    """Write such a setting, parted at white space. Raise InvalidSpec where a word is longer than a tag."""
    lines = textwrap.wrap(text, LONGEST_TAG, break_long_words=False, break_on_hyphens=False)
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_TAG:
            message = f"{line[:40]!r}… has {len(line)} characters; a tag, where it's kept, {LONGEST_TAG}."
            raise InvalidSpec([Fault(name.replace("-", "_"), message)])
        put_setting(request, name if number == 1 else f"{name}-{number}", line)
