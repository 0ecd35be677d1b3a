"""Criteria in the tags of a request: what AMT has no field for.

A criterion that AMT doesn't have stands in a tag of its own name, `alfine:MaxCost` = «25». Those that are made of others, and a second
one of a kind, stand in `alfine:criteria`, in the words of `text_format.py`; what is longer than a tag goes on in `alfine:criteria-2`, ….
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, TypeVar, cast

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.protocols import CompletionCriterion
from alfine.core.settings import put_setting, put_text
from alfine.core.spec import TuningJobSpec
from alfine.criteria.text_format import Kinds, begins_criterion, plain_text, read, read_all, write, written

C = TypeVar("C", bound=CompletionCriterion)

SETTING = "criteria"
"""The name of the tag, without its prefix, that holds criteria which have neither a field of AMT's nor a tag of their own name."""


def read_tag(kind: type[C], spec: TuningJobSpec) -> C | None:
    """Return the criterion that the tag `alfine:<its name>` asks for; None without the tag.

    A criterion that AMT doesn't have needs no more than this in its `from_spec`.

    Args:
        kind: The criterion's class, a dataclass. The tag holds its settings: «15», or «count=15».
        spec: The tuning job.

    Raises:
        InvalidSpec: The tag can't be understood, or the class refuses a setting. The fault names the tag.
    """
    return None if kind.__name__ not in spec.settings else with_tag(kind, spec)


def with_tag(kind: type[C], spec: TuningJobSpec, *words: str) -> C:
    """Return a criterion that AMT has, too: with the settings in `words`, from AMT's fields, and those in its tag that AMT lacks.

    Args:
        kind: The criterion's class.
        spec: The tuning job.
        *words: Settings from AMT's fields, as text.

    Raises:
        InvalidSpec: The tag can't be understood, or the class refuses a setting. The fault names the tag.
    """
    name = kind.__name__
    try:
        return cast("C", read(" ".join([name, *words, spec.settings.get(name, "")]), {name: kind}))
    except InvalidSpec as error:
        raise InvalidSpec([Fault(f"Tags.alfine:{name}", fault.message) for fault in error.faults]) from error


def write_tag(
    request: MutableMapping[str, Any], criterion: CompletionCriterion, *, leave_out: Sequence[str] = ()
) -> None:
    """Write a criterion's settings into the tag `alfine:<its name>`, for `read_tag`.

    Args:
        request: The CreateHyperParameterTuningJob request to write into.
        criterion: The criterion, a dataclass.
        leave_out: Settings that stand in AMT's fields instead.
    """
    name, _, words = written(criterion, write, plain_text, leave_out)
    is_asked_elsewhere = getattr(criterion, "amt_section", None) is not None
    put_setting(request, name, None if is_asked_elsewhere and not words else " ".join(words))


def append_to(request: MutableMapping[str, Any], criterion: CompletionCriterion) -> None:
    """Write a criterion into the tags `alfine:criteria`, … of a request, after those that are there.

    A criterion that a job may have several of needs no more than this in its `to_request`.

    Args:
        request: The request, which is changed.
        criterion: The criterion, which text_format.py can write.
    """
    before = _joined(_texts({tag["Key"].partition(":")[2]: tag["Value"] for tag in request.get("Tags") or []}))
    remove_from(request)
    put_text(request, SETTING, " / ".join(text for text in (before, write(criterion)) if text))


def from_settings(settings: Mapping[str, str], kinds: Kinds) -> Iterator[CompletionCriterion]:
    """Yield the criteria that `append_to` wrote, in order.

    Args:
        settings: The job's settings, which are its tags without their prefix.
        kinds: The classes of criteria, by name.

    Raises:
        InvalidSpec: A tag can't be understood. The fault names it.
    """
    try:
        yield from read_all(_joined(_texts(settings)), kinds)
    except InvalidSpec as error:
        raise InvalidSpec([Fault(f"Tags.alfine:{SETTING}", str(fault)) for fault in error.faults]) from error


def remove_from(request: MutableMapping[str, Any]) -> None:
    """Take away what `append_to` wrote."""
    for tag in list(request.get("Tags") or []):
        key = tag["Key"].partition(":")[2]
        if key == SETTING or key.startswith(f"{SETTING}-"):
            put_setting(request, key, None)


def _texts(settings: Mapping[str, str]) -> list[str]:
    texts: list[str] = []
    while (key := SETTING if not texts else f"{SETTING}-{len(texts) + 1}") in settings:
        texts.append(settings[key])
    return texts


def _joined(texts: Sequence[str]) -> str:
    """Return the texts of all tags as one: a tag may end inside a criterion, or where another one begins."""
    joined: list[str] = []
    for text in texts:
        words = text.split()
        opened = sum(map(joined.count, ("of", "("))) - sum(map(joined.count, ("end", ")")))
        is_next = begins_criterion(words[0] if words else "")
        between = joined and not opened and joined[-1] not in ("/", ",") and is_next
        joined += [*(["/"] if between else []), *words]
    return " ".join(joined)
