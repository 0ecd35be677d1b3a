"""alfine prune: remove the files of old tuning jobs, or these tuning jobs altogether."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from alfine.cli.options import confirm, home_option, json_option, open_home
from alfine.cli.progress import working
from alfine.core.errors import AlfineError
from alfine.core.wording import count_of, size

if TYPE_CHECKING:
    from alfine.jobs.retention import Pruned
    from alfine.store.operating_settings import Retention

SHOWN = 20
"""Tuning jobs that are listed; of more, the rest is counted."""

EPILOG = """
\b
Examples:
  alfine prune --older-than 30d --dry-run
  alfine prune --older-than 30d --no-keep-best --yes
  alfine prune --larger-than 500GB
  alfine prune --older-than 52w --what jobs
"""


@click.command(epilog=EPILOG)
@click.option(
    "--older-than", metavar="AGE", help="Remove files of tuning jobs that ended at least this long ago: 30d, 12h, 4w."
)
@click.option(
    "--larger-than",
    metavar="SIZE",
    help="Remove the oldest until the files of all tuning jobs take no more than this: 500GB, 20GiB.",
)
@click.option(
    "--keep-best/--no-keep-best", default=None, help="Keep the files of the best training job of each tuning job."
)
@click.option(
    "--what",
    type=click.Choice(["files", "jobs"]),
    help="files: logs, models and checkpoints of training jobs; their records stay. jobs: the records, too.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask for confirmation.")
@home_option
@json_option
def prune(
    *,
    older_than: str | None,
    larger_than: str | None,
    keep_best: bool | None,
    what: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove the files of training jobs whose tuning jobs ended long ago, or these tuning jobs altogether.

    What isn't given is taken from [retention] in alfine.toml, except that an age or a size given here replaces both. Running jobs, and what
    a job wrote outside of the home (models in a bucket), are never touched.
    """
    from alfine.jobs.retention import plan
    from alfine.jobs.retention import prune as remove

    with open_home() as home:
        words = {"older_than": older_than, "larger_than": larger_than, "keep_best": keep_best, "what": what}
        retention = _chosen(home.config.retention, words)
        with working("Measuring the files of old jobs"):
            planned = plan(home.store, home.jobs_folder, retention, home.clock())
        if not as_json:
            _show(planned)
        done = planned
        if not dry_run and planned.removals:
            if not yes:
                confirm("Remove them?", "To remove them, give --yes.")
            with working("Removing"):
                done = remove(home.store, home.jobs_folder, retention, home.clock())
        if as_json:
            _print_json(done, dry_run=dry_run)
        elif not dry_run and planned.removals:
            click.echo(f"Removed {size(done.size)} of {count_of(len(done.removals))}.")
    if done.failures:
        raise AlfineError("\n".join(done.failures))


def _chosen(settings: Retention, words: dict[str, Any]) -> Retention:
    """Return the settings with what the user gave instead."""
    given = {name: value for name, value in words.items() if value is not None}
    if "older_than" in given or "larger_than" in given:
        given = {"older_than": "", "larger_than": "", **given}
    chosen = dataclasses.replace(settings, **given)
    if not chosen:
        raise click.UsageError("Say what is old: --older-than 30d, --larger-than 500GB, or [retention] in alfine.toml.")
    return chosen


def _show(pruned: Pruned) -> None:
    if not pruned.removals:
        click.echo("There is nothing to remove.")
    by_job: dict[str, list[int]] = {}
    for removal in pruned.removals:
        by_job.setdefault(removal.job.tuning_job_name, []).append(removal.size)
    for name, sizes in list(by_job.items())[:SHOWN]:
        click.echo(f"{name}: {count_of(len(sizes))}, {size(sum(sizes))}")
    if len(by_job) > SHOWN:
        click.echo(f"… and {count_of(len(by_job) - SHOWN, 'tuning job')} more")
    if pruned.removals:
        total = f"{count_of(len(pruned.removals))} of {count_of(len(by_job), 'tuning job')}, {size(pruned.size)}"
        click.echo(f"In all: {total}.")
    if pruned.kept_best:
        click.echo(f"The best of their tuning jobs stay: {count_of(pruned.kept_best)}.")


def _print_json(pruned: Pruned, *, dry_run: bool) -> None:
    from alfine.cli.output import print_json

    print_json(
        {
            "DryRun": dry_run,
            "Bytes": pruned.size,
            "BestKept": pruned.kept_best,
            "TrainingJobs": [
                {
                    "TrainingJobName": removal.job.name,
                    "HyperParameterTuningJobName": removal.job.tuning_job_name,
                    "Bytes": removal.size,
                }
                for removal in pruned.removals
            ],
            "Failures": pruned.failures,
        }
    )
