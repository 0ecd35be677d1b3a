"""The next tuning job that the remarks on a search space propose: the same job in another space, warm-started from this one."""

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
from alfine.surrogate.space_remarks import Remark
from alfine.surrogate.wider_space import proposed

LONGEST_NAME = 32
"""Characters of a tuning job's name, by AMT."""


def next_request(
    request: Mapping[str, Any], history: History, remarks: Sequence[Remark], name: str | None = None
) -> dict[str, Any]:
    """Return a CreateHyperParameterTuningJob request for the wider or smaller space, to be run once the job has ended.

    If ranges only get wider, the job's results count as the next one's own (IdenticalDataAndAlgorithm). If a hyperparameter gets
    fixed, results at its other values are those of a related function (TransferLearning).

    Args:
        request: The job's.
        history: The job's.
        remarks: On its search space, from `surrogate.space_diagnosis`.
        name: Of the next job; None makes one from this job's name.

    Raises:
        InvalidSpec: There is nothing to propose.
    """
    spec = history.spec
    if spec.parts:
        raise InvalidSpec([Fault(spec.name, "has several training job definitions, which can't be warm-started.")])
    ranges, fixed = proposed(remarks)
    if not ranges and not fixed:
        raise InvalidSpec(
            [Fault(spec.name, "there is nothing to propose: no remark on its space asks for another one.")]
        )
    changed: dict[str, Any] = deepcopy(dict(request))
    changed["HyperParameterTuningJobName"] = name or next_name(spec.name)
    config = changed[CONFIG]
    config.pop(
        "RandomSeed", None
    )  # the name gives another: with the same seed it would try the same configurations first
    for kind, entries in config[RANGES].items():
        config[RANGES][kind] = [_entry(entry, ranges) for entry in entries or () if entry["Name"] not in fixed]
    texts = {key: spec.space.ranges[key].to_text(value) for key, value in fixed.items()}
    if texts:
        definition = changed[DEFINITION]
        definition["StaticHyperParameters"] = {**(definition.get("StaticHyperParameters") or {}), **texts}
    changed["WarmStartConfig"] = {
        PARENTS: [{"HyperParameterTuningJobName": spec.name}],
        "WarmStartType": TRANSFER if fixed else IDENTICAL,
    }
    return changed


def next_words(history: History, remarks: Sequence[Remark], static: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the next job as arguments of `alfine.tune`; empty if there is nothing to propose.

    Args:
        history: The job's.
        remarks: On its search space.
        static: The hyperparameters that the job doesn't tune, as its caller gave them; None takes the recorded texts.
    """
    spec = history.spec
    ranges, fixed = proposed(remarks)
    if spec.parts or not (ranges or fixed):
        return {}
    texts = spec.definition.static_hyperparameters
    own = {key: text for key, text in texts.items() if not key.startswith(RESERVED)} if static is None else static
    space = {name: ranges.get(name, known) for name, known in spec.space.ranges.items() if name not in fixed}
    forbid = [conditions.write([conditions.Entry(condition)]) for condition in spec.space.forbidden]
    return {
        "space": space,
        **({"forbid": forbid} if forbid else {}),
        **({"static": {**own, **fixed}} if own or fixed else {}),
        "warm_start_type": TRANSFER if fixed else IDENTICAL,
        "warm_start": spec.name,
    }


def _entry(entry: Mapping[str, Any], ranges: Mapping[str, Any]) -> dict[str, Any]:
    wider = ranges.get(entry["Name"])
    if not isinstance(wider, Continuous | Integer):
        return dict(entry)
    return {**entry, "MinValue": wider.to_text(wider.low), "MaxValue": wider.to_text(wider.high)}


def next_name(name: str) -> str:
    """Return the name of a job that follows another: «mnist» → «mnist-2» → «mnist-3»."""
    stem, number = re.fullmatch(r"(.*?)(?:-(\d{1,3}))?", name).groups()  # type: ignore[union-attr]
    ending = f"-{int(number or 1) + 1}"
    return f"{stem[: LONGEST_NAME - len(ending)].rstrip('-')}{ending}"
