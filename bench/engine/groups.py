"""The contestants of the engine's benchmark, in the groups in which they are compared."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

PEERS = Path(__file__).resolve().parents[1] / ".venv-peers"
"""The environment of the peers, which run.py makes."""


@dataclass(frozen=True)
class Contestant:
    """One engine in one setting. jobs: how many training jobs it runs, so that a slow engine needn't run many; rounds: at most."""

    name: str
    program: str
    jobs: int
    env: dict[str, str] = field(default_factory=dict)
    case: str = ""  # instead of the group's
    rounds: int = 99

    @property
    def peer(self) -> str | None:
        """The package that it needs in the peers' environment."""
        return {"optuna_engine": "optuna", "ray_engine": "ray", "syne_engine": "syne-tune"}.get(self.program)

    @property
    def python(self) -> str:
        return str(PEERS / "bin" / "python") if self.peer else sys.executable


@dataclass(frozen=True)
class Group:
    """Contestants that are compared; the first is what the others are divided by."""

    title: str
    case: str
    parallel: int
    rounds: int
    contestants: tuple[Contestant, ...]
    stretches: tuple[
        tuple[int, int], ...
    ] = ()  # from the end of this job to the end of that one; none: of the whole run


WARM, SQLITE = {"WARM": "1"}, {"SQLITE": "1"}


def scripts(bare: int, alfine: int, peers: int, ray: int, *more: Contestant) -> tuple[Contestant, ...]:
    return (
        Contestant("bare loop", "bare", bare),
        *more,
        Contestant("alfine, cold", "alfine_engine", alfine),
        Contestant("Optuna in memory + subprocess", "optuna_engine", peers),
        Contestant("Optuna SQLite + subprocess", "optuna_engine", peers, SQLITE),
        Contestant("Syne Tune LocalBackend, sleep 0.05 s", "syne_engine", peers),
        *([Contestant("Ray Tune + subprocess", "ray_engine", ray, rounds=2)] if ray else []),
    )


def warm(parallel: int) -> Group:
    contestants = scripts(5, 5, 5, 2 if parallel == 1 else 0, Contestant("alfine, warm", "alfine_engine", 60, WARM))
    title = "A script that imports scikit-learn and xgboost, prints its metric and ends"
    return Group(f"{title}, {parallel} at a time", "imports", parallel, 3, contestants)


STRETCHES = ((10, 100), (900, 1100), (4800, 5000))
GROUPS = {
    "second": Group("A script that takes 1 s, cold", "second", 1, 3, scripts(6, 6, 6, 2)),
    "instant": Group("A script that ends at once, cold", "instant", 1, 5, scripts(60, 60, 60, 2)),
    "warm": warm(1),
    "warm2": warm(2),
    "function": Group(
        "A Python function that returns at once, one at a time: ms a job in three stretches",
        "function",
        1,
        3,
        (
            Contestant("two durable transactions, plain sqlite3", "bare", 5000, case="sqlite"),
            Contestant("alfine, SQLite", "alfine_engine", 5000),
            Contestant("Optuna SQLite, random", "optuna_engine", 1100, SQLITE, rounds=2),
            Contestant("Optuna in memory, random", "optuna_engine", 5000),
            Contestant("Ray Tune, random", "ray_engine", 4, rounds=2),
        ),
        STRETCHES,
    ),
    "ask_tell": Group(
        "In memory, ask and tell with random sampling: ms a job in three stretches",
        "ask_tell",
        1,
        5,
        (
            Contestant("bare loop", "bare", 5000, case="function"),
            Contestant("alfine.Tuner", "alfine_engine", 5000),
            Contestant("Optuna in memory", "optuna_engine", 5000),
        ),
        STRETCHES,
    ),
}
