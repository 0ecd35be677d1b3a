"""From a spec to what decides about it: `policy_for` looks its names up in the tables, `replayed` asks what others would do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from copy import deepcopy

from alfine.core.decide import AT_END, CompletionCriterion, EarlyStopping, Policy, Strategy
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.replay import Replayed, replay
from alfine.core.spec import TuningJobSpec, put_setting
from alfine.criteria import criteria_for, spelling, table
from alfine.early_stopping import early_stopping_for
from alfine.strategies import strategy_for


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


def _at_end(spec: TuningJobSpec) -> str:
    chosen = spec.settings.get("at-end", AT_END[0])
    if chosen not in AT_END:
        raise InvalidSpec([Fault("Tags.alfine:at-end", f"{chosen!r} isn't one of {', '.join(AT_END)}.")])
    return chosen


def _own_rule(strategy: Strategy) -> tuple[EarlyStopping, ...]:
    """Hyperband is a strategy and an early stopping in one."""
    return (strategy,) if isinstance(strategy, EarlyStopping) else ()


def replayed(history: History, criteria: Sequence[CompletionCriterion] = ()) -> Replayed:
    """Replay a history under other criteria, all else being as the job asked for; none given: its own."""
    spec = history.spec
    if criteria:
        spec = with_criteria(spec, criteria)
    return replay(history, policy_for(spec), under=history.under(spec))


def with_criteria(spec: TuningJobSpec, criteria: Sequence[CompletionCriterion]) -> TuningJobSpec:
    """The same job asked for with these completion criteria and no others.

    Its limit on the number of training jobs stays, unless a criterion names another: it's the budget that criteria save from.
    """
    request = deepcopy(dict(spec.request))
    config = request["HyperParameterTuningJobConfig"]
    config.pop("TuningJobCompletionCriteria", None)
    config.get("ResourceLimits", {}).pop("MaxRuntimeInSeconds", None)
    for name in table():
        put_setting(request, name, None)
    spelling.remove_from(request)
    for criterion in criteria:
        criterion.to_request(request)
    # The caller's own ranges stay: in Python their categories may be of any type, in a request they are texts.
    return dataclasses.replace(TuningJobSpec.from_request(request), space=spec.space)
