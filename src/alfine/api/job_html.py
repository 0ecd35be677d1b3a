"""A tuning job and its training jobs as HTML for notebooks.

Everything is styled inline, in colours that fit light and dark notebooks. What a training job wrote is escaped: it stays text.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from alfine.api.job_progress import JobProgress
from alfine.core.training_job import TrainingJob
from alfine.core.verdict import Outlook, Verdict, strongest
from alfine.core.wording import duration, number, short
from alfine.criteria import always_present

SHOWN = 20
"""Rows of a table; a longer one has the first and the last."""

COLOURS = {"Completed": "#1a7f4b", "Failed": "#c9372c", "Stopped": "#b06f00", "Stopping": "#b06f00"}
"""Colours of statuses; others have ACTIVE's."""

ACTIVE = "#2a78d6"
"""The colour of what goes on, and of bars."""

TRACK = "rgba(127,127,127,.25)"
"""The colour of the rest of a bar: seen on white and on black."""

SOFT = "opacity:.7"
BOX = "font:13px/1.5 system-ui,sans-serif;max-width:56rem;padding:.2rem 0"


def job_html(progress: JobProgress, figure: str = "", note: str = "") -> str:
    """Return the state of a tuning job.

    Args:
        progress: The state.
        figure: An SVG element that stands below it; "" for none.
        note: A sentence at its end, such as what Ctrl-C did.
    """
    parts = [_header(progress), _bar(progress), _best(progress), _criteria(progress.verdicts)]
    parts += [_line("space", escape(sentence)) for _, sentence in progress.remarks]
    parts += [f'<div style="margin-top:.5rem">{figure}</div>'] if figure else []
    parts += [f'<div style="margin-top:.3rem"><i>{escape(note)}</i></div>'] if note else []
    return f'<div style="{BOX}">{"".join(parts)}</div>'


def training_job_html(job: TrainingJob) -> str:
    """Return one training job: its values, its objective and why it ended as it did."""
    rows = {
        "objective": "none yet" if job.objective is None else number(job.objective),
        **{name: short(value) for name, value in job.hyperparameters.items()},
        "time": duration(job.seconds) if job.ended_at else "running",
        "reason": job.failure_reason or job.stop_reason or "",
    }
    cells = "".join(
        f'<tr><td style="text-align:left;{SOFT}">{escape(name)}</td><td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in rows.items()
        if value
    )
    title = f'<b>Training job {job.number}</b> {_badge(job.status)} <span style="{SOFT}">{escape(job.name)}</span>'
    return f'<div style="{BOX}">{title}<table style="font:inherit">{cells}</table></div>'


def training_jobs_html(jobs: Sequence[TrainingJob]) -> str:
    """Return a table of training jobs: of many the first and the last."""
    names = [*dict.fromkeys(name for job in jobs[:SHOWN] for name in job.hyperparameters)]
    columns = ["no.", "status", "objective", "time", *names]
    head = "".join(_cell(escape(column), "th") for column in columns)
    left_out = len(jobs) - SHOWN
    first, last = (jobs, []) if left_out <= 0 else (jobs[: SHOWN // 2], jobs[-SHOWN // 2 :])
    rows = [_row(job, names) for job in first]
    if last:
        rows.append(
            f'<tr><td colspan="{len(columns)}" style="text-align:left;{SOFT}">… {number(left_out)} more …</td></tr>'
        )
    rows += [_row(job, names) for job in last]
    return (
        f'<div style="{BOX};overflow-x:auto"><table style="font:inherit"><tr>{head}</tr>{"".join(rows)}</table></div>'
    )


def _row(job: TrainingJob, names: Sequence[str]) -> str:
    objective = "" if job.objective is None else number(job.objective)
    values = (escape(short(job.hyperparameters[name])) if name in job.hyperparameters else "" for name in names)
    cells = (str(job.number), _badge(job.status), objective, duration(job.seconds) if job.ended_at else "", *values)
    return f"<tr>{''.join(map(_cell, cells))}</tr>"


def _cell(content: str, tag: str = "td") -> str:
    return f'<{tag} style="text-align:left;padding:.1rem .6rem .1rem 0">{content}</{tag}>'


def _badge(status: str) -> str:
    return f'<span style="color:{COLOURS.get(status, ACTIVE)};font-weight:600">{escape(status)}</span>'


def _header(progress: JobProgress) -> str:
    facts = " · ".join((progress.spec.strategy, duration(progress.elapsed_seconds)))
    return f'<div><b>{escape(progress.spec.name)}</b> {_badge(progress.status)} <span style="{SOFT}">{escape(facts)}</span></div>'


def _bar(progress: JobProgress) -> str:
    counts = f"{number(progress.ended)} of {number(progress.allowed)} training jobs"
    counts += f" · {progress.running} running" if progress.running else ""
    counts += f" · {progress.failed} failed" if progress.failed else ""
    seconds = progress.remaining_seconds
    ahead = f" · at most {duration(seconds)} to go" if progress.is_running and seconds is not None else ""
    return _gauge(progress.ended / progress.allowed, "24rem") + f' <span style="{SOFT}">{escape(counts + ahead)}</span>'


def _gauge(share: float, width: str) -> str:
    inside = f'<span style="display:block;height:100%;width:{round(100 * min(share, 1))}%;background:{ACTIVE};border-radius:3px"></span>'
    return (
        f'<span style="display:inline-block;vertical-align:middle;height:6px;width:{width};max-width:100%;background:{TRACK};'
        f'border-radius:3px">{inside}</span>'
    )


def _best(progress: JobProgress) -> str:
    if progress.best is None:
        return _line("best", "no objective yet")
    name, objective, hyperparameters = progress.best
    value = f"{escape(progress.spec.metric)} <b>{number(objective)}</b> of {escape(name)}"
    return _line("best", f'{value}<br><span style="{SOFT}">{escape(hyperparameters)}</span>')


def _line(label: str, content: str) -> str:
    return f'<div style="display:flex;gap:.6rem"><span style="{SOFT};min-width:3rem">{label}</span><span>{content}</span></div>'


def _criteria(verdicts: Sequence[Verdict]) -> str:
    """Return the criteria, each with how near it is; for the one that is nearest also what would change that."""
    rows, nearest = [], strongest(verdicts)
    for verdict in verdicts:
        if not verdict.progress and always_present(verdict.criterion):
            continue
        met = verdict.outlook is not Outlook.CONTINUE
        name = f"<b>{escape(verdict.criterion)}</b>" if met else escape(verdict.criterion)
        change = f"<br><i>{escape(verdict.would_change)}</i>" if verdict is nearest and not met else ""
        rows.append(
            f"<tr>{_cell(name)}{_cell(_gauge(verdict.progress, '5rem'))}"
            f'<td style="text-align:left;white-space:normal">{escape(verdict.sentence)}{change}</td></tr>'
        )
    return f'<table style="font:inherit;margin:.3rem 0">{"".join(rows)}</table>' if rows else ""
