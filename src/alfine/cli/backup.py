"""alfine backup PLACE: copy a home, while alfine uses it."""

from __future__ import annotations

from pathlib import Path

import click

from alfine.cli.options import chosen_home, home_option, json_option, refuse_postgresql
from alfine.cli.progress import showing_progress
from alfine.core.wording import count_of, size

EPILOG = """
\b
Examples:
  alfine backup alfine-backup.tar.gz
  alfine backup /mnt/backups/$(date +%F)
  alfine restore alfine-backup.tar.gz
"""


@click.command(epilog=EPILOG)
@click.argument("place", type=click.Path(path_type=Path))
@home_option
@json_option
def backup(*, place: Path, as_json: bool) -> None:
    """Copy a home into the file PLACE (.tar, .tar.gz or .tgz) or the folder PLACE, and check the copy.

    Servers and tuning jobs may run meanwhile. The copy has the settings, the records, the access keys, the buckets, and the
    logs and models of training jobs. For a training job that still runs, it has the log and the checkpoints. Keep it as safe as the
    home: it holds the secrets of keys. With PostgreSQL, use its own pg_dump.
    """
    from alfine.cli.output import print_json
    from alfine.jobs.backup import backup as back_up

    refuse_postgresql("backup")
    with showing_progress() as progress:
        report = back_up(chosen_home(), place.expanduser().absolute(), progress)
    if as_json:
        counts = {"TuningJobs": report.tuning_jobs, "TrainingJobs": report.training_jobs, "Files": report.files}
        print_json({"Place": str(report.place), **counts, "Bytes": report.bytes, "LeftOut": report.left_out})
        return
    click.echo(
        f"Backed up to {report.place}, and checked: {count_of(report.tuning_jobs, 'tuning job')} with "
        f"{count_of(report.training_jobs)}, {count_of(report.files, 'file')}, {size(report.bytes)}."
    )
    for sentence in report.left_out:
        click.echo(f"Left out: {sentence}")
