"""When rules stop, and what that costs: every rule on every recorded search, judged in hindsight.

    python bench/stopping/run.py                    every search of data/held_out.jsonl.gz (some 5 minutes on an idle core); writes
                                                    the table of bench/README.md
    python bench/stopping/run.py --searches 12      the first 12; writes nothing

alfine's criteria watch as Shadows while the search is fed, fact by fact, to the engine's own judge; the peers' rules are those of
rules.py. «Jobs» is the share of the training jobs that were run, «lost» what was given up of (median random − best known), «misses» the
share of searches that end more than 1 % of the best objective's value worse than the whole budget would have. The searches are those of
collect.py on tasks that the weights weren't fitted on.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rules import PEERS, Search

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "search"))
from tasks import HELD_OUT

HERE = Path(__file__).resolve().parent
README, SEARCHES = HERE.parent / "README.md", HERE / "data" / "held_out.jsonl.gz"
TERMINATORS, RESULTS = HERE / "data" / "terminators.json", HERE / "data" / "results.json"
BEGIN, END = "<!-- stopping results: written by bench/stopping/run.py -->", "<!-- end of stopping results -->"
OWN = {
    **{f"ConvergenceDetected, δ = {delta}": {"delta": delta} for delta in (0.2, 0.1, 0.05, 0.02)},
    "ConvergenceDetected, cap 0.1": {"cap": 0.1},
}


def searches(path: Path) -> Iterator[Search]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            values, truth = (np.array([row[i] for row in record["rows"]], dtype=float) for i in (1, 2))
            yield Search(
                task=record["task"], sampler=record["sampler"], seed=record["seed"], values=values, truth=truth,
                best_known=record["best_known"], median_random=record["median_random"], record=record,
            )  # fmt: skip


def own_stops(search: Search) -> dict[str, int]:
    """After how many training jobs each of alfine's criteria would have ended the search."""
    from feeding import fed, spec_of

    from alfine import ConvergenceDetected, Shadow
    from alfine.core.history import History
    from alfine.core.judge import Judge
    from alfine.jobs.policy_for import policy_for

    criteria = [ConvergenceDetected(**words) for words in OWN.values()]
    for whole in fed(search.record):
        facts, began = whole.facts, whole.created_at
    spec = spec_of(search.record)
    judge = Judge(History(spec, began), policy_for(spec, [Shadow(each) for each in criteria]))
    judge.record(facts)
    stops = (verdict.evidence.get("would_have_ended_after_training_jobs") for verdict in judge.verdicts)
    return {name: int(stop or search.budget) for name, stop in zip(OWN, stops, strict=True)}


def outcome(search: Search, stop: int) -> dict[str, float]:
    then, final = search.best(stop), search.best(search.budget)
    return {
        "stop": stop,
        "regret": (then - search.best_known) / (search.median_random - search.best_known),
        "jobs": stop / search.budget,
        "lost": (then - final) / (search.median_random - search.best_known),
        "missed": float(then - final > 0.01 * abs(final)),
    }


def table(rows: list[dict], samplers: list[str]) -> list[str]:
    """A line a rule: jobs run, loss and misses over all searches, and jobs and misses by sampler."""
    lines = [
        f"| rule | jobs | lost | misses | {' | '.join(f'{name}: jobs, misses' for name in samplers)} |",
        f"| --- | --- | --- | --- | {' | '.join('---' for _ in samplers)} |",
    ]
    by_rule = defaultdict(list)
    for row in rows:
        by_rule[row["rule"]].append(row)
    for rule, found in by_rule.items():
        mean = {key: 100 * np.mean([row[key] for row in found]) for key in ("jobs", "lost", "missed")}
        cells = []
        for sampler in samplers:
            own = [row for row in found if row["sampler"] == sampler]
            jobs, missed = (100 * np.mean([row[key] for row in own]) for key in ("jobs", "missed"))
            cells.append(f"{jobs:.0f} %, {missed:.0f} %")
        lines.append(
            f"| {rule} | {mean['jobs']:.0f} % | {mean['lost']:.1f} % | {mean['missed']:.1f} % | {' | '.join(cells)} |"
        )
    return lines


