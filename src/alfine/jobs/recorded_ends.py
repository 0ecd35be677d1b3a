"""The training jobs whose ends are recorded: only the folders of these may be removed from their nodes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from alfine.store.ended import unfinished_among
from alfine.store.store import Store

log = logging.getLogger("alfine.jobs.recorded_ends")

INSTANCE = "."
"""What stands before the name of an instance in the name of its folder, for all instances but the first. No training job's name has it."""


def recorded_ends(store: Store, names: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Return those of several training jobs of a store that have ended, or were deleted; none where the store can't be read at present.

    Args:
        store: Where they are, or were, recorded.
        names: The names of the tuning job and of the folder of each.
    """
    jobs = {name: name[1].partition(INSTANCE)[0] for name in names}
    try:
        with store.reading() as connection:
            unfinished = unfinished_among(connection, [*jobs.values()])
    except Exception as error:  # noqa: BLE001 - the nodes ask again
        log.warning("folders on nodes are kept, since nobody can tell which training jobs have ended: %s", error)
        return []
    return [name for name in names if jobs[name] not in unfinished]
