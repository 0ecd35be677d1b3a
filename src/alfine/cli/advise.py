"""alfine advise: which completion criterion your own past jobs recommend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from alfine.cli.options import home_option, json_option, open_home
from alfine.core.errors import NotFound

if TYPE_CHECKING:
    from alfine.jobs.analysis.criterion_advice import Advice, Rule

EPILOG = """
\b
Examples:
  alfine advise                      from every job that has ended
  alfine advise churn-1 churn-2 --tolerance 0.5 --risk 0
  alfine import optuna sqlite:///study.db && alfine advise
"""


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1)
@click.option(
    "--tolerance",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0),
    metavar="PERCENT",
    help="Of the best objective that may be missed.",
)
@click.option(
    "--risk",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Of the jobs that may miss more.",
)
@home_option
@json_option
def advise(*, names: tuple[str, ...], tolerance: float, risk: float, as_json: bool) -> None:
    """Recommend a completion criterion, with the evidence of your own past jobs (none named: all that have ended).

    Every rule of a menu is replayed on every job: what it would have run, and what it would have missed.
    """
    from alfine.cli.output import print_json, show
    from alfine.jobs.analysis.criterion_advice import advise as advised

    with open_home() as home:
        chosen = names or tuple(job.name for job in home.store.list() if job.ended)
        histories = [home.service.history(name) for name in chosen]
    advice = advised(histories, tolerance=tolerance / 100, risk=risk / 100)
    if not advice.rules:
        raise NotFound("There is no job with 20 objectives or more to learn from.")
    if as_json:
        print_json(_plain(advice))
        return
    show(*_report(advice, tolerance, risk))


def _plain(advice: Advice) -> dict[str, Any]:
    recommended = advice.recommended
    return {
        "Recommended": recommended and recommended.text,
        "LeftOut": list(advice.left_out),
        "Rules": [
            {
                "Criterion": rule.text,
                "ShareOfTrainingJobs": rule.share_of_jobs,
                "ShareOfTrainingSeconds": rule.share_of_seconds,
                "Missed": rule.missed,
                "JobsThatMissedMore": rule.misses,
                "RateAtMost": rule.rate_at_most,
                "Jobs": [
                    {"HyperParameterTuningJobName": each.job, "TrainingJobs": each.training_jobs, "Missed": each.missed}
                    for each in rule.outcomes
                ],
            }
            for rule in advice.rules
        ],
    }


def _report(advice: Advice, tolerance: float, risk: float) -> list[Any]:
    from rich.table import Table
    from rich.text import Text

    from alfine.core.wording import count_of

    jobs = len(advice.rules[0].outcomes)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("criterion", overflow="fold")
    for title in ("training", "missed", "worst", f"over {tolerance:g} %"):
        table.add_column(title, justify="right", no_wrap=True)
    idle = [rule.text for rule in advice.rules if rule.share_of_seconds >= 1.0]
    for rule in advice.rules:
        if rule.share_of_seconds >= 1.0:
            continue
        style = "bold green" if rule is advice.recommended else ""
        values = (
            f"{100 * rule.share_of_seconds:.0f} %",
            f"{100 * rule.missed:.2f} %",
            f"{100 * rule.worst.missed:.2f} %",
            f"{rule.misses} of {jobs}",
        )
        table.add_row(Text(rule.text, style=style), *(Text(value, style=style) for value in values))
    return [
        f"What each rule would have run and missed, in the mean of {count_of(jobs, 'recorded job')}:",
        table,
        *([f"Would have saved nothing: {'; '.join(idle)}."] if idle else []),
        *_words(advice, risk),
    ]


def _words(advice: Advice, risk: float) -> list[str]:
    rule = advice.recommended
    words = [f"Too short to learn from: {', '.join(advice.left_out)}."] if advice.left_out else []
    if rule is None:
        return [*words, f"No rule saves anything within a risk of {risk:g} %. Allow more, or record more jobs."]
    saved = 100 * (1 - rule.share_of_seconds)
    return [
        *words,
        f"Recommended: --criterion {_quoted(rule)}: it would have saved {saved:.0f} % of the training. {_caution(rule)}",
    ]


def _quoted(rule: Rule) -> str:
    return f'"{rule.text}"' if " " in rule.text else rule.text


def _caution(rule: Rule) -> str:
    from alfine.core.wording import count_of

    return (
        f"With {count_of(len(rule.outcomes), 'job')}, a rate of misses up to {100 * rule.rate_at_most:.0f} % can't be ruled out "
        "(95 % confidence)."
    )
