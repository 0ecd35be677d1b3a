"""Show the description of a tuning job to people: what `alfine describe` prints, and what `alfine tune` ends with."""

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
from alfine.core.range_words import scaling_of
from alfine.core.read_spec import read_spec
from alfine.core.space import ParameterSpace
from alfine.core.spec import CONFIG, DEFINITION, DEFINITIONS, TuningJobSpec
from alfine.core.wording import configuration, count_of, difference, duration, estimate, money, number, percent, short
from alfine.core.wording import gain as gain_text
from alfine.criteria import always_present

Described = Mapping[str, Any]


def outcome(described: Described) -> Iterator[RenderableType]:
    """Yield the status and its reason, then the best result, the training jobs and the cost."""
    verdict = described["Alfine"]["Verdict"] or {}
    ended = "HyperParameterTuningEndTime" in described
    because = f" by {verdict['criterion']}" if ended and verdict else ""
    yield Text.assemble(
        (described["HyperParameterTuningJobName"], "bold"),
        "  ",
        status(described["HyperParameterTuningJobStatus"]),
        because,
    )
    if standstill := described["Alfine"].get("Standstill"):
        yield Text(standstill, style="yellow")
    if ended and (reason := described.get("FailureReason") or verdict.get("sentence")):
        yield Text(reason)
    costs = described["Alfine"]["Cost"]
    yield facts(
        {
            "best": _best(described.get("BestTrainingJob"), described["Alfine"].get("BestObjective")),
            "re-runs": _repeats(described["Alfine"].get("Repeats")),
            "expected true value": _true_value(described),
            "best with parents": _best(overall) if (overall := described.get("OverallBestTrainingJob")) else None,
            "training jobs": _training_jobs(described),
            "failures": _failures(described["Alfine"].get("Failures", [])),
            "spent": _spent(costs.get("Spent"), described),
            "saved": _saved(described, cost_words(costs.get("Saved"))),
            "search space": Text("\n".join(remark["Sentence"] for remark in space))
            if (space := _space(described))
            else None,
            "forecast": forecast_words(described["Alfine"].get("Forecast"), described),
            "note": described["Alfine"].get("Note"),
            "tags": tags_text(described["Alfine"].get("Tags", {})) or None,
            **{f"in {tracker}": _tracked(state) for tracker, state in described["Alfine"].get("Tracking", {}).items()},
        }
    )


def tags_text(tags: Mapping[str, str]) -> str:
    """Return tags for people: «team=vision, paper»."""
    return ", ".join(f"{key}={value}" if value else key for key, value in tags.items())


def _failures(failures: list[Described]) -> Text | None:
    """Return why training jobs failed, the most frequent cause first."""
    lines = [f"{failure['Count']} × {failure['Cause']}  ({failure['TrainingJobName']})" for failure in failures]
    return Text("\n".join(lines)) if lines else None


def _tracked(state: Described) -> RenderableType:
    """Return where a tracker has the job; where something went wrong, since when and why."""
    place = state.get("Place", "nothing yet")
    if "Failure" not in state:
        return Text(place)
    return Text.assemble(place, (f"\nnot told since {local_time(state['FailingSince'])}: {state['Failure']}", "yellow"))


def _repeats(repeats: Described | None) -> RenderableType | None:
    """Return the means of the results that were run again, the best first; None without re-runs."""
    if not repeats:
        return None
    rows = Table.grid(padding=(0, 2, 0, 0))
    for contender in repeats["Contenders"]:
        first = f"first {number(contender['First'])}"
        rows.add_row(
            f"mean {number(contender['Mean'])}", f"of {contender['Runs']} runs", first, contender["TrainingJobName"]
        )
    return rows


def _true_value(described: Described) -> str | None:
    """Return the expected true value of the best result: the best of many noisy results is too optimistic."""
    estimated = described["Alfine"].get("Best")
    if not estimated:
        return None
    if (low := number(estimated["Low"])) == (high := number(estimated["High"])):
        return "the same (no noise found)"
    runs = f", from {estimated['Runs']} runs" if estimated["Runs"] > 1 else ""
    noise = short(estimated["Noise"])
    return f"{number(estimated['Value'])}, 90 % range {low} to {high}{runs}; noise of one result about {noise}"


def _space(described: Described) -> list[Described]:
    """Return the remarks on the search space, and how to get a better one."""
    remarks: list[Described] = described["Alfine"].get("Space", [])
    if not any("Ranges" in remark or "Fixed" in remark for remark in remarks) or DEFINITIONS in described:
        return remarks
    name = described["HyperParameterTuningJobName"]
    return [
        *remarks,
        {"Sentence": f"To make a job with a better search space, warm-started from this one: alfine propose {name}"},
    ]


