"""alfine advise: recommend a completion criterion by replaying past jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from alfine.cli.options import home_option, json_option, open_home
from alfine.cli.progress import working
from alfine.core.errors import NotFound
from alfine.core.wording import UNKNOWN, count_of, loss, percent, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alfine.jobs.analysis.criterion_advice import Advice, CandidateCriterion

EPILOG = """
\b
Examples:
  alfine advise
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
    help="Largest acceptable loss, in percent of the best objective.",
)
@click.option(
    "--risk",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Largest acceptable share of jobs that lose more.",
)
@home_option
@json_option
def advise(*, names: tuple[str, ...], tolerance: float, risk: float, as_json: bool) -> None:
    """Recommend a completion criterion by replaying your past jobs.

    NAMES are tuning jobs; the default is all that have ended. A set of criteria is replayed on each job, to see how much
    training each criterion would have saved and how much of the best objective it would have lost.
    """
    from alfine.cli.output import print_json, show
    from alfine.jobs.analysis.criterion_advice import advise as advised

    with open_home() as home, working("Reading past jobs"):
        chosen = names or tuple(job.name for job in home.store.list() if job.ended)
        histories = [home.service.history(name) for name in chosen]
    with working(f"Replaying {count_of(len(histories), 'job')}") as tell:
        advice = advised(histories, tolerance=tolerance / 100, risk=risk / 100, progress=tell)
    if not advice.candidates:
        raise NotFound("No job has enough results: at least 20 objectives are needed. Run or import longer jobs first.")
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
                    {
                        "HyperParameterTuningJobName": outcome.job,
                        "TrainingJobs": outcome.training_jobs,
                        "Missed": outcome.missed,
                        "MissedObjective": outcome.loss,
                    }
                    for outcome in rule.outcomes
                ],
            }
            for rule in advice.candidates
        ],
    }


def _report(advice: Advice, tolerance: float, risk: float) -> list[Any]:
    from rich.table import Table
    from rich.text import Text

    jobs = len(advice.candidates[0].outcomes)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("criterion", overflow="fold")
    for title in ("training", "mean loss", "worst loss", f"over {percent(tolerance / 100)}"):
        table.add_column(title, justify="right", no_wrap=True)
    idle = [rule.text for rule in advice.candidates if rule.share_of_seconds >= 1.0]
    shown = [rule for rule in advice.candidates if rule.share_of_seconds < 1.0]
    for rule in shown:
        style = "bold green" if rule is advice.recommended else ""
        values = (
            percent(rule.share_of_seconds),
            _mean_loss(rule),
            _worst_loss(rule),
            f"{rule.misses} of {jobs}",
        )
        table.add_row(Text(rule.text, style=style), *(Text(value, style=style) for value in values))
    return [
        f"What each criterion would have run and lost, on average over {count_of(jobs, 'recorded job')}:",
        table,
        *([f"These would have saved nothing: {'; '.join(idle)}."] if idle else []),
        *_remarks(shown),
        *_words(advice, risk),
    ]


def _mean_loss(rule: CandidateCriterion) -> str:
    if all(outcome.is_share for outcome in rule.outcomes):
        return percent(rule.missed)
    return UNKNOWN if rule.mean_loss is None else short(rule.mean_loss)


def _worst_loss(rule: CandidateCriterion) -> str:
    return loss(rule.worst.loss, rule.worst.best) if rule.worst.loss else percent(0.0)


def _remarks(rules: Sequence[CandidateCriterion]) -> Iterator[str]:
    """Yield what losses mean that aren't percentages."""
    if not all(outcome.is_share for rule in rules for outcome in rule.outcomes):
        yield "A loss without % is in units of the objective, whose best value is near 0: a percentage of that would say nothing."
    if any(_mean_loss(rule) == UNKNOWN for rule in rules):
        yield f"{UNKNOWN}: losses of different objectives have no mean."


def _words(advice: Advice, risk: float) -> list[str]:
    rule = advice.recommended
    words = [f"Left out, because they have too few results: {', '.join(advice.left_out)}."] if advice.left_out else []
    if rule is None:
        return [
            *words,
            f"No criterion saves anything with a risk of at most {percent(risk / 100)}. Raise --risk or --tolerance, or record more jobs.",
        ]
    saved = 1 - rule.share_of_seconds
    return [
        *words,
        f"Recommended: --criterion {_quoted(rule)}. It would have saved {percent(saved)} of the training time. {_caution(rule)}",
    ]


def _quoted(rule: CandidateCriterion) -> str:
    return f'"{rule.text}"' if " " in rule.text else rule.text


def _caution(rule: CandidateCriterion) -> str:
    return f"With {count_of(len(rule.outcomes), 'job')}, a risk of up to {percent(rule.rate_at_most)} can't be ruled out (95 % confidence)."
