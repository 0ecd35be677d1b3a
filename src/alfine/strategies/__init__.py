"""What to try next: one file a strategy. This table, AMT's name -> class, is the only list of them.

A new one is a file with a frozen dataclass (`from_spec`, `ask`; see core/policy.py) and a line here; from outside, an entry
point in the group `alfine.strategies`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.policy import Strategy
from alfine.core.spec import TuningJobSpec
from alfine.strategies.bayesian import Bayesian
from alfine.strategies.grid import Grid
from alfine.strategies.hyperband import Hyperband
from alfine.strategies.initial_configurations import Starting
from alfine.strategies.random import Random
from alfine.strategies.several_definitions import Definitions

STRATEGIES: dict[str, type[Strategy]] = {
    "Bayesian": Bayesian,
    "Random": Random,
    "Grid": Grid,
    "Hyperband": Hyperband,
}


@cache
def table() -> dict[str, type[Strategy]]:
    """STRATEGIES and what installed packages add to it."""
    return {**STRATEGIES, **{point.name: point.load() for point in entry_points(group="alfine.strategies")}}


def strategy_for(spec: TuningJobSpec) -> Strategy:
    """The strategy that the job names, one for each definition. Raise InvalidSpec when there is none of that name."""
    if spec.parts:
        return Definitions.from_spec(spec)
    kinds = table()
    if spec.strategy not in kinds:
        raise InvalidSpec([Fault("Strategy", f"{spec.strategy!r} isn't one. Use one of {', '.join(kinds)}.")])
    kind = Starting if spec.start_with else kinds[spec.strategy]
    return kind.from_spec(spec)
