"""The tables of the engine's benchmark, made of what run.py measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from groups import GROUPS, Group


def spread(values: Sequence[float], digits: int) -> str:
    if not values:
        return "–"
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} [{min(values):,.{digits}f}–{max(values):,.{digits}f}]"


def digits_for(value: float) -> int:
    return 2 if value < 10 else 1 if value < 100 else 0


def ratios(runs: dict[str, list[dict[str, Any]]], name: str, base: str, figure: str = "ms") -> list[float]:
    """Within each round; a contestant that failed in some round has as many ratios as it has rounds."""
    return [
        one[figure] / other[figure]
        for one, other in zip(runs[name], runs[base], strict=False)
        if one[figure] and other[figure]
    ]


def group_table(result: dict[str, Any], group: Group) -> Iterator[str]:
    base = group.contestants[0].name
    columns = [f"{first}-{last}" for first, last in group.stretches]
    if columns:
        heads = [f"{first:,}th–{last:,}th" for first, last in group.stretches] + [
            "CPU ms of the engine's process",
            "first job after s",
        ]
    else:
        heads = ["ms a job", f"÷ {base}", "ms more", "CPU ms of the engine's process", "first job after s"]
    yield f"\n**{result['title']}** (load {min(result['load']):.1f}–{max(result['load']):.1f})\n"
    yield f"| | {' | '.join(heads)} |"
    yield f"|---|{'---|' * len(heads)}"
    for each in group.contestants:
        rounds = result["runs"][each.name]
        if not rounds:
            yield f"| {each.name} | {result['skipped'].get(each.name, 'not run')[:80]}{' |' * len(heads)}".rstrip()
            continue
        cells = []
        for column in columns or ["ms"]:
            values = [one[column] for one in rounds if one.get(column) is not None]
            cells.append(spread(values, digits_for(statistics.median(values))) if values else "–")
        if not columns:
            by = ratios(result["runs"], each.name, base)
            more = [one["ms"] - other["ms"] for one, other in zip(rounds, result["runs"][base], strict=False)]
            cells += [spread(by, 2), spread(more, 1)] if each.name != base else ["1", ""]
        elif cells == ["–"] * len(cells):
            cells[0] = f"{spread([one['ms'] for one in rounds], 0)} ({each.jobs} jobs)"
        cells.append(f"{statistics.median(one['cpu_ms'] for one in rounds):.2f}")
        cells.append(f"{statistics.median(one['first_s'] for one in rounds):.2f}")
        yield f"| {each.name} | {' | '.join(cells)} |"


@dataclass(frozen=True)
class Goal:
    """One figure that issue 2 asks for. values: from what its group found; at_most or at_least bounds their median."""

    what: str
    group: str
    goal: str
    values: Callable[[Any], Sequence[float]]
    at_most: float = float("inf")
    at_least: float = 0.0
    digits: int = 1

    def row(self, found: Any) -> str:
        values = self.values(found)
        if not values:
            return f"| {self.what} | {self.goal} | not measured | |"
        met = self.at_least <= statistics.median(values) <= self.at_most
        unit = "×" if self.goal.endswith("×") else f" {self.goal.split()[-1]}"
        return f"| {self.what} | {self.goal} | {spread(values, self.digits)}{unit} | {'met' if met else '**missed**'} |"


Runs = dict[str, list[dict[str, Any]]]


def _of(name: str, figure: str = "ms") -> Callable[[Runs], list[float]]:
    return lambda runs: [each[figure] for each in runs[name] if each.get(figure) is not None]


def _slower(runs: Runs) -> list[float]:
    return ratios(runs, "alfine, cold", "bare loop")


def _faster(runs: Runs) -> list[float]:
    return [1 / ratio for ratio in ratios(runs, "alfine, warm", "bare loop")]


def _added(runs: Runs) -> list[float]:
    return [one["ms"] - other["ms"] for one, other in zip(runs["alfine, cold"], runs["bare loop"], strict=False)]


def _growth(runs: Runs) -> list[float]:
    return [each["4800-5000"] / each["10-100"] for each in runs[DURABLE] if each["4800-5000"]]


def _process(name: str) -> Callable[[dict[str, Any]], list[float]]:
    return lambda found: found["seconds"][name]


DURABLE = "alfine, SQLite"
IMPORTS = "warm job with scikit-learn and xgboost"
GOALS = (
    Goal("script of 1 s, cold, against the bare loop", "second", "≤ 1.10×", _slower, at_most=1.10, digits=3),
    Goal("script that ends at once, cold, added", "instant", "≤ 30 ms", _added, at_most=30),
    Goal(f"{IMPORTS}, 1 at a time", "warm", "≤ 40 ms", _of("alfine, warm"), at_most=40),
    Goal("… faster than the bare loop", "warm", "≥ 20×", _faster, at_least=20),
    Goal(f"{IMPORTS}, 2 at a time", "warm2", "≤ 40 ms", _of("alfine, warm"), at_most=40),
    Goal("… faster than the bare loop", "warm2", "≥ 20×", _faster, at_least=20),
    Goal(
        "Python function, durable, 10th to 100th job", "function", "≤ 3 ms", _of(DURABLE, "10-100"), at_most=3, digits=2
    ),
    Goal("… 900th to 1,100th", "function", "≤ 3 ms", _of(DURABLE, "900-1100"), at_most=3, digits=2),
    Goal("… 4,800th to 5,000th", "function", "≤ 3 ms", _of(DURABLE, "4800-5000"), at_most=3, digits=2),
    Goal("… and flat: last stretch over first", "function", "≤ 1.25×", _growth, at_most=1.25, digits=2),
    Goal(
        "in-memory Tuner, Random, an ask and tell", "ask_tell", "≤ 0.2 ms", _of("alfine.Tuner"), at_most=0.2, digits=3
    ),
    Goal("`import alfine`, whole process", "startup", "≤ 0.15 s", _process("import alfine"), at_most=0.15, digits=3),
    Goal("`alfine --help`, whole process", "startup", "≤ 0.25 s", _process("alfine --help"), at_most=0.25, digits=3),
    Goal("base install", "install", "< 250 MB", lambda found: [found["base install"]], at_most=250, digits=0),
)


def goal_rows(found: dict[str, Any]) -> Iterator[str]:
    for goal in GOALS:
        if goal.group in found["groups"]:
            yield goal.row(found["groups"][goal.group]["runs"])
        elif goal.group in found:
            yield goal.row(found[goal.group])


def report(found: dict[str, Any]) -> str:
    machine, seen = found["machine"], found["versions"]
    lines = [
        f"{found['at']}, {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}.",
        f"Load average {found['load'][0]:.1f} when it began, {found['load'][1]:.1f} when it ended (of each group beside its title).",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in seen.items()) + ".",
        *(
            f"Measured again at {each['at']} (load {each['load'][0]:.1f}–{each['load'][1]:.1f}): {', '.join(each['what'])}; alfine {each.get('revision', 'not noted')}."
            for each in found.get("again", [])
        ),
        f"alfine's source: {found.get('revision', 'not noted')}.",
        "Figures: median of the rounds [least–most].",
        "\n| goal | | measured | |",
        "|---|---|---|---|",
    ]
    lines += goal_rows(found)
    for name, result in found["groups"].items():
        lines += group_table(result, GROUPS[name])
    if "startup" in found:
        seconds = found["startup"]["seconds"]
        load = found["startup"]["load"]
        lines += [f"\n**Start-up, whole process** (load {min(load):.1f}–{max(load):.1f})\n", "| | s |", "|---|---|"]
        lines += [f"| `{name}` | {spread(values, 3)} |" for name, values in seconds.items()]
    if "install" in found:
        lines.append(
            "\n**Base install**: " + ", ".join(f"{name} {size:.0f} MB" for name, size in found["install"].items()) + "."
        )
    if "kill" in found:
        lines += [
            "\n**`kill -9` of the driver** while two training jobs of 10 s run\n",
            "| | what was seen |",
            "|---|---|",
        ]
        lines += [
            f"| {name} | {'; '.join(f'{key}: {value}' for key, value in seen.items())} |"
            for name, seen in found["kill"].items()
        ]
    return "\n".join(lines) + "\n"
