"""The part of the store that keeps algorithms (CreateAlgorithm)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alfine.store import algorithms as stored_algorithms
from alfine.store.algorithms import Algorithm
from alfine.store.database import Database


class AlgorithmStore:
    """Writes and reads algorithms: the base of Store."""

    database: Database

    def create_algorithm(self, algorithm: Algorithm) -> None:
        """Write a new algorithm (CreateAlgorithm).

        Args:
            algorithm: The algorithm.

        Raises:
            InUse: Its name is taken, in letters of any case.
        """
        with self.database.writing() as connection:
            stored_algorithms.insert_algorithm(connection, algorithm)

    def algorithm(self, name: str) -> Mapping[str, Any] | None:
        """Return the request that created an algorithm.

        Args:
            name: The algorithm's name, in letters of any case.

        Returns:
            The request; None where there is no such algorithm.
        """
        with self.database.reading() as connection:
            algorithm = stored_algorithms.find_algorithm(connection, name)
        return None if algorithm is None else algorithm.request

    def delete_algorithm(self, name: str) -> None:
        """Delete an algorithm.

        Args:
            name: The algorithm's name.

        Raises:
            NotFound: There is none of that name.
            Conflict: A job that hasn't ended uses it.
        """
        with self.database.writing() as connection:
            stored_algorithms.delete_algorithm(connection, name)

    def tag_algorithm(self, name: str, changes: Mapping[str, str | None]) -> Mapping[str, str]:
        """Set and remove tags of an algorithm.

        Args:
            name: The algorithm's name.
            changes: The new value of each tag; None removes the tag.

        Returns:
            All tags of the algorithm after the change, by key.

        Raises:
            NotFound: There is none of that name.
        """
        with self.database.writing() as connection:
            return stored_algorithms.change_algorithm_tags(connection, name, changes)
