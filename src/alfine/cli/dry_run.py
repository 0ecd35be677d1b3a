"""alfine tune JOB --dry-run: one training job, nothing recorded, and what would be read from it."""

from __future__ import annotations

import dataclasses
import shlex
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from alfine.cli.errors import FAILED

LINES_KEPT = 20_000  # of the log's end, to find the nearest lines where nothing matched
SHOWN = 5  # matches of a metric from its beginning, and as many from its end
GRACE_SECONDS = 5.0  # after Ctrl-C
POLL_SECONDS = 0.2


@dataclass
class _Seen:
    """What one training job did. `matches`: metric -> its (line number, value, line)."""

    command: str = ""
    seconds: float = 0.0
    code: int | None = None
    reason: str | None = None
    folder: str = ""
    matches: dict[str, list[tuple[int, float, str]]] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    nearest: dict[str, list[str]] = field(default_factory=dict)


def dry_run(request: Mapping[str, Any], *, as_json: bool) -> int:
    """Run each definition's first suggestion in a folder that is thrown away; exit code 0 if the objective could be read."""
    from alfine.cli.output import print_json
    from alfine.images import Images
    from alfine.implied import understood

    spec = understood(request, Images())
    found: list[dict[str, Any]] = []
    good = True
    for part in spec.each:
        which = f"one training job of {part.definition.name}" if spec.parts else "one training job"
        if not as_json:
            click.echo(f"Dry run of {spec.name}: {which}, nothing is recorded.", err=True)
        with tempfile.TemporaryDirectory(prefix="alfine-dry-run-") as folder:
            seen = _run_one(part, Path(folder))
        if as_json:
            found.append(_as_json(part, seen))
        else:
            _print(part, seen)
        good = good and seen.reason is None and bool(seen.matches[part.metric])
    if as_json:
        print_json({"TrainingJobDefinitions": found} if spec.parts else found[0])
    return 0 if good else FAILED


def _run_one(spec: Any, folder: Path) -> _Seen:
    from alfine.core.history import History, TrainingJob
    from alfine.engine import Wake, utc_now
    from alfine.policy import policy_for
    from alfine.programs import program_for
    from alfine.runners.process import ProcessRunner

    program, now = program_for(spec, folder), utc_now()  # of one definition
    suggestion = policy_for(spec).strategy.ask(History(spec, now))
    assert suggestion is not None, "an empty history leaves something to try"
    job = TrainingJob(number=1, name=f"{spec.name}-dry-run", hyperparameters=suggestion.hyperparameters, created_at=now)
    launch = program.launch(job)
    wake = Wake()
    runner = ProcessRunner(wake.set)
    try:
        return _followed(spec, runner, launch, wake)
    except BaseException:
        launch = dataclasses.replace(launch, grace_seconds=GRACE_SECONDS)
        runner.stop(launch)
        _followed(spec, runner, launch, wake)
        raise
    finally:
        runner.close()


def _followed(spec: Any, runner: Any, launch: Any, wake: Any) -> _Seen:
    """Start the training job and read its log to the end."""
    from alfine.metrics import MetricReader, nearest_lines
    from alfine.runners import launcher
    from alfine.runners.workspace import Workspace

    definitions = [(each.name, each.regex) for each in spec.definition.metric_definitions]
    reader, lines = MetricReader(definitions), deque[str](maxlen=LINES_KEPT)
    seen = _Seen(matches={name: [] for name, _ in definitions})
    runner.start(launch)
    offset = number = 0
    while True:
        news = wake.count()
        found = runner.poll(launch, offset)
        for line in found.lines if found else ():
            number += 1
            lines.append(line)
            for name, value in reader.read(line):
                seen.matches[name].append((number, value, line))
        if found is not None and found.exit is not None:
            break
        if found is None or found.offset == offset:
            wake.wait(news, POLL_SECONDS)
        offset = found.offset if found else offset
    written = launcher.read_json(launcher.control_path(str(launch.folder), launcher.LAUNCH)) or {}
    seen.command = shlex.join(written.get("command", [])).replace(f"{Workspace(launch.folder).code}/", "")
    seen.code, seen.reason = found.exit.code, found.exit.reason()
    seen.seconds = (found.ended_at - found.started_at).total_seconds() if found.started_at and found.ended_at else 0.0
    seen.remarks = {name: reader.remarks(name) for name, _ in definitions}
    seen.nearest = {name: nearest_lines((name, regex), lines) for name, regex in definitions if not seen.matches[name]}
    return seen


