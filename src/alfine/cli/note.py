"""alfine note NAME: show or change the note and the tags of a tuning job."""

from __future__ import annotations

import click

from alfine.cli.job_access import jobs_option, open_jobs
from alfine.cli.job_argument import job_argument
from alfine.cli.options import json_option

EPILOG = """
\b
Examples:
  alfine note my-job "Baseline of the paper; eta was too narrow."
  alfine note my-job --tag team=vision --tag paper --untag draft
  alfine note my-job                 shows both
"""


@click.command(epilog=EPILOG)
@job_argument
@click.argument("text", required=False)
@click.option("--tag", "set_tags", multiple=True, metavar="KEY[=VALUE]", help="Tag to set. Repeatable.")
@click.option("--untag", "removed", multiple=True, metavar="KEY", help="Tag to remove. Repeatable.")
@jobs_option
@json_option
def note(*, name: str, text: str | None, set_tags: tuple[str, ...], removed: tuple[str, ...], as_json: bool) -> None:
    """Show or change the note and the tags of a tuning job.

    TEXT replaces the note; "" removes it. Tags are SageMaker's: AddTags and ListTags see the same. Both can be changed at any
    time, and change nothing of the job.
    """
    from alfine.cli.job_report import tags_text
    from alfine.cli.output import facts, print_json, show

    tags: dict[str, str | None] = dict(entry.partition("=")[::2] for entry in set_tags)
    tags |= dict.fromkeys(removed)
    with open_jobs() as jobs:
        if text is not None or tags:
            jobs.annotate(name, note=text, tags=tags)
        written = jobs.describe(name)["Alfine"]
    answer = {"Note": written.get("Note", ""), "Tags": written.get("Tags", {})}
    if as_json:
        print_json(answer)
        return
    show(facts({"note": answer["Note"] or "none", "tags": tags_text(answer["Tags"]) or "none"}))
