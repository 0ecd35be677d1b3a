"""Criteria as text, and back: «ConvergenceDetected delta=0.1», «All(BestObjectiveNotImproving 10, ConvergenceDetected)».

    criterion = name [words] | name "(" argument {"," argument} ")"
    argument  = criterion | setting
    setting   = [key "="] value

A setting without a key is the next one of the criterion's own, in the order of its fields. A tag of AWS takes no parentheses
and no commas, so that «of», «/» and «end» say the same: «All of BestObjectiveNotImproving 10 / ConvergenceDetected end».
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, TypeVar, cast

from alfine.core.errors import AlfineError, Fault, InvalidSpec
from alfine.core.policy import CompletionCriterion
from alfine.core.settings import put_setting, put_text
from alfine.core.spec import TuningJobSpec
from alfine.core.wording import did_you_mean

Kinds = Mapping[str, type[CompletionCriterion]]
C = TypeVar("C", bound=CompletionCriterion)

SETTING = (
    "criteria"  # alfine:criteria, alfine:criteria-2, …: those that have neither a field of AMT's nor a tag of their own
)
PARTS = ("criterion", "criteria")  # the fields that hold other criteria
BRACKETS = {"of": "(", "end": ")", "/": ","}


def read(text: str, kinds: Kinds) -> CompletionCriterion:
    """One criterion. Raise InvalidSpec for what can't be understood."""
    reader = _Reader(text, kinds)
    found = reader.criterion(outermost=True)
    if reader.words:
        raise _unreadable(text, f"there is {reader.words[0]!r} after its end")
    return found


def read_all(text: str, kinds: Kinds) -> Iterator[CompletionCriterion]:
    """Several, separated as arguments are."""
    reader = _Reader(text, kinds)
    while reader.words:
        yield reader.criterion()
        if reader.words and reader.words.pop(0) != ",":
            raise _unreadable(text, "there is a closing bracket too many")


def write(criterion: CompletionCriterion) -> str:
    """The text that `read` understands as this criterion, in words that a tag of AWS may have."""
    name, inside, words = _written(criterion, write, _text)
    return f"{name} of {' / '.join([*inside, *words])} end" if inside else " ".join([name, *words])


def say(criterion: CompletionCriterion) -> str:
    """The same in the words that a person would write: «AllOf(BestObjectiveNotImproving 10, ConvergenceDetected delta=0.1)»."""
    name, inside, words = _written(criterion, say, _said)
    return f"{name}({', '.join([*inside, *words])})" if inside else " ".join([name, *words])


def _written(
    criterion: CompletionCriterion, nested: Callable[[CompletionCriterion], str], plain: Callable[[Any], str]
) -> tuple[str, list[str], list[str]]:
    """Its name, the criteria inside it, its settings: the first, where it must be given, without its key."""
    own = list(_fields(criterion))
    inside = [nested(each) for field, value in own if field in PARTS for each in _several(value)]
    fields: list[dataclasses.Field[Any]] = list(dataclasses.fields(criterion))  # type: ignore[arg-type]
    first = fields[0].name if fields and not inside and fields[0].default is dataclasses.MISSING else ""
    words = [f"{'' if field == first else f'{field}='}{plain(value)}" for field, value in own if field not in PARTS]
    return type(criterion).__name__, inside, words


def _fields(criterion: CompletionCriterion) -> Iterator[tuple[str, Any]]:
    """Name and value of those that don't have their default."""
    for field in dataclasses.fields(criterion):  # type: ignore[arg-type]
        value = getattr(criterion, field.name)
        if value != field.default:
            yield field.name, value


def _several(parts: Any) -> Sequence[CompletionCriterion]:
    return parts if isinstance(parts, tuple) else (parts,)


