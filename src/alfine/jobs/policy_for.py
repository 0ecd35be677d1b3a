"""Policies for specs: `policy_for` looks names up in the tables, `replayed` asks how other criteria would decide."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Generator, Iterable, Iterator, Sequence

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.policy import AT_END, Policy
from alfine.core.protocols import CompletionCriterion, EarlyStopping, Strategy
from alfine.core.replay import Replayed, finished, replay_steps
from alfine.core.settings import FORBID, NAMES, ORDER, REQUIRES, START_WITH, STEP, TAG_PREFIX
from alfine.core.spec import TuningJobSpec
from alfine.core.wording import closest
from alfine.criteria import (
    Given,
    can_be_kept,
    check_demands,
    criteria_for,
    criteria_of,
    table,
    tags,
)
from alfine.criteria.search_space_exhausted import SearchSpaceExhausted
from alfine.jobs.change_request import with_criteria
from alfine.strategies import strategy_for
from alfine.strategies.early_stopping import early_stopping_for

PARTED = (REQUIRES, FORBID, STEP, START_WITH, ORDER, tags.SETTING)
"""Settings whose text may be longer than a tag, so that it goes on in others."""


def policy_for(spec: TuningJobSpec, criteria: Sequence[CompletionCriterion] | None = None) -> Policy:
    """Return the policy of a job: its strategy, its early stopping and its completion criteria.

    Args:
        spec: The job.
        criteria: Criteria in place of the job's.

    Raises:
        InvalidSpec: The job names a strategy or a setting that doesn't exist, or a criterion that can't be judged in it.
    """
    strategy = strategy_for(spec)
    return Policy(
        strategy=strategy,
        criteria=criteria_for(spec) if criteria is None else tuple(criteria),
        early_stopping=(*_own_rule(strategy), *early_stopping_for(spec)),
        max_parallel=spec.max_parallel,
        at_end=_at_end(spec),
        nothing_left=SearchSpaceExhausted.__name__,
    )


def unread_settings(spec: TuningJobSpec, criteria: Iterable[CompletionCriterion]) -> Iterator[Fault]:
    """Yield a fault for each tag that nothing would read: a misspelt one, or a setting of a criterion that the job doesn't have.

    Tags that resemble none of alfine's are left to others: a plug-in's criterion, the user's own.

    Args:
        spec: The job.
        criteria: The job's completion criteria, as `policy_for` has them.
    """
    known = _settings()
    judged = {type(criterion).__name__ for criterion in criteria}
    for key in spec.settings:
        name, before = _parted(key)
        if before and before not in spec.settings:
            yield Fault(f"Tags.alfine:{key}", f"goes on with alfine:{before}, and there is none.")
        elif name not in known:
            near = closest(name, known, likeness=0.8)
            if near is not None:
                yield Fault(f"Tags.alfine:{key}", f"isn't a setting of alfine. Did you mean alfine:{near}?")
        elif (section := _amt_section(name)) and (name not in judged or not _has_more_in_tag(name)):
            yield Fault(f"Tags.alfine:{key}", f"{name} is asked for in {section}, not by a tag alone.")
        elif name in table() and name not in judged:
            yield Fault(f"Tags.alfine:{key}", f"{name} is asked for in the tag alfine:{tags.SETTING}.")


def is_setting(tag: str) -> bool:
    """Return whether alfine reads the tag of this key when it creates a job."""
    prefix, _, key = tag.partition(":")
    return f"{prefix}:" == TAG_PREFIX and _parted(key)[0] in _settings()


def _settings() -> list[str]:
    return [*NAMES, tags.SETTING, *table()]


def _parted(key: str) -> tuple[str, str]:
    """Split a tag's key into the setting and the key of the tag before it.

    Of «forbid-3», the third tag of a long text, these are «forbid» and «forbid-2»; of any other key, the key and «».
    """
    match = re.fullmatch(r"(.+)-([2-9]|[1-9][0-9]+)", key)
    if match is None or match[1] not in PARTED:
        return key, ""
    return match[1], match[1] if match[2] == "2" else f"{match[1]}-{int(match[2]) - 1}"


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
    """Return the strategy if it is an early stopping rule, too, as Hyperband is."""
    return (strategy,) if isinstance(strategy, EarlyStopping) else ()


def replayed(history: History, criteria: Given = ()) -> Replayed:
    """Return when a recorded job would have ended under other criteria, all else being as the job asked for.

    Args:
        history: The record.
        criteria: The criteria; the job's where none are given.

    Raises:
        InvalidSpec: A criterion can't be understood, or can't be judged in this job.
    """
    return finished(replayed_steps(history, criteria))


def replayed_steps(history: History, criteria: Given = ()) -> Generator[int, None, Replayed]:
    """Return the steps of `replayed`: each yields how many facts of the record are judged. Arguments and errors are the same."""
    criteria = criteria_of(criteria)
    if not criteria:
        return replay_steps(history, policy_for(history.first_spec), changed=policy_for)
    spec = with_criteria(history.spec, [criterion for criterion in criteria if can_be_kept(criterion)])
    policy = policy_for(spec)
    others = tuple(criterion for criterion in criteria if not can_be_kept(criterion))
    check_demands(spec, others)
    policy = dataclasses.replace(policy, criteria=(*policy.criteria, *others))
    return replay_steps(history, policy, under=history.under(spec))
