"""alfine restore PLACE: make a home from a backup."""

from __future__ import annotations

from pathlib import Path

import click

from alfine.cli.options import chosen_home, home_option, json_option, refuse_postgresql
from alfine.cli.progress import showing_progress
from alfine.core.wording import count_of

EPILOG = """
\b
Examples:
  alfine restore alfine-backup.tar.gz --home ~/restored
  alfine restore alfine-backup.tar.gz --force
"""


@click.command(epilog=EPILOG)
@click.argument("place", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Restore although the home isn't empty: what is there is kept beside it.")
@home_option
@json_option
def restore(*, place: Path, force: bool, as_json: bool) -> None:
    """Make a home from a backup of `alfine backup`, after checking all of it.

    The home must be empty or not exist. Training jobs that ran when the backup was made are lost, as after a kill -9: the
    next `alfine serve` or `alfine tune` goes on with their tuning jobs.
    """
    from alfine.cli.output import print_json
    from alfine.jobs.restore import restore as bring_back

    refuse_postgresql("restore")
    with showing_progress() as progress:
        report = bring_back(place.expanduser().absolute(), chosen_home(), force=force, progress=progress)
    if as_json:
        kept = None if report.kept is None else str(report.kept)
        print_json({"Home": str(report.home), "Files": report.files, "BackupTime": report.made_at, "KeptBefore": kept})
        return
    click.echo(
        f"Restored {report.home} as it was at {report.made_at[:19]} UTC: {count_of(report.files, 'file')}, all checked."
    )
    if report.kept:
        click.echo(f"What was there before is in {report.kept}.")
    for sentence in report.left_out:
        click.echo(f"The backup doesn't have: {sentence}")
