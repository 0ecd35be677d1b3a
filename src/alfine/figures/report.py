"""A report: everything about a tuning job in one HTML file that needs no network.

It's whole without scripts; where the extra `plots` is installed, scripts in it tell more about the mark under the pointer.
"""

from __future__ import annotations

import json

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from alfine._version import __version__
from alfine.core import cost
from alfine.core.history import History
from alfine.core.verdict import UNDECIDED, as_it_ended
from alfine.core.wording import duration, money, number, percent, short
from alfine.criteria import Given, always_present
from alfine.criteria.forecast import forecast_of
from alfine.figures.chart import Chart, draws_live, javascript
from alfine.figures.plots import Plots
from alfine.figures.svg_layer import Plain
from alfine.jobs.policy_for import policy_for
from alfine.store.records import TuningJob

MOST_ROWS = 2000
"""Training jobs in the table: the best of them; the figures have all."""

EMBED = "window.alfineEmbed = vegaEmbed;"
"""The one name that the scripts of a page may use."""


def report(job: TuningJob, history: History, criteria: Given = ()) -> str:
    """Return the report of a tuning job as an HTML page.

    Args:
        job: The tuning job.
        history: Its history.
        criteria: Completion criteria whose ends are marked on the curve of the best, each alone.

    Raises:
        InvalidSpec: A criterion can't be understood, or can't be judged in this job.
    """
    forecast = None if job.ended else forecast_of(history, policy_for(history.spec).criteria)
    verdict = job.verdict or UNDECIDED
    plots = Plots(history, verdict, forecast, job.verdicts)
    charts = list(plots.all(criteria))
    bundle = javascript(EMBED) if draws_live() else ""
    environment = Environment(
        loader=PackageLoader("alfine.figures"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html").render(
        name=job.name,
        status=job.status,
        verdict=verdict,
        ended_by=verdict.criterion if job.ended else None,
        verdicts=sorted(
            (
                each
                for each in as_it_ended(verdict, job.verdicts)
                if each.progress or not always_present(each.criterion)
            ),
            key=lambda each: (each.criterion != verdict.criterion, each.watching, -each.progress),
        ),
        facts=_facts(history),
        charts=[(chart, Markup(_svg(chart))) for chart in charts],  # noqa: S704 - svg.py escapes all text
        specs=Markup(_json([chart.vega_lite() for chart in charts])),  # noqa: S704 - see _json
        bundle=Markup(bundle.replace("</script", "<\\/script")),  # noqa: S704 - the library's own code
        columns=["No.", history.spec.metric, "status", "training time", *history.spec.names_in_order],
        rows=_rows(history),
        total=history.ended,
        most=MOST_ROWS,
        percent=percent,
        version=__version__,
    )


def _svg(chart: Chart) -> str:
    return chart.svg() if chart.view else ""


def _json(value: object) -> str:
    """Return JSON that can stand in a script element: no text in it can close the element."""
    return json.dumps(value).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _facts(history: History) -> list[tuple[str, str]]:
    """Return the figures at the top: what, and how much."""
    spec = history.spec
    spent = cost.spent(history)
    failed = sum(job.status == "Failed" for job in history.finished)
    limit = "" if spec.max_training_jobs is None else f" of {number(spec.max_training_jobs)}"
    return [
        (f"Best {spec.metric}", number(history.best_value)),
        ("Training jobs", f"{number(history.ended)}{limit}"),
        ("Runtime", duration(history.elapsed_seconds)),
        ("Training time", duration(spent.compute_seconds)),
        *([("Cost", money(spent.money))] if spent.money is not None else []),
        ("Strategy", spec.strategy),
        *([("Failed", number(failed))] if failed else []),
    ]


def _rows(history: History) -> list[Plain]:
    """Return the rows of the table, the best training job first."""
    worst = float("inf")
    jobs = sorted(
        history.jobs,
        key=lambda job: (history.sign * job.objective if job.objective is not None else worst, job.number),
    )
    return [
        {
            "best": job is history.incumbent,
            "reason": job.failure_reason or job.stop_reason or "",
            "cells": [
                number(job.number),
                number(job.objective),
                job.status,
                duration(job.seconds),
                *(
                    short(job.hyperparameters[n]) if n in job.hyperparameters else ""
                    for n in history.spec.names_in_order
                ),
            ],
        }
        for job in jobs[:MOST_ROWS]
    ]
