"""alfine metrics-test REGEX [LOG]: try the regex of a metric on a log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import click

from alfine.cli.errors import FAILED
from alfine.cli.options import json_option
from alfine.core.wording import count_of, number

if TYPE_CHECKING:
    from alfine.cli.log_check import MetricReadings

EPILOG = """
\b
Examples:
  alfine metrics-test 'loss=([0-9.]+)' train.log
  alfine logs my-job --number 3 | alfine metrics-test 'val_auc: ([0-9.]+)'
"""


@click.command("metrics-test", epilog=EPILOG)
@click.argument("regex")
@click.argument("log", type=click.File("rb"), default="-")
@click.option(
    "--name",
    default="metric",
    show_default=True,
    metavar="NAME",
    help="Name of the metric, used to find similar lines.",
)
@json_option
def metrics_test(*, regex: str, log: BinaryIO, name: str, as_json: bool) -> None:
    """Try the regex of a metric on a log.

    LOG is a file; the default is stdin. Each matching line is printed with its number and value. The first group of the
    regex is the value; it may match anywhere in a line. If nothing matches, similar lines are shown and the exit code is 1.
    """
    from alfine.cli.log_check import MetricReadings
    from alfine.cli.output import print_json
    from alfine.core.errors import Fault, InvalidSpec
    from alfine.runners.log_metrics import check_regex

    trouble = check_regex(regex)
    if trouble is not None:
        raise InvalidSpec([Fault("", trouble)])
    readings = MetricReadings([(name, regex)])
    for line in log_lines(log):
        for line_number, value, _ in readings.add(line):
            if not as_json:
                click.echo(f"{line_number:>7}  {number(value):<14}  {line.strip()[:200]}")
    matches = readings.matches[name]
    if as_json:
        answer = readings.as_dict(name)
        print_json({"MetricName": answer.pop("Name"), **answer})
    else:
        _conclude(readings, name)
    if not matches:
        click.get_current_context().exit(FAILED)


def log_lines(log: BinaryIO) -> Iterator[str]:
    for line in log:
        yield line.decode(errors="replace").removesuffix("\n").removesuffix("\r")


def _conclude(readings: MetricReadings, name: str) -> None:
    for remark in readings.remarks(name):
        click.echo(f"note: {name} {remark}", err=True)
    matches, nearest = readings.matches[name], readings.nearest(name)
    if matches:
        click.echo(
            f"{count_of(len(matches), 'value')}; the last one, {number(matches[-1].value)}, would be the final value.",
            err=True,
        )
        return
    click.echo(f"No value found: {readings.regexes[name]!r} matches no line.", err=True)
    click.echo("Similar lines:" if nearest else "No line contains a number.", err=True)
    for line in nearest:
        click.echo(f"  {line}", err=True)
