"""Ends a tuning job that can't be run: something raises again and again when its engine opens it or makes a step.

Errors that may come right by themselves are waited for: the database is locked or away, the disk is full, buckets can't be reached, a
file is missing or can't be read. Any other error is a failed try. Their number is recorded, with the time of the last, so that a restart
of alfine doesn't begin anew. After `MOST_TRIES` in a row the tuning job ends as Failed with the text of the error.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from datetime import timedelta

from alfine.core.errors import IllegalTransition
from alfine.core.facts import INTERNAL_ERROR
from alfine.jobs.engine import Engine
from alfine.jobs.forced_stop import force_end
from alfine.jobs.tries import error_text, may_come_right
from alfine.store.database_errors import is_of_database

MOST_TRIES = 8
"""Tries that fail in a row before a tuning job ends. The pauses between them (engine_pool.py) add up to two minutes."""

IN_A_ROW = timedelta(minutes=10)
"""The time within which a failure must follow the one before to be counted with it: much longer than a pause."""

LASTING = frozenset({None, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR})
"""Numbers of OSErrors that don't come right by themselves. None is that of an error with a sentence only."""


def ends_job(engine: Engine, name: str, error: Exception) -> bool:
    """Count a failed try to run a tuning job, and end the job after the last. Return whether it has ended.

    Args:
        engine: What could not run it.
        name: The tuning job.
        error: What was raised.
    """
    if _is_waited_for(error):
        return False
    at = engine.clock()
    count = engine.store.count_failed_run(name, at, IN_A_ROW)
    if count < MOST_TRIES:
        return False
    reason = f"{INTERNAL_ERROR}alfine could not run this tuning job, {count} tries failed: {error_text(error)}"
    with suppress(IllegalTransition):  # somebody else has ended it
        force_end(engine.store, engine.runners, engine.folder, name, at, failure=reason)
    return True


def _is_waited_for(error: Exception) -> bool:
    comes_back = isinstance(error, OSError) and error.errno not in LASTING
    return comes_back or may_come_right(error) or is_of_database(error)