def _said(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else _text(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def demand(whole: str, parts: Sequence[object]) -> None:
    """Raise InvalidSpec unless all parts of a criterion are criteria."""
    for each in parts:
        if isinstance(each, type) or not hasattr(each, "check"):
            raise InvalidSpec([Fault(whole, f"{each!r} isn't a completion criterion, such as ConvergenceDetected().")])


def inside(criterion: CompletionCriterion) -> Iterator[CompletionCriterion]:
    """The criterion, and those that it's made of."""
    yield criterion
    for name in PARTS:
        for part in _several(getattr(criterion, name, ())):
            yield from inside(part)


def append_to(request: MutableMapping[str, Any], criterion: CompletionCriterion) -> None:
    """Write a criterion into the tags `alfine:criteria`, `alfine:criteria-2`, … of a request, after those that are there."""
    before = _joined(_texts({tag["Key"].partition(":")[2]: tag["Value"] for tag in request.get("Tags") or []}))
    remove_from(request)
    put_text(request, SETTING, " / ".join(each for each in (before, write(criterion)) if each))


def from_settings(settings: Mapping[str, str], kinds: Kinds) -> Iterator[CompletionCriterion]:
    """What `append_to` wrote, in order. Raise InvalidSpec, naming the tag, for what can't be understood."""
    try:
        yield from read_all(_joined(_texts(settings)), kinds)
    except InvalidSpec as error:
        raise InvalidSpec([Fault(f"Tags.alfine:{SETTING}", str(fault)) for fault in error.faults]) from error


def read_tag(kind: type[C], spec: TuningJobSpec) -> C | None:
    """Return the criterion that the tag `alfine:<its name>` asks for; None without the tag.

    This is all that the `from_spec` of a criterion needs that AMT doesn't have.

    Args:
        kind: The criterion's class, a dataclass. The tag holds its settings: «15», or «count=15».
        spec: The tuning job.

    Raises:
        InvalidSpec: The tag can't be understood, or the class refuses a setting. The fault names the tag.
    """
    return None if kind.__name__ not in spec.settings else with_tag(kind, spec)


def with_tag(kind: type[C], spec: TuningJobSpec, *words: str) -> C:
    """Return a criterion that AMT has, too: with the settings in `words`, from AMT's fields, and those in its tag that AMT lacks.

    Raises:
        InvalidSpec: The tag can't be understood, or the class refuses a setting. The fault names the tag.
    """
    name = kind.__name__
    try:
        return cast("C", read(" ".join([name, *words, spec.settings.get(name, "")]), {name: kind}))
    except InvalidSpec as error:
        raise InvalidSpec([Fault(f"Tags.alfine:{name}", fault.message) for fault in error.faults]) from error


def write_tag(
    request: MutableMapping[str, Any], criterion: CompletionCriterion, *, leave_out: Collection[str] = ()
) -> None:
    """Write a criterion's settings into the tag `alfine:<its name>`, for `read_tag`.

    Args:
        request: The CreateHyperParameterTuningJob request to write into.
        criterion: The criterion, a dataclass.
        leave_out: Settings that stand in AMT's fields instead.
    """
    name, _, words = _written(criterion, write, _text)
    fields = [field for field, _ in _fields(criterion) if field not in PARTS]
    text = " ".join(word for field, word in zip(fields, words, strict=True) if field not in leave_out)
    asked_elsewhere = getattr(criterion, "amt_section", None) is not None
    put_setting(request, name, None if asked_elsewhere and not text else text)


def remove_from(request: MutableMapping[str, Any]) -> None:
    """Take away what `append_to` wrote."""
    for tag in list(request.get("Tags") or []):
        key = tag["Key"].partition(":")[2]
        if key == SETTING or key.startswith(f"{SETTING}-"):
            put_setting(request, key, None)


def _texts(settings: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    while _key(len(found) + 1) in settings:
        found.append(settings[_key(len(found) + 1)])
    return found


def _joined(texts: Sequence[str]) -> str:
    """The texts of all tags as one: a tag may end inside a criterion, or where another one begins."""
    whole: list[str] = []
    for text in texts:
        words = text.split()
        opened = sum(map(whole.count, ("of", "("))) - sum(map(whole.count, ("end", ")")))
        between = whole and not opened and whole[-1] not in ("/", ",") and _is_name(words[0] if words else "")
        whole += [*(["/"] if between else []), *words]
    return " ".join(whole)


def _is_name(word: str) -> bool:
    """Whether a criterion begins with it, rather than that it's a setting."""
    return word[:1].isupper() and "=" not in word


def _key(number: int) -> str:
    return SETTING if number == 1 else f"{SETTING}-{number}"


class _Reader:
    """Takes the words of a text one by one."""

    def __init__(self, text: str, kinds: Kinds) -> None:
        self.text, self.kinds = text, kinds
        self.words = list(self._words())

    def _words(self) -> Iterator[str]:
        for word in re.findall(r"[(),]|[^\s(),]+", self.text):
            name, colon, rest = word.partition(":")
            if colon and name in self.kinds:  # «ConvergenceDetected:delta=0.1»
                yield from (each for each in (name, rest) if each)
            else:
                yield BRACKETS.get(word, word)

    def criterion(self, *, outermost: bool = False) -> CompletionCriterion:
        name = self.words.pop(0) if self.words else ""
        if name not in self.kinds:
            raise InvalidSpec([Fault("criterion", f"{name!r} isn't one. {did_you_mean(name, self.kinds)}")])
        if self.words and self.words[0] == "(":
            self.words.pop(0)
            criteria, settings = self._arguments()
        else:
            criteria, settings = [], self._settings(commas=outermost)
        return _built(self.kinds[name], criteria, settings)

    def _settings(self, *, commas: bool = False) -> list[str]:
        """Words up to a bracket or, unless commas may stand between settings, up to a comma."""
        found: list[str] = []
        while self.words and self.words[0] not in ("(", ")") and (commas or self.words[0] != ","):
            word = self.words.pop(0)
            found += [] if word == "," else [word]
        return found

    def _arguments(self) -> tuple[list[CompletionCriterion], list[str]]:
        criteria: list[CompletionCriterion] = []
        settings: list[str] = []
        while True:
            if self.words and _is_name(self.words[0]):
                criteria.append(self.criterion())
            else:
                settings += self._settings()
            closing = self.words.pop(0) if self.words else ""
            if closing == ")":
                return criteria, settings
            if closing != ",":
                raise _unreadable(self.text, "a bracket isn't closed" if not closing else f"{closing!r} is misplaced")


def _built(
    kind: type[CompletionCriterion], criteria: Sequence[CompletionCriterion], settings: Sequence[str]
) -> CompletionCriterion:
    fields: list[dataclasses.Field[Any]] = list(dataclasses.fields(kind))  # type: ignore[arg-type]
    names, own = [field.name for field in fields], iter([field.name for field in fields if field.name not in PARTS])
    values: dict[str, Any] = {}
    faults: list[str] = []
    for word in settings:
        key, _, value = word.rpartition("=")
        name = key or next(own, "")
        if name in names:
            values[name] = _value(value)
        else:
            faults.append(
                f"{name!r} isn't one of its settings. {did_you_mean(name, names)}"
                if name
                else f"{value!r} is one setting too many."
            )
    if len(criteria) == 1 and "criterion" in names:
        values["criterion"] = criteria[0]
    elif criteria and "criteria" in names:
        values["criteria"] = tuple(criteria)
    elif criteria:
        faults.append(
            f"takes {'one criterion' if 'criterion' in names else 'no criteria'}, not {len(criteria)} criteria."
        )
    missing = [each.name for each in fields if each.default is dataclasses.MISSING and each.name not in values]
    if not faults and missing and missing != ["criteria"]:
        faults.append(f"needs {' and '.join(missing)}.")
    try:
        if not faults:
            return kind(**values)
    except InvalidSpec as error:
        faults += [fault.message for fault in error.faults]
    except (TypeError, ValueError, AlfineError) as error:
        faults.append(str(error))
    known = ", ".join(names) or "none"
    raise InvalidSpec([Fault(f"criterion {kind.__name__}", f"{fault} Its settings: {known}.") for fault in faults])


def _value(text: str) -> Any:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _unreadable(text: str, why: str) -> InvalidSpec:
    return InvalidSpec([Fault("criterion", f"{text!r} can't be read: {why}.")])