def with_terminators(rows: list[dict], found: list[Search]) -> list[str]:
    """The searches that terminators.py asked Optuna's own terminators about, with what else is near them."""
    if not TERMINATORS.exists():
        return []
    stored = json.loads(TERMINATORS.read_text())
    asked = {(each["task"], each["sampler"], each["seed"]): each["stops"] for each in stored["searches"]}
    theirs = []
    for search in found:
        names = {"task": search.task, "sampler": search.sampler, "seed": search.seed}
        for rule, stop in asked.get(tuple(names.values()), {}).items():
            theirs.append({"rule": rule, **names, **outcome(search, stop)})
    near = {*list(OWN)[1:4], "always 60", "always 100", "always 140", "oracle (hindsight)"}
    ours = [row for row in rows if row["rule"] in near and (row["task"], row["sampler"], row["seed"]) in asked]
    samplers = sorted({row["sampler"] for row in theirs})
    head = f"{len(asked)} of these with the terminators of Optuna {stored['optuna']}, asked every ten training jobs:"
    return ["", head, "", *table(theirs + ours, samplers)]


def together(rows: list[dict]) -> list[str]:
    """Search and stopping together on the held-out tasks of bench/search: training jobs, and regret where the rule stops."""
    lines = ["| search | ended by | training jobs | regret |", "| --- | --- | --- | --- |"]
    for sampler in ("alfine Bayesian", "Optuna TPE", "alfine Random"):
        for rule in ("always 200", "always 100", "always 60", "always 40", *list(OWN)[:3]):
            by_task = defaultdict(list)
            for row in rows:
                if row["task"] in HELD_OUT and (row["sampler"], row["rule"]) == (sampler, rule):
                    by_task[row["task"]].append((row["stop"], row["regret"]))
            if by_task:
                jobs, regret = np.mean([np.mean(each, axis=0) for each in by_task.values()], axis=0)
                lines.append(f"| {sampler} | {rule} | {jobs:.0f} | {regret:.3f} |")
    return lines


def rendered(rows: list[dict], found: list[Search]) -> str:
    samplers = sorted({search.sampler for search in found})
    tasks = len({search.task for search in found})
    text = [
        f"{len(found)} searches of {found[0].budget} training jobs on {tasks} tasks, {datetime.now(UTC):%Y-%m-%d}.",
        "",
    ]
    text += table(rows, samplers)
    text += with_terminators(rows, found)
    text += [
        "",
        "Search and stopping together, on the held-out tasks of bench/search (regret: 0 is the best known, 1 the median random",
        "configuration; the mean of the tasks' means):",
        "",
        *together(rows),
    ]
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, help="only the first so many; nothing is written")
    parser.add_argument("--render", action="store_true", help="the tables again, from data/results.json")
    options = parser.parse_args()
    began, rows = time.monotonic(), []
    found = list(searches(SEARCHES))[: options.searches]
    kept = {tuple(each["search"]): each["stops"] for each in json.loads(RESULTS.read_text())} if options.render else {}
    for count, search in enumerate(found, 1):
        key = (search.task, search.sampler, search.seed)
        stops = kept.get(key) or own_stops(search)
        kept[key] = stops
        for name, stop in (stops | {name: rule(search) for name, rule in PEERS.items()}).items():
            rows.append(
                {"rule": name, **dict(zip(("task", "sampler", "seed"), key, strict=True)), **outcome(search, stop)}
            )
        if not options.render and (sys.stderr.isatty() or count % 12 == 0):
            print(f"{count} of {len(found)} searches, {time.monotonic() - began:.0f} s", file=sys.stderr)
    text = rendered(rows, found)
    print(text)
    if options.searches is None:
        RESULTS.write_text(json.dumps([{"search": key, "stops": stops} for key, stops in kept.items()]) + "\n")
        page = README.read_text()
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        README.write_text(before + BEGIN + "\n\n" + text + "\n\n" + END + after)


if __name__ == "__main__":
    main()
