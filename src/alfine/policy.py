"""policy_for(spec): looks the spec's names up in the tables."""

from __future__ import annotations

from alfine.core.decide import Policy
from alfine.core.spec import TuningJobSpec
from alfine.criteria import criteria_for
from alfine.early_stopping import early_stopping_for
from alfine.strategies import strategy_for


def policy_for(spec: TuningJobSpec) -> Policy:
    """The policy of a job. Raise InvalidSpec when it names something that there is none of."""
    strategy = strategy_for(spec)
    own_rule = (strategy,) if hasattr(strategy, "stops") else ()  # Hyperband is a strategy and an early stopping in one
    return Policy(
        strategy=strategy,
        criteria=criteria_for(spec),
        early_stopping=(*own_rule, *early_stopping_for(spec)),
        max_parallel=spec.max_parallel,
    )
