"""Create a tuning job or find an interrupted one again, and run it to its end in this thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from alfine.api.job_file import differences
from alfine.core.errors import AlreadyEnded, InUse, NotFound
from alfine.core.field import Face
from alfine.core.messages import spelled
from alfine.core.settings import without_order
from alfine.jobs.engine import Engine
from alfine.jobs.home import Home
from alfine.jobs.run import Run
from alfine.jobs.trackers.tracking import tracking
from alfine.store.records import TuningJob

MOST_INTERRUPTS = 2
"""Number of times that Ctrl-C is understood: once stops the job, twice ends its training jobs at once; after that it ends this process."""


def create_or_resume(home: Home, request: Mapping[str, Any], function: Callable[..., Any] | None = None) -> TuningJob:
    """Create a tuning job, or return the recorded one when it was interrupted.

    A job is the same when it was created with this request, whatever was changed since.

    Args:
        home: The home that keeps the job.
        request: Its CreateHyperParameterTuningJob request.
        function: What trains, when it's a Python function of this process.

    Raises:
        InUse: A job of this name has ended, or is another one.
        InvalidSpec: The request can't be understood or can't run here.
    """
    try:
        known = home.service.get(request["HyperParameterTuningJobName"])
        original = home.store.original(known.name)
    except (NotFound, KeyError):
        return home.service.create(request, function)
    if known.ended:
        message = f"the tuning job {known.name} has ended ({known.status}). Choose another name, or go on with it by alfine.change."
        raise InUse(message)
    wanted = home.service.as_recorded(request)
    faults = [spelled(fault, Face.PYTHON) for fault in differences(without_order(wanted), without_order(original))]
    if faults:
        other = "; ".join(f"{fault.path} {fault.message}" for fault in faults)
        message = (
            f"the tuning job {known.name} was interrupted, and this isn't the same one: {other}. Choose another name."
        )
        raise InUse(message)
    return known


def run_to_end(
    home: Home,
    name: str,
    *,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    after_step: Callable[[Run], None] | None = None,
    on_interrupt: Callable[[int], None] | None = None,
) -> None:
    """Run a tuning job in this thread until it has ended.

    The first Ctrl-C stops the job and waits for its training jobs, the second ends them at once.

    Args:
        home: The home that keeps the job.
        name: The tuning job's name.
        functions: The Python function of each tuning job that has one, by the job's name.
        after_step: Called after each step of the engine.
        on_interrupt: Called with the number of interrupts after each Ctrl-C.
    """
    with tracking(home, name):
        _run_to_end(home, name, home.engine(functions), after_step, on_interrupt)


def _run_to_end(
    home: Home,
    name: str,
    engine: Engine,
    after_step: Callable[[Run], None] | None,
    on_interrupt: Callable[[int], None] | None,
) -> None:
    interrupts = 0
    while True:
        try:
            if interrupts:  # in here, since the next Ctrl-C may come while this is written
                with suppress(AlreadyEnded):  # then `run` returns at once
                    home.service.request_stop(name)
            engine.run(name, after_step, grace_seconds=0.0 if interrupts > 1 else None)
            return
        except KeyboardInterrupt:
            interrupts += 1
            if interrupts > MOST_INTERRUPTS:
                raise
            if on_interrupt is not None:
                on_interrupt(interrupts)