def _predicted_seconds(spec: Any, seconds: float) -> float:
    from alfine.live import launches_allowed

    whole: float = seconds * launches_allowed(spec) / spec.max_parallel
    return whole if spec.max_runtime_seconds is None else min(whole, spec.max_runtime_seconds)


def _as_json(spec: Any, seen: _Seen) -> dict[str, Any]:
    return {
        **({"DefinitionName": spec.definition.name} if spec.definition.name else {}),
        "HyperParameterTuningJobName": spec.name,
        "Command": seen.command,
        "ExitCode": seen.code,
        "FailureReason": seen.reason,
        "TrainingSeconds": seen.seconds,
        "PredictedRuntimeInSeconds": _predicted_seconds(spec, seen.seconds),
        "Metrics": [
            {
                "Name": each.name,
                "Regex": each.regex,
                "Matches": [{"LineNumber": n, "Value": v, "Line": line} for n, v, line in seen.matches[each.name]],
                "Remarks": seen.remarks[each.name],
                "NearestLines": seen.nearest.get(each.name, []),
            }
            for each in spec.definition.metric_definitions
        ],
    }


def _print(spec: Any, seen: _Seen) -> None:
    from alfine.cli.output import facts, show
    from alfine.live import duration, launches_allowed

    ending = seen.reason or f"exit code {seen.code}"
    show(facts({"command": seen.command, "ended": f"{ending}, after {duration(seen.seconds)}"}))
    for each in spec.definition.metric_definitions:
        show(*_metric(each, seen, is_objective=each.name == spec.metric))
    allowed, parallel = launches_allowed(spec), spec.max_parallel
    how = f"{allowed} training jobs x {duration(seen.seconds)}" + (f" / {parallel} at a time" if parallel > 1 else "")
    show(
        f"The whole job would take about {duration(_predicted_seconds(spec, seen.seconds))} ({how}), unless a criterion ends it earlier."
    )


def _metric(definition: Any, seen: _Seen, *, is_objective: bool) -> Iterator[Any]:
    from rich.text import Text

    from alfine.cli.output import facts

    matches = seen.matches[definition.name]
    role = "the objective" if is_objective else "a metric"
    if matches:
        count = "1 value" if len(matches) == 1 else f"{len(matches)} values, the last"
        yield Text.assemble(
            (definition.name, "bold"), f"  {role}: {count}{':' if len(matches) == 1 else ''} {matches[-1][1]:.8g}"
        )
        yield facts(dict(_lines(matches)))
    else:
        yield Text.assemble(
            (definition.name, "bold"), f"  {role}: ", ("no value", "red"), f"; {definition.regex!r} matched nothing"
        )
        near = seen.nearest[definition.name]
        yield "  nearest lines:" if near else "  no line of its log has a number"
        for line in near:
            yield Text(f"    {line}")
    for remark in seen.remarks[definition.name]:
        yield Text(f"  {remark}", style="yellow")


def _lines(matches: list[tuple[int, float, str]]) -> Iterator[tuple[str, str]]:
    """The first and the last matches, by line."""
    for index, (number, value, line) in enumerate(matches):
        if index < SHOWN or index >= len(matches) - SHOWN:
            yield f"  line {number}", f"{value:<12.6g}  {line.strip()[:200]}"
        elif index == SHOWN:
            yield "  …", f"{len(matches) - 2 * SHOWN} more"
