"""From a spec to what decides about it: `policy_for` looks its names up in the tables, `replayed` asks what others would do."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from inspect import signature
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.policy import AT_END, CompletionCriterion, EarlyStopping, Policy, Strategy
from alfine.core.read_spec import read_spec
from alfine.core.replay import Replayed, replay
from alfine.core.settings import (
    FORBID,
    NAMES,
    NO_REPEATS,
    REPEATS,
    REQUIRES,
    START_WITH,
    TAG_PREFIX,
    Repeats,
    put_setting,
)
from alfine.core.spec import TuningJobSpec
from alfine.core.wording import closest
from alfine.criteria import (
    Given,
    can_be_kept,
    check_demands,
    criteria_for,
    criteria_of,
    put_criteria,
    table,
    text_format,
)
from alfine.criteria.amt_fields import put_limits
from alfine.strategies import strategy_for
from alfine.strategies.early_stopping import early_stopping_for


def policy_for(spec: TuningJobSpec, criteria: Sequence[CompletionCriterion] | None = None) -> Policy:
    """The policy of a job; `criteria` instead of its own. Raise InvalidSpec when it names something that there is none of."""
    strategy = strategy_for(spec)
    return Policy(
        strategy=strategy,
        criteria=criteria_for(spec) if criteria is None else tuple(criteria),
        early_stopping=(*_own_rule(strategy), *early_stopping_for(spec)),
        max_parallel=spec.max_parallel,
        at_end=_at_end(spec),
    )


def unread_settings(spec: TuningJobSpec) -> Iterator[Fault]:
    """Tags that nobody would read: misspelt ones, and settings of criteria that the job doesn't have.

    Those that are like none of alfine's are left to others: another package's criterion, the user's own.
    """
    known = _settings()
    own = {type(criterion).__name__ for criterion in criteria_for(spec)}
    for key in spec.settings:
        name, before = _parted(key)
        if before and before not in spec.settings:
            yield Fault(f"Tags.alfine:{key}", f"goes on with alfine:{before}, and there is none.")
        elif name not in known:
            near = closest(name, known, likeness=0.8)
            if near is not None:
                yield Fault(f"Tags.alfine:{key}", f"isn't a setting of alfine. Did you mean alfine:{near}?")
        elif (section := _amt_section(name)) and (name not in own or not _has_more_in_tag(name)):
            yield Fault(f"Tags.alfine:{key}", f"{name} is asked for in {section}, not by a tag alone.")
        elif name in table() and name not in own:
            yield Fault(f"Tags.alfine:{key}", f"{name} is asked for in the tag alfine:{text_format.SETTING}.")


def is_setting(tag: str) -> bool:
    """Whether a tag's key is one that alfine reads when a job is created."""
    prefix, _, key = tag.partition(":")
    return f"{prefix}:" == TAG_PREFIX and _parted(key)[0] in _settings()


def _settings() -> list[str]:
    return [*NAMES, text_format.SETTING, *table()]


def _parted(key: str) -> tuple[str, str]:
    """«forbid» and «forbid-2» of «forbid-3», a text that is longer than a tag; the key and nothing of any other."""
    found = re.fullmatch(r"(.+)-([2-9]|[1-9][0-9]+)", key)
    if found is None or found[1] not in PARTED:
        return key, ""
    return found[1], found[1] if found[2] == "2" else f"{found[1]}-{int(found[2]) - 1}"


PARTED = (REQUIRES, FORBID, START_WITH, text_format.SETTING)


def _amt_section(name: str) -> str | None:
    return getattr(table().get(name), "amt_section", None)


def _has_more_in_tag(name: str) -> bool:
    return getattr(table().get(name), "more_in_tag", False)


def _at_end(spec: TuningJobSpec) -> str:
    chosen = spec.settings.get("at-end", AT_END[0])
    if chosen not in AT_END:
        raise InvalidSpec([Fault("Tags.alfine:at-end", f"{chosen!r} isn't one of {', '.join(AT_END)}.")])
    return chosen


def _own_rule(strategy: Strategy) -> tuple[EarlyStopping, ...]:
    """Hyperband is a strategy and an early stopping in one."""
    return (strategy,) if isinstance(strategy, EarlyStopping) else ()


def replayed(history: History, criteria: Given = ()) -> Replayed:
    """Replay a history under other criteria, all else being as the job asked for; none given: its own."""
    criteria = criteria_of(criteria)
    if not criteria:
        return replay(history, policy_for(history.first_spec), changed=policy_for)
    spec = with_criteria(history.spec, [each for each in criteria if can_be_kept(each)])
    policy = policy_for(spec)
    own = tuple(each for each in criteria if not can_be_kept(each))
    check_demands(spec, own)
    policy = dataclasses.replace(policy, criteria=(*policy.criteria, *own))
    return replay(history, policy, under=history.under(spec))


def with_criteria(spec: TuningJobSpec, criteria: Sequence[CompletionCriterion]) -> TuningJobSpec:
    """The same job asked for with these completion criteria and no others.

    Its limit on the number of training jobs stays, unless a criterion names another: it's the budget that criteria save from.
    """
    request = deepcopy(dict(spec.request))
    request["HyperParameterTuningJobConfig"].get("ResourceLimits", {}).pop("MaxRuntimeInSeconds", None)
    request = changed_request(request, criteria=criteria)
    # Another limit is looked at as it is: that a grid needs one of its size, say, is for jobs that are to run.
    limit = request["HyperParameterTuningJobConfig"]["ResourceLimits"].pop("MaxNumberOfTrainingJobs", None)
    found = read_spec(request)
    share = None if limit is None else -(-limit // len(found.each))
    parts = {name: dataclasses.replace(part, max_training_jobs=share) for name, part in found.parts.items()}
    # The caller's own ranges stay: in Python their categories may be of any type, in a request they are texts.
    return dataclasses.replace(found, space=spec.space, max_training_jobs=limit, parts=parts)


def changed_request(
    request: Mapping[str, Any],
    *,
    criteria: Given | None = None,
    max_training_jobs: int | None = None,
    max_parallel: int | None = None,
    max_runtime_seconds: float | None = None,
    early_stopping: str | None = None,
    at_end: str | None = None,
    price_per_hour: float | None = None,
    repeats: int | str | Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The request but for what is given. criteria take the place of all its completion criteria; its limits stay. repeats: «never»
    takes them away.
    """
    changed: dict[str, Any] = deepcopy(dict(request))
    config = changed["HyperParameterTuningJobConfig"]
    limits = config.setdefault("ResourceLimits", {})
    words = {"MaxNumberOfTrainingJobs": max_training_jobs, "MaxRuntimeInSeconds": max_runtime_seconds}
    for name, word in words.items():
        if word is not None:
            limits.pop(name, None)
    if max_parallel is not None:
        limits["MaxParallelTrainingJobs"] = max_parallel
    if early_stopping is not None:
        config["TrainingJobEarlyStoppingType"] = early_stopping
    if criteria is not None:
        config.pop("TuningJobCompletionCriteria", None)
        for name in table():
            put_setting(changed, name, None)
        text_format.remove_from(changed)
        put_criteria(changed, criteria_of(criteria))
    put_limits(changed, **words)
    if repeats is not None:
        put_setting(changed, REPEATS, None if str(repeats) in NO_REPEATS else str(Repeats.of(repeats)))
    for setting, text in (("at-end", at_end), ("price-per-hour", price_per_hour)):
        if text is not None:
            put_setting(changed, setting, str(text))
    return changed


CHANGES = tuple(signature(changed_request).parameters)[1:]
"""What can be changed of a job."""
