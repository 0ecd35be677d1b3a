"""Search strategies: which configuration to try next.

A new strategy is one file with a frozen dataclass (`from_spec` and `ask`, see `alfine.core.protocols.NamedStrategy`) and its name in
`alfine.core.spec.STRATEGIES`: the strategy «Grid» is the class Grid in strategies/grid.py. Another package adds one as an entry point in the
group `alfine.strategies`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.protocols import NamedStrategy, Strategy
from alfine.core.spec import STRATEGIES as NAMES
from alfine.core.spec import TuningJobSpec
from alfine.strategies.initial_configurations import InitialConfigurations
from alfine.strategies.several_definitions import SeveralDefinitions

STRATEGIES: dict[str, type[NamedStrategy]] = {
    name: getattr(import_module(f"{__name__}.{name.lower()}"), name) for name in NAMES
}
"""SageMaker's name of each strategy, and its class."""


@cache
def table() -> dict[str, type[NamedStrategy]]:
    """Return STRATEGIES and the strategies that installed packages add, by name."""
    return {**STRATEGIES, **{point.name: point.load() for point in entry_points(group="alfine.strategies")}}


def strategy_for(spec: TuningJobSpec) -> Strategy:
    """Return the strategy of a tuning job.

    A job with several training job definitions gets one strategy per definition and a rule that chooses between them. Configurations
    that the job names (`start_with`) are evaluated before the strategy is asked.

    Args:
        spec: The tuning job.

    Raises:
        InvalidSpec: No strategy has the name that the job gives.
    """
    if spec.parts:
        return SeveralDefinitions({name: strategy_for(part) for name, part in spec.parts.items()})
    classes = table()
    if spec.strategy not in classes:
        raise InvalidSpec([Fault("Strategy", f"{spec.strategy!r} isn't a strategy. Use one of {', '.join(classes)}.")])
    strategy = classes[spec.strategy].from_spec(spec)
    return InitialConfigurations(spec.start_with, strategy) if spec.start_with else strategy
