"""Algorithms that users created (CreateAlgorithm). Names match in letters of any case."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from alfine.core.errors import Conflict, InUse, NotFound
from alfine.core.facts import TUNING_TRANSITIONS
from alfine.store.postgres import lock_names
from alfine.store.schema import algorithms, tuning_jobs

_BY_NAME = sa.select(algorithms).where(sa.func.lower(algorithms.c.name) == sa.bindparam("name"))
_BY_NAME_TO_WRITE = _BY_NAME.with_for_update()  # SQLite has locked the database


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """A created algorithm.

    Attributes:
        request: CreateAlgorithm's, without its tags.
    """

    name: str
    request: Mapping[str, Any]
    tags: Mapping[str, str]
    created_at: datetime


def algorithm_of(row: Row[Any]) -> Algorithm:
    """Return a row of the table algorithms as an Algorithm."""
    return Algorithm(
        name=row.name, request=json.loads(row.request), tags=json.loads(row.tags), created_at=row.created_at
    )


def find_algorithm(connection: Connection, name: str, *, to_write: bool = False) -> Algorithm | None:
    """Return an algorithm, or None if there is none of that name.

    Args:
        connection: An open connection.
        name: The algorithm's name, in letters of any case.
        to_write: Whether the transaction depends on it: then others change it only after its end.
    """
    query = _BY_NAME_TO_WRITE if to_write else _BY_NAME
    row = connection.execute(query, {"name": name.lower()}).first()
    return None if row is None else algorithm_of(row)


def get_algorithm(connection: Connection, name: str, *, to_write: bool = False) -> Algorithm:
    """Return the algorithm of that name. Raise NotFound if there is none.

    Args:
        to_write: As for `find_algorithm`.
    """
    algorithm = find_algorithm(connection, name, to_write=to_write)
    if algorithm is None:
        raise NotFound(f"The algorithm {name} does not exist.")
    return algorithm


def insert_algorithm(connection: Connection, algorithm: Algorithm) -> None:
    """Write a new algorithm. Raise InUse if the name is taken."""
    lock_names(connection)
    if find_algorithm(connection, algorithm.name) is not None:
        raise InUse(f"There is an algorithm called {algorithm.name}.")
    texts = {"request": json.dumps(algorithm.request), "tags": json.dumps(dict(algorithm.tags))}
    row = {"name": algorithm.name, "created_at": algorithm.created_at, **texts}
    connection.execute(sa.insert(algorithms).values(row))


def delete_algorithm(connection: Connection, name: str) -> None:
    """Delete an algorithm.

    Args:
        connection: A connection that writes.
        name: The algorithm's name.

    Raises:
        NotFound: There is none of that name.
        Conflict: A job that hasn't ended uses it.
    """
    algorithm = get_algorithm(connection, name, to_write=True)
    ended = [status for status, after in TUNING_TRANSITIONS.items() if not after]
    query = sa.select(tuning_jobs.c.name, tuning_jobs.c.request).where(tuning_jobs.c.status.not_in(ended))
    for job in connection.execute(query):
        request = json.loads(job.request)
        if name.lower() in algorithms_in(request):
            user = request.get("TrainingJobName", job.name)  # a single training job's request has its name
            raise Conflict(f"The algorithm {algorithm.name} is in use by {user}, which hasn't ended.")
    connection.execute(sa.delete(algorithms).where(algorithms.c.name == algorithm.name))


def change_algorithm_tags(connection: Connection, name: str, changes: Mapping[str, str | None]) -> dict[str, str]:
    """Set and remove tags of an algorithm.

    Args:
        connection: A connection that writes.
        name: The algorithm's name.
        changes: The new value of each tag; None removes the tag.

    Returns:
        All tags of the algorithm after the change, in the order of their keys.
    """
    algorithm = get_algorithm(connection, name, to_write=True)
    changed = {key: value for key, value in {**algorithm.tags, **changes}.items() if value is not None}
    tags = dict(sorted(changed.items()))
    connection.execute(sa.update(algorithms).where(algorithms.c.name == algorithm.name).values(tags=json.dumps(tags)))
    return tags


def algorithms_in(request: Mapping[str, Any]) -> set[str]:
    """Return the created algorithms that a tuning job's request names, in lower case."""
    definitions = [request.get("TrainingJobDefinition") or {}, *(request.get("TrainingJobDefinitions") or ())]
    names = [(definition.get("AlgorithmSpecification") or {}).get("AlgorithmName") for definition in definitions]
    return {name.rpartition("/")[2].lower() for name in names if name}
