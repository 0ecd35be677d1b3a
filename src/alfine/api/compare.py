"""compare: several tuning jobs side by side, in one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alfine.api.results import Results
from alfine.core.errors import Fault, InvalidSpec

if TYPE_CHECKING:
    from alfine.figures.chart import Chart


def compare(*jobs: Results, by: str = "jobs") -> Chart:
    """Return the best objective so far of several tuning jobs, over training jobs, time or money.

    Args:
        jobs: Jobs or Tuners, with the same goal.
        by: `jobs`, `seconds` (of training), `wall` (seconds since the creation) or `money`, for tuning jobs with a price.

    Raises:
        InvalidSpec: No job is given, they have different goals, or `by` is something else.

    Example:
        >>> alfine.compare(alfine.attach("with-tpe"), alfine.attach("with-alfine"), by="seconds").save("both.png")
    """
    from alfine.figures.comparison import COMPARED_BY, comparison

    if not jobs or len({job.history.sign for job in jobs}) > 1:
        raise InvalidSpec([Fault("compare", "give tuning jobs that all minimize or all maximize their objective.")])
    if by not in COMPARED_BY:
        raise InvalidSpec([Fault("by", f"{by!r} must be one of {', '.join(COMPARED_BY)}.")])
    histories = {}
    for number, job in enumerate(jobs, 1):
        name = job.history.spec.name
        histories[f"{name} ({number})" if name in histories or name == "tuner" else name] = job.history
    return comparison(histories, by=by)
