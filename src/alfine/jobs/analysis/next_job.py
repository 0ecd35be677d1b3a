"""The tuning job that the remarks on a search space propose: the same, warm-started from it, in another space."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from alfine.core import conditions
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.ranges import Continuous, Integer
from alfine.core.spec import CONFIG, DEFINITION, IDENTICAL, PARENTS, RANGES, TRANSFER
from alfine.core.warm_start import RESERVED
from alfine.surrogate.space_diagnosis import Remark, proposed

LONGEST_NAME = 32


def proposed_request(
    request: Mapping[str, Any], history: History, found: Sequence[Remark], name: str | None = None
) -> dict[str, Any]:
    """A CreateHyperParameterTuningJob request for the wider or smaller space, to be run once the job has ended.

    Its results count as its own where ranges only get wider (IdenticalDataAndAlgorithm); where a hyperparameter is fixed, those at
    other values of it say what is good and what isn't (TransferLearning). Raise InvalidSpec when there is nothing to propose.
    """
    spec = history.spec
    if spec.parts:
        raise InvalidSpec([Fault(spec.name, "has several training job definitions, which can't be warm-started.")])
    ranges, fixed = proposed(found)
    if not ranges and not fixed:
        raise InvalidSpec(
            [Fault(spec.name, "there is nothing to propose: no remark on its space asks for another one.")]
        )
    changed: dict[str, Any] = deepcopy(dict(request))
    changed["HyperParameterTuningJobName"] = name or following(spec.name)
    config = changed[CONFIG]
    config.pop("RandomSeed", None)  # the name gives another: with the same one it would begin with what is known
    for kind, entries in config[RANGES].items():
        config[RANGES][kind] = [_entry(each, ranges) for each in entries or () if each["Name"] not in fixed]
    texts = {key: spec.space.ranges[key].to_text(value) for key, value in fixed.items()}
    if texts:
        definition = changed[DEFINITION]
        definition["StaticHyperParameters"] = {**(definition.get("StaticHyperParameters") or {}), **texts}
    changed["WarmStartConfig"] = {
        PARENTS: [{"HyperParameterTuningJobName": spec.name}],
        "WarmStartType": TRANSFER if fixed else IDENTICAL,
    }
    return changed


def proposed_words(
    history: History, found: Sequence[Remark], static: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The same as words of `alfine.tune`; empty when there is nothing to propose.

    static: what the job doesn't tune, as its caller gave it; None takes it as it is recorded, as texts.
    """
    spec = history.spec
    ranges, fixed = proposed(found)
    if spec.parts or not (ranges or fixed):
        return {}
    texts = spec.definition.static_hyperparameters
    own = {key: text for key, text in texts.items() if not key.startswith(RESERVED)} if static is None else static
    space = {name: ranges.get(name, each) for name, each in spec.space.ranges.items() if name not in fixed}
    forbid = [conditions.write([conditions.Entry(each)]) for each in spec.space.forbidden]
    return {
        "space": space,
        **({"forbid": forbid} if forbid else {}),
        **({"static": {**own, **fixed}} if own or fixed else {}),
        "warm_start_type": TRANSFER if fixed else IDENTICAL,
        "warm_start": spec.name,
    }


def _entry(entry: Mapping[str, Any], ranges: Mapping[str, Any]) -> dict[str, Any]:
    found = ranges.get(entry["Name"])
    if not isinstance(found, Continuous | Integer):
        return dict(entry)
    return {**entry, "MinValue": found.to_text(found.low), "MaxValue": found.to_text(found.high)}


def following(name: str) -> str:
    """«mnist» -> «mnist-2» -> «mnist-3»."""
    stem, number = re.fullmatch(r"(.*?)(?:-(\d{1,3}))?", name).groups()  # type: ignore[union-attr]
    ending = f"-{int(number or 1) + 1}"
    return f"{stem[: LONGEST_NAME - len(ending)].rstrip('-')}{ending}"
