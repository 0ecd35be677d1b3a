"""A tuning job for people, out of its Describe document: what `describe` shows and what `tune` ends with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alfine.cli.cost_text import cost_words
from alfine.cli.output import facts, local_time, status
from alfine.core.ranges import scaling_of
from alfine.core.read_spec import read_spec
from alfine.core.space import ParameterSpace
from alfine.core.spec import CONFIG, DEFINITION, DEFINITIONS, TuningJobSpec
from alfine.core.wording import count_of, duration, estimate, money, number, percent, short
from alfine.criteria import always_present

Described = Mapping[str, Any]


def outcome(described: Described) -> Iterator[RenderableType]:
    """Status and reason; then the best, the training jobs and the cost."""
    verdict = described["Alfine"]["Verdict"] or {}
    ended = "HyperParameterTuningEndTime" in described
    because = f" by {verdict['criterion']}" if ended and verdict else ""
    yield Text.assemble(
        (described["HyperParameterTuningJobName"], "bold"),
        "  ",
        status(described["HyperParameterTuningJobStatus"]),
        because,
    )
    if ended and verdict:
        yield Text(described.get("FailureReason") or verdict["sentence"])
    costs = described["Alfine"]["Cost"]
    yield facts(
        {
            "best": _best(described.get("BestTrainingJob")),
            "run again": _again(described["Alfine"].get("Repeats")),
            "without luck": _without_luck(described),
            "best with its parents": _best(overall) if (overall := described.get("OverallBestTrainingJob")) else None,
            "training jobs": _training_jobs(described),
            "spent": f"{cost_words(costs.get('Spent'))} in {duration(_seconds(described))}",
            "saved": _saved(described, cost_words(costs.get("Saved"))),
            "space": Text("\n".join(each["Sentence"] for each in space)) if (space := _space(described)) else None,
            "forecast": _forecast(described["Alfine"].get("Forecast"), described),
        }
    )


def _again(repeats: Described | None) -> RenderableType | None:
    """The mean of each of the best, which decides, the best first."""
    if not repeats:
        return None
    rows = Table.grid(padding=(0, 2, 0, 0))
    for each in repeats["Contenders"]:
        first = f"first {number(each['First'])}"
        rows.add_row(f"mean {number(each['Mean'])}", f"of {each['Runs']}", first, each["TrainingJobName"])
    return rows


def _without_luck(described: Described) -> str | None:
    """What the best is likely worth: the best of many noisy results was lucky, too."""
    found = described["Alfine"].get("Best")
    if not found:
        return None
    if (low := number(found["Low"])) == (high := number(found["High"])):
        return "the same: no noise shows"
    runs = f", in {found['Runs']} runs" if found["Runs"] > 1 else ""
    return (
        f"{number(found['Value'])}, 90 % range {low} to {high}{runs}; noise of a result about {short(found['Noise'])}"
    )


def _space(described: Described) -> list[Described]:
    """What there is to say about the search space, and how to get another one."""
    found: list[Described] = described["Alfine"].get("Space", [])
    if not any("Ranges" in each or "Fixed" in each for each in found) or DEFINITIONS in described:
        return found
    name = described["HyperParameterTuningJobName"]
    return [
        *found,
        {"Sentence": f"`alfine propose {name}` writes a job with another space, warm-started from this one."},
    ]


def _forecast(forecast: Described | None, described: Described) -> str | None:
    """When it ends, by what, and what it would still gain."""
    if not forecast:
        return None
    words = []
    jobs = forecast.get("TrainingJobs")
    if jobs:
        by = next(iter(forecast["Chances"]))
        when = f"after {_estimate(jobs, _whole)} more training jobs"
        within = f", in {_estimate(forecast['Seconds'], duration)}" if "Seconds" in forecast else ""
        costs = f", for {_estimate(forecast['Money'], money)}" if "Money" in forecast else ""
        words.append(f"ends {when}{within}{costs}, likely by {by} ({percent(forecast['Chances'][by])})")
    if "Unknown" in forecast:
        words.append(f"its end can't be told: {' or '.join(forecast['Unknown'])} may end it at any time")
    gain = forecast.get("Gain")
    if gain:
        value = described["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        share = f" ({percent(gain['Middle'] / abs(value))})" if value else ""
        words.append(
            f"all {forecast['Remaining']} would gain about {short(gain['Middle'])}{share}, 90 % range "
            f"{short(gain['Low'])} to {short(gain['High'])}"
        )
    return "; ".join(words) or None


def _estimate(span: Described, write: Callable[[float], str]) -> str:
    return estimate(span["Low"], span["Middle"], span["High"], write)


def _whole(value: float) -> str:
    return number(round(value))


def details(described: Described) -> Iterator[RenderableType]:
    """What was asked for, and each criterion's last verdict."""
    spec = spec_of(described)
    config, rules = described["HyperParameterTuningJobConfig"], described["Alfine"]
    yield facts(
        {
            "created": local_time(described["CreationTime"]),
            "ended": local_time(described.get("HyperParameterTuningEndTime")),
            "strategy": f"{spec.strategy}, {count_of(spec.max_parallel)} at a time, early stopping {spec.early_stopping}",
            "warm start": f"{spec.warm_start} from {', '.join(spec.parents)}" if spec.parents else None,
            "parents": described["Alfine"].get("WarmStart"),
            "objective": None if spec.parts else f"{spec.goal} {spec.metric}",
            "at most": cost_words(described["Alfine"]["Cost"].get("Bound")),
            "space": None if spec.parts else _ranges(config["ParameterRanges"], spec.space, rules),
            **{
                str(each["DefinitionName"]): _definition(each, spec.of(each["DefinitionName"]), rules)
                for each in described.get(DEFINITIONS, ())
            },
            "never tried": "\n".join(rules.get("Forbidden", ())) or None,
            "tried first": "\n".join(
                " ".join(f"{k}={v}" for k, v in each.items()) for each in rules.get("StartWith", ())
            )
            or None,
        }
    )
    if described["Alfine"]["Verdicts"]:
        yield Text("criteria", style="dim")
        yield _verdicts(described["Alfine"]["Verdicts"])