def forecast_words(forecast: Described | None, described: Described) -> str | None:
    """Return when the job is likely to end, by which criterion, and what the rest of its budget would gain."""
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
        words.append(f"its end can't be forecast: {forecast['UnknownReason']}")
    gain = forecast.get("Gain")
    if gain:
        value = described["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        words.append(
            f"the remaining {forecast['Remaining']} would gain about {gain_text(gain['Middle'], value)}, 90 % range "
            f"{difference(gain['Low'], value)} to {difference(gain['High'], value)}"
        )
    return "; ".join(words) or None


def _estimate(span: Described, write: Callable[[float], str]) -> str:
    return estimate(span["Low"], span["Middle"], span["High"], write)


def _whole(value: float) -> str:
    return number(round(value))


def details(described: Described) -> Iterator[RenderableType]:
    """Yield the settings of the job, and the last verdict of each criterion."""
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
            "maximum cost": cost_words(described["Alfine"]["Cost"].get("Bound")),
            "search space": None if spec.parts else _ranges(config["ParameterRanges"], spec.space, rules),
            **{
                str(part["DefinitionName"]): _definition(part, spec.of(part["DefinitionName"]), rules)
                for part in described.get(DEFINITIONS, ())
            },
            "forbidden": "\n".join(rules.get("Forbidden", ())) or None,
            "starts with": "\n".join(configuration(start) for start in rules.get("StartWith", ())) or None,
        }
    )
    if described["Alfine"]["Verdicts"]:
        yield Text("criteria", style="dim")
        yield _verdicts(described["Alfine"]["Verdicts"])


def spec_of(described: Described) -> TuningJobSpec:
    """Return the spec of a described job."""
    keys = ("HyperParameterTuningJobName", CONFIG, DEFINITION, DEFINITIONS, "WarmStartConfig")
    return read_spec({key: described[key] for key in keys if key in described})


def _definition(asked: Mapping[str, Any], spec: TuningJobSpec, rules: Described) -> RenderableType:
    rows = Table.grid()
    rows.add_row(Text(f"{spec.goal} {spec.metric}"))
    rows.add_row(_ranges(asked["HyperParameterRanges"], spec.space, rules))
    return rows


def _best(best: Described | None, value: Described | None = None) -> RenderableType:
    """Return a best result. value: its objective and the number of runs that it is the mean of; None: it ran once."""
    if best is None:
        return Text("no training job has an objective yet")
    objective = best["FinalHyperParameterTuningJobObjectiveMetric"]
    value = value or {"Value": objective["Value"], "Runs": 1}
    runs = f"  mean of {value['Runs']} runs" if value["Runs"] > 1 else ""
    texts = configuration(best["TunedHyperParameters"])
    definition = best.get("TrainingJobDefinitionName")
    return Text.assemble(
        f"{objective['MetricName']} ",
        (number(value["Value"]), "bold"),
        f"{runs}  {best['TrainingJobName']}{f' ({definition})' if definition else ''}\n{texts}",
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


def _spent(spent: Described | None, described: Described) -> str:
    """Return the cost so far and the runtime, which a running job has in whole seconds."""
    end = described.get("HyperParameterTuningEndTime")
    if end is not None:
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(described["CreationTime"])).total_seconds()
        return f"{cost_words(spent)} in {duration(seconds)}"
    seconds = described["ConsumedResources"]["RuntimeInSeconds"]
    return f"{cost_words(spent)} in {duration(seconds) if seconds else 'less than 1 s'}"


def _ranges(ranges: Mapping[str, Any], space: ParameterSpace, rules: Described) -> RenderableType:
    rows = Table.grid(padding=(0, 2, 0, 0))
    listed = {entry["Name"]: (kind, entry) for kind, entries in ranges.items() for entry in entries or ()}
    for name in filter(listed.__contains__, rules["Hyperparameters"]):
        kind, entry = listed[name]
        values = entry.get("Values")
        span = ", ".join(values) if values else f"{entry['MinValue']} to {entry['MaxValue']}"
        scaling = scaling_of(space.ranges[name])
        notes = [kind.removesuffix("ParameterRanges").lower(), scaling] if scaling else []
        notes += [f"if {condition}"] if (condition := rules.get("Conditions", {}).get(name)) else []
        rows.add_row(Text(name), Text(span), Text(", ".join(notes)))
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
