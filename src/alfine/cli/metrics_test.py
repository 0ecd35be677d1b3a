"""alfine metrics-test REGEX [LOG]: what a metric's regex reads from a log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO

import click

from alfine.cli.errors import FAILED
from alfine.cli.options import json_option

LINES_KEPT = 20_000  # of the end of a log in which nothing matches, to find the nearest lines

EPILOG = r"""
\b
Examples:
  alfine metrics-test 'loss=([0-9.]+)' train.log
  alfine logs my-job --number 3 | alfine metrics-test 'val_auc: ([0-9.]+)'
"""


@click.command("metrics-test", epilog=EPILOG)
@click.argument("regex")
@click.argument("log", type=click.File("rb"), default="-")
@click.option("--name", default="metric", show_default=True, help="The metric's name, used to find the nearest lines.")
@json_option
def metrics_test(*, regex: str, log: BinaryIO, name: str, as_json: bool) -> None:
    """Try a metric's regex on a log, a file or stdin: each line that matches, with its number and value.

    The first group of the regex is the value; it may match anywhere in a line. When nothing matches, the lines that look
    most like it are shown, and the exit code is 1.
    """
    from alfine.cli.output import print_json
    from alfine.core.errors import Fault, InvalidSpec
    from alfine.metrics import MetricReader, check_regex, nearest_lines

    trouble = check_regex(regex)
    if trouble is not None:
        raise InvalidSpec([Fault("", trouble)])
    reader = MetricReader([(name, regex)])
    kept: deque[str] = deque(maxlen=LINES_KEPT)
    found: list[dict[str, Any]] = []
    for number, line in enumerate(_lines(log), start=1):
        kept.append(line)
        for _, value in reader.read(line):
            found.append({"LineNumber": number, "Value": value, "Line": line})
            if not as_json:
                click.echo(f"{number:>7}  {value:<14.8g}  {line.strip()[:200]}")
    remarks = reader.remarks(name)
    nearest = [] if found else nearest_lines((name, regex), kept)
    if as_json:
        print_json({"MetricName": name, "Regex": regex, "Matches": found, "Remarks": remarks, "NearestLines": nearest})
    else:
        _conclude(name, regex, found, remarks, nearest)
    if not found:
        click.get_current_context().exit(FAILED)


def _lines(log: BinaryIO) -> Iterator[str]:
    for line in log:
        yield line.decode(errors="replace").removesuffix("\n").removesuffix("\r")


def _conclude(name: str, regex: str, found: list[dict[str, Any]], remarks: list[str], nearest: list[str]) -> None:
    for remark in remarks:
        click.echo(f"note: {name} {remark}", err=True)
    if found:
        plural = "value" if len(found) == 1 else "values"
        click.echo(
            f"{len(found)} {plural}; the last one, {found[-1]['Value']:.8g}, would be the final value.", err=True
        )
        return
    click.echo(f"No value: {regex!r} matched no line.", err=True)
    click.echo("Nearest lines:" if nearest else "No line has a number.", err=True)
    for line in nearest:
        click.echo(f"  {line}", err=True)