def spec_of(described: Described) -> TuningJobSpec:
    keys = ("HyperParameterTuningJobName", CONFIG, DEFINITION, DEFINITIONS, "WarmStartConfig")
    return read_spec({key: described[key] for key in keys if key in described})


def _definition(asked: Mapping[str, Any], spec: TuningJobSpec, rules: Described) -> RenderableType:
    rows = Table.grid()
    rows.add_row(Text(f"{spec.goal} {spec.metric}"))
    rows.add_row(_ranges(asked["HyperParameterRanges"], spec.space, rules))
    return rows


def _best(best: Described | None) -> RenderableType:
    if best is None:
        return Text("no training job has an objective")
    objective = best["FinalHyperParameterTuningJobObjectiveMetric"]
    texts = "  ".join(f"{name}={value}" for name, value in best["TunedHyperParameters"].items())
    definition = best.get("TrainingJobDefinitionName")
    return Text.assemble(
        f"{objective['MetricName']} ",
        (number(objective["Value"]), "bold"),
        f"  {best['TrainingJobName']}{f' ({definition})' if definition else ''}\n{texts}",
    )


def _training_jobs(described: Described) -> str:
    counters = described["TrainingJobStatusCounters"]
    names = {
        "Completed": "completed",
        "Stopped": "stopped",
        "NonRetryableError": "failed",
        "RetryableError": "lost",
        "InProgress": "running",
    }
    parts = [f"{counters[key]} {word}" for key, word in names.items() if counters[key]]
    total = sum(counters.values())
    limit = described["HyperParameterTuningJobConfig"]["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    return f"{total}{f' of at most {limit}' if limit else ''}" + (f": {', '.join(parts)}" if parts else "")


def _saved(described: Described, cost: str | None) -> str | None:
    limit = described["HyperParameterTuningJobConfig"]["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    launched = sum(described["TrainingJobStatusCounters"].values())
    if cost is None or limit is None or limit <= launched:
        return None
    return f"about {cost}: {count_of(limit - launched)} not launched"


def _seconds(described: Described) -> float:
    end = described.get("HyperParameterTuningEndTime")
    if end is None:
        return float(described["ConsumedResources"]["RuntimeInSeconds"])
    return (datetime.fromisoformat(end) - datetime.fromisoformat(described["CreationTime"])).total_seconds()


def _ranges(ranges: Mapping[str, Any], space: ParameterSpace, rules: Described) -> RenderableType:
    rows = Table.grid(padding=(0, 2, 0, 0))
    for kind, entries in ranges.items():
        for each in entries or ():
            values = each.get("Values")
            span = ", ".join(values) if values else f"{each['MinValue']} to {each['MaxValue']}"
            scaling = scaling_of(space.ranges[each["Name"]])
            notes = [kind.removesuffix("ParameterRanges").lower(), scaling] if scaling else []
            notes += [f"if {condition}"] if (condition := rules.get("Conditions", {}).get(each["Name"])) else []
            rows.add_row(Text(each["Name"]), Text(span), Text(", ".join(notes)))
    return rows


def _verdicts(verdicts: list[Mapping[str, Any]]) -> RenderableType:
    rows = Table.grid(padding=(0, 1))
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for verdict in verdicts:
        if verdict["progress"] or not always_present(verdict["criterion"]):
            gauge = ProgressBar(total=1.0, completed=verdict["progress"], width=10)
            rows.add_row(f"  {verdict['criterion']}", gauge, Text(verdict["sentence"]))
            if change := verdict.get("would_change"):
                rows.add_row("", "", Text(change, style="dim"))
    return rows
