"""alfine tune JOB --dry-run: run one training job, record nothing, and show what is read from its log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from alfine.cli.errors import FAILED
from alfine.cli.options import home_to_look_into
from alfine.core.wording import duration, number

if TYPE_CHECKING:
    from alfine.cli.log_check import Match, MetricReadings
    from alfine.cli.trial_run import TrialRun

SHOWN = 5
"""Values of a metric that are shown from the beginning, and as many from the end."""


def dry_run(request: Mapping[str, Any], *, as_json: bool) -> int:
    """Run the first training job of each definition in a temporary folder.

    Returns:
        The exit code: 0 if each training job succeeded and its objective could be read.
    """
    from alfine.cli.output import print_json

    results: list[dict[str, Any]] = []
    good = True
    with home_to_look_into() as home:
        spec = home.service.check(request)
        for part in spec.definition_specs:
            which = f"one training job of {part.definition.name}" if spec.parts else "one training job"
            if not as_json:
                click.echo(f"Dry run of {spec.name}: {which}, nothing is recorded.", err=True)
            trial = _run_one(part, home)
            if as_json:
                results.append(_as_json(part, trial))
            else:
                _print(part, trial)
            good = good and trial.reason is None and bool(trial.readings.matches[part.metric])
    if as_json:
        print_json({"TrainingJobDefinitions": results} if spec.parts else results[0])
    return 0 if good else FAILED


def _run_one(spec: Any, home: Any) -> TrialRun:
    from alfine.cli.preflight import tried
    from alfine.core.history import History
    from alfine.jobs.policy_for import policy_for

    suggestion = policy_for(spec).strategy.ask(History(spec, home.clock()))
    assert suggestion is not None, "an empty history leaves something to try"
    return tried(spec, home, suggestion.hyperparameters)


def _as_json(spec: Any, trial: TrialRun) -> dict[str, Any]:
    from alfine.cli.preflight import predicted_seconds

    return {
        "HyperParameterTuningJobName": spec.name,
        **trial.as_dict(),
        "PredictedRuntimeInSeconds": predicted_seconds(spec, trial.seconds),
    }


def _print(spec: Any, trial: TrialRun) -> None:
    from alfine.cli.output import facts, show
    from alfine.cli.preflight import predicted_seconds

    ending = trial.reason or f"exit code {trial.exit.code}"
    show(facts({"command": trial.command, "ended": f"{ending}, after {duration(trial.seconds)}"}))
    for name in trial.readings.regexes:
        show(*metric(trial.readings, name, spec.metric))
    allowed, parallel = spec.most_training_jobs, spec.max_parallel
    how = f"{allowed} training jobs x {duration(trial.seconds)}" + (f" / {parallel} at a time" if parallel > 1 else "")
    show(
        f"The whole job would take about {duration(predicted_seconds(spec, trial.seconds))} ({how}), unless a criterion ends it earlier."
    )


def metric(readings: MetricReadings, name: str, objective: str) -> Iterator[Any]:
    """Yield what was read for a metric: its first and last values with their lines, or similar lines if there are none."""
    from rich.text import Text

    from alfine.cli.output import facts

    matches = readings.matches[name]
    role = "the objective" if name == objective else "a metric"
    if matches:
        count = "1 value" if len(matches) == 1 else f"{len(matches)} values, the last"
        yield Text.assemble(
            (name, "bold"), f"  {role}: {count}{':' if len(matches) == 1 else ''} {number(matches[-1].value)}"
        )
        yield facts(dict(_lines(matches)))
    else:
        regex = readings.regexes[name]
        yield Text.assemble((name, "bold"), f"  {role}: ", ("no value", "red"), f"; {regex!r} matches no line")
        near = readings.nearest(name)
        yield "  similar lines:" if near else "  no line of its log contains a number"
        for line in near:
            yield Text(f"    {line}")
    for remark in readings.remarks(name):
        yield Text(f"  {remark}", style="yellow")


def _lines(matches: Sequence[Match]) -> Iterator[tuple[str, str]]:
    """Yield the first and the last matches as (line number, value and line)."""
    for index, (line_number, value, line) in enumerate(matches):
        if index < SHOWN or index >= len(matches) - SHOWN:
            yield f"  line {line_number}", f"{number(value):<12}  {line.strip()[:200]}"
        elif index == SHOWN:
            yield "  …", f"{len(matches) - 2 * SHOWN} more"
