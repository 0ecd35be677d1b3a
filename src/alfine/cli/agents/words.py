"""Tuning jobs in plain text, as an agent reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from alfine.cli.job_report import details, forecast_words, outcome
from alfine.cli.output import plain_lines
from alfine.core.fields import FIELDS
from alfine.core.wording import configuration, count_of, number, percent, short
from alfine.criteria import table

Described = Mapping[str, Any]


def described_text(described: Described) -> str:
    """Return a tuning job as `alfine describe` prints it."""
    return "\n".join(_resumable(described, plain_lines(*outcome(described), *details(described))))


def outcome_text(described: Described) -> str:
    """Return the status, the best result, the training jobs and the cost of a tuning job."""
    return "\n".join(_resumable(described, plain_lines(*outcome(described))))


def _resumable(described: Described, lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines, and the tool that goes on with a job that nobody runs but a server could."""
    yield from lines
    if "alfine serve" in (described["Alfine"].get("Standstill") or ""):
        yield "resume_job goes on with it here."


def listed_text(rows: Sequence[Described], where: str) -> str:
    """Return tuning jobs, a line each."""
    return "\n".join(_row(row) for row in rows) or f"There are no tuning jobs in {where}."


def _row(row: Described) -> str:
    best, verdict = row["BestObjective"], row["Verdict"]
    ended = "HyperParameterTuningEndTime" in row
    parts = [
        row["HyperParameterTuningJobStatus"],
        count_of(sum(row["TrainingJobStatusCounters"].values())),
        "no objective yet" if best is None else f"best {row['MetricName']} {number(best)}",
        row.get("Error") or (f"ended by {verdict['criterion']}" if ended and verdict else ""),
        f"created {row['CreationTime'][:16]}",
    ]
    return f"{row['HyperParameterTuningJobName']}: {', '.join(part for part in parts if part)}"


def why_text(described: Described) -> str:
    """Return why a tuning job goes on, or why it ended: each criterion with its evidence, and the forecast."""
    status, extra = described["HyperParameterTuningJobStatus"], described["Alfine"]
    strongest = extra["Verdict"] or {}
    if "HyperParameterTuningEndTime" in described:
        head = f"It has ended ({status}) by {strongest.get('criterion', 'its user')}: {strongest.get('sentence', '')}"
    else:
        head = (
            f"It goes on ({status}). No completion criterion is met." if status == "InProgress" else f"It is {status}."
        )
    lines = [head, *(line for verdict in extra["Verdicts"] for line in _verdict(verdict))]
    forecast = forecast_words(extra.get("Forecast"), described)
    return "\n".join([*lines, *([f"Forecast: {forecast}."] if forecast else [])])


def _verdict(verdict: Described) -> Iterator[str]:
    watching = ", only watching" if verdict.get("watching") else ""
    met = verdict["outlook"] != "CONTINUE"
    yield f"- {verdict['criterion']} ({'met' if met else percent(verdict['progress']) + ' of the way'}{watching}): {verdict['sentence']}"
    if verdict["would_change"]:
        yield f"  {verdict['would_change']}"
    numbers = {key: value for key, value in verdict["evidence"].items() if isinstance(value, int | float | str)}
    if numbers:
        yield f"  Evidence: {', '.join(f'{key} {short(value)}' for key, value in numbers.items())}."


def integers_text(job: Mapping[str, Any]) -> str:
    """Return a sentence about ranges that are integers only because of their bounds; empty without any.

    JavaScript, in which most agents' clients are written, sends 0.0 as 0.
    """
    parts = [job, *definitions.values()] if isinstance(definitions := job.get("definitions"), Mapping) else [job]
    names = [name for part in parts for name, entry in (part.get("space") or {}).items() if _integers(entry)]
    if not names:
        return ""
    which = f"{names[0]} is an integer range" if len(names) == 1 else f"{', '.join(names)} are integer ranges"
    return f" {which}, since min and max are whole numbers. If that isn't meant, give `type: continuous`."


def _integers(entry: object) -> bool:
    if not isinstance(entry, Mapping) or "type" in entry:
        return False
    return all(isinstance(entry.get(bound), int) for bound in ("min", "max"))


def training_jobs_text(rows: Iterable[Described]) -> str:
    """Return training jobs, a line each."""
    return "\n".join(_training_job(row) for row in rows) or "There is no such training job yet."


def _training_job(row: Described) -> str:
    final = row.get("FinalHyperParameterTuningJobObjectiveMetric")
    result = f"{final['MetricName']} {number(final['Value'])}" if final else "no objective"
    reason = row.get("FailureReason") or row.get("StopReason")
    return (
        f"{row['TrainingJobName']}: {row['TrainingJobStatus']}, {result}, {configuration(row['TunedHyperParameters'])}"
        + (f". {reason}" if reason else "")
    )


def best_text(described: Described) -> str:
    """Return the best configuration, and how good it is."""
    best = described.get("BestTrainingJob")
    if best is None:
        return "No training job has an objective yet. Ask again once one has ended."
    lines = [_training_job(best)]
    if estimated := described["Alfine"].get("Best"):
        span = f"{number(estimated['Low'])} to {number(estimated['High'])}"
        lines.append(f"Its expected true value is {number(estimated['Value'])} (90 % range {span}): results are noisy.")
    if "HyperParameterTuningEndTime" not in described:
        lines.append("The tuning job still runs, so this may change.")
    return "\n".join(lines)


def change_of(before: Described, after: Described) -> str:
    """Return what has changed of a tuning job between two descriptions; "" for nothing that matters."""
    lines = []
    if (status := after["HyperParameterTuningJobStatus"]) != before["HyperParameterTuningJobStatus"]:
        lines.append(f"Its status is {status} now.")
    counts = [each["TrainingJobStatusCounters"] for each in (before, after)]
    ended = [sum(each.values()) - each["InProgress"] for each in counts]
    if ended[1] > ended[0]:
        more = ended[1] - ended[0]
        lines.append(f"{count_of(more)} {'has' if more == 1 else 'have'} ended; {ended[1]} altogether.")
    names = [(each.get("BestTrainingJob") or {}).get("TrainingJobName") for each in (before, after)]
    if names[0] != names[1]:
        lines.append(f"There is a new best: {_training_job(after['BestTrainingJob'])}")
    return "\n".join(lines)


def job_words_text() -> str:
    """Return the keys of a job file and the completion criteria, each with its meaning."""
    fields = [f"- {field.word}: {field.help}" + _default(field.default, field.default_note) for field in FIELDS]
    criteria = [f"- {name}: {_summary(kind)}" for name, kind in table().items()]
    ranges = (
        "- space: {eta: {min: 0.01, max: 1.0, scaling: Logarithmic}, depth: {min: 1, max: 10}, kind: {values: [a, b]}}"
    )
    return "\n".join(["Keys of a job:", *fields, "Ranges, for example:", ranges, "Completion criteria:", *criteria])


def _default(value: Any, note: str) -> str:
    text = note or ("" if value is None else str(value))
    return f" Default: {text}." if text else ""


def _summary(kind: type) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
