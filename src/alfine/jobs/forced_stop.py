"""The forced end of a tuning job that nothing else ends: its training jobs are killed, and it is recorded as Stopped or Failed.

It needs neither the engine that runs the tuning job, nor the job's request, nor the folders of its training jobs. Where several servers share
the database, the server of each machine kills what runs there (`end_leftovers`), as soon as it hears of the end. A machine without a server
ends it by the leash of the training jobs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from alfine.core.protocols import name_of
from alfine.core.verdict import Outlook, Verdict
from alfine.criteria.stop_requested import StopRequested
from alfine.jobs.lease_owner import node_of
from alfine.runners import launcher
from alfine.runners.launch import Launch
from alfine.runners.protocol import FAILURE_LIMIT, Runner
from alfine.runners.supervision import has_ended, is_supervised, kill_processes
from alfine.store.forced_stop import running_training_jobs
from alfine.store.queries import tuning_job_row
from alfine.store.store import Store

log = logging.getLogger("alfine.jobs.forced_stop")

LAUNCHER_SECONDS = 2.0
"""How long launchers may take to kill what they supervise. After that it is killed without them."""

PAUSE_SECONDS = 0.02
"""Time between two looks at whether they have."""

REASON = "The user stopped the tuning job by force"


def force_end(
    store: Store, runners: Mapping[str, Runner], folder: Path, name: str, at: datetime, *, failure: str | None = None
) -> Sequence[str]:
    """Kill what runs of a tuning job, and record its end and that of its training jobs.

    Args:
        store: Where it is recorded.
        runners: Where its training jobs may run.
        folder: Has the tuning job's folder.
        name: The tuning job.
        at: The present instant.
        failure: Why alfine can't go on with it, without a full stop: it is recorded as Failed, or as Stopped once a user asked to stop
            it. None: the user stops it by force, and it is recorded as Stopped.

    Returns:
        The names of the training jobs of which something may still run.

    Raises:
        IllegalTransition: The tuning job has ended.
        NotFound: There is no such tuning job.
    """
    with store.reading() as connection:
        rows = running_training_jobs(connection, tuning_job_row(connection, name).id)
    running = [row.name for row in rows]
    here = [row for row in rows if not _is_elsewhere(row, folder)]
    left = [*_kill(runners, folder, [_launch(name, row) for row in here]), *_out_of_reach(store, rows, folder)]
    trouble = f", but processes of {', '.join(left)} may still run" if left else ""
    reason = f"{failure or REASON}{trouble}."[:FAILURE_LIMIT]
    stopped = store.force_end(name, at, reason, _verdict(reason) if failure is None else None)
    late = [Launch(tuning_job=name, name=job, grace_seconds=0.0) for job in stopped if job not in running]
    return [*left, *_kill(runners, folder, late)]


def end_leftovers(store: Store, runners: Mapping[str, Runner], folder: Path, name: str) -> None:
    """Kill what runs on this machine of a tuning job that has ended: another machine has stopped it by force.

    Args:
        store: Where it is recorded.
        runners: Where its training jobs may run.
        folder: Has the tuning job's folder.
        name: The tuning job.
    """
    top = folder / name
    if not top.is_dir() or not store.get(name).ended:
        return
    launches = [Launch(tuning_job=name, name=path.name, grace_seconds=0.0) for path in _supervised(top)]
    if launches and store.get(name).ended:  # else a user has let it go on meanwhile
        log.info("tuning_job=%s has ended elsewhere: %d training jobs are killed here", name, len(launches))
        _kill(runners, folder, launches)


def _supervised(top: Path) -> Iterator[Path]:
    for path in top.iterdir():
        with suppress(OSError):  # nobody knows whether it runs: then its leash ends it
            if is_supervised(str(path)):
                yield path


def _is_elsewhere(row: Any, folder: Path) -> bool:
    """Return whether a training job runs by the own runners of another machine."""
    return row.runner is None and row.node not in (None, node_of(folder))


def _out_of_reach(store: Store, rows: Iterable[Any], folder: Path) -> Iterator[str]:
    """Yield the names of the training jobs on machines that have no server at present, which would kill them."""
    served = {engine.node for engine in store.engines()}
    return (row.name for row in rows if _is_elsewhere(row, folder) and row.node not in served)


def _launch(tuning_job: str, row: Any) -> Launch:
    """Return as much of a launch as it takes to stop it. Without an epoch no host refuses it."""
    return Launch(
        tuning_job=tuning_job,
        name=row.name,
        attempt=row.attempt,
        node=row.node,
        slot=row.slot,
        grace_seconds=0.0,
    )


def _verdict(reason: str) -> Verdict:
    return Verdict(
        outlook=Outlook.STOP,
        criterion=name_of(StopRequested()),
        sentence=reason,
        status="Stopped",
        progress=1.0,
        would_change="`alfine change` lets the job go on.",
        is_limit=True,
    )


def _kill(runners: Mapping[str, Runner], folder: Path, launches: Sequence[Launch]) -> Sequence[str]:
    """Kill what runs of training jobs, and return the names of those of which something may still run."""
    for launch in launches:
        _ask(runners.values(), launch)
    deadline = time.monotonic() + LAUNCHER_SECONDS
    folders = {launch.name: str(folder / launch.tuning_job / launch.name) for launch in launches}
    while any(map(is_supervised, folders.values())) and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
    return [launch.name for launch in launches if not _killed(runners, launch, folders[launch.name])]


def _ask(runners: Iterable[Runner], launch: Launch) -> None:
    """Tell every runner: which one has the training job is in the request, which may be what can't be read."""
    for runner in runners:
        try:
            runner.stop(launch)
        except Exception as error:  # noqa: BLE001 - what it doesn't stop is killed without it
            log.info("training_job=%s can't be stopped by %s: %s", launch.name, type(runner).__name__, error)


def _remove_container(runners: Mapping[str, Runner], launch: Launch, folder: str) -> None:
    """Remove the container of a training job: it runs on without its client. The container runner's poll does that."""
    spec = launcher.read_json(launcher.control_path(folder, launcher.LAUNCH)) or {}
    if spec.get("wrapper") == "container" and "container" in runners:
        runners["container"].poll(replace(launch, instance_count=len(spec["processes"])), 0)


def _killed(runners: Mapping[str, Runner], launch: Launch, folder: str) -> bool:
    """Kill what runs of a training job on this machine, and return whether nothing is left there."""
    try:
        if is_supervised(folder) or not has_ended(folder):
            killed = kill_processes(folder)
            _remove_container(runners, launch, folder)
            return killed
        return True
    except Exception as error:  # noqa: BLE001 - the forced stop goes on, and names this one
        log.warning("training_job=%s can't be killed: %s", launch.name, error)
        return False
