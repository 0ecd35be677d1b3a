"""The tags of tuning jobs and training jobs. Number 0 stands for the tuning job itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alfine.store.schema import tags


def tags_in(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that a request names, by key."""
    return {str(tag["Key"]): str(tag["Value"]) for tag in request.get("Tags") or ()}


def write_tags(connection: Connection, job: int, number: int, changes: Mapping[str, str | None]) -> None:
    """Set and remove tags of a job.

    Args:
        connection: A connection that writes.
        job: The tuning job's id.
        number: The number of its training job; 0 for the tuning job itself.
        changes: The new value of each tag; None removes the tag.
    """
    for key, value in changes.items():
        same = (tags.c.tuning_job == job) & (tags.c.number == number) & (tags.c.key == key)
        connection.execute(sa.delete(tags).where(same))
        if value is not None:
            connection.execute(sa.insert(tags).values(tuning_job=job, number=number, key=key, value=value))


def read_tags(connection: Connection, job: int, number: int) -> dict[str, str]:
    """Return all tags of a job, in the order of their keys.

    Args:
        connection: An open connection.
        job: The tuning job's id.
        number: The number of its training job; 0 for the tuning job itself.
    """
    query = sa.select(tags.c.key, tags.c.value).where(tags.c.tuning_job == job, tags.c.number == number)
    return {row.key: row.value for row in connection.execute(query.order_by(tags.c.key))}


def tags_of(connection: Connection, owners: Sequence[tuple[int, int]]) -> dict[tuple[int, int], dict[str, str]]:
    """Return the tags of several jobs.

    Args:
        connection: An open connection.
        owners: The (tuning job's id, training job's number) of each; number 0 stands for the tuning job itself.

    Returns:
        The tags by (id, number); each of `owners` is a key.
    """
    by_owner: dict[tuple[int, int], dict[str, str]] = {owner: {} for owner in owners}
    query = sa.select(tags).where(sa.tuple_(tags.c.tuning_job, tags.c.number).in_(owners))
    for row in connection.execute(query.order_by(tags.c.key)):
        by_owner[row.tuning_job, row.number][row.key] = row.value
    return by_owner
