"""The configurations of a tuning job that were evaluated, so that a search through a finite space knows which are left."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from alfine.core.extended import ExtendedSet
from alfine.core.inherited import Inherited, points_of
from alfine.core.spec import IDENTICAL, TuningJobSpec
from alfine.core.training_job import TrainingJob


class Configurations:
    """The distinct configurations that were launched, or evaluated by parents of the same function.

    Args:
        inherited: The parents' results.
    """

    def __init__(self, inherited: Sequence[Inherited]) -> None:
        self._inherited = inherited
        self._known: ExtendedSet[bytes] | None = None
        self._count = 0  # the number of training jobs whose configurations are in there

    def among(self, spec: TuningJobSpec, jobs: Sequence[TrainingJob]) -> AbstractSet[bytes]:
        """Return the bytes of their points in the unit cube, after the definition's name where there are several.

        Args:
            spec: The tuning job's specification.
            jobs: Its training jobs: those of the last call, and those that were launched since.
        """
        if self._known is None:
            same = self._inherited if spec.warm_start == IDENTICAL else ()
            self._known = ExtendedSet()
            for point in points_of(spec, same)[0]:
                self._known.add(point.tobytes())
        for job in jobs[self._count :]:
            if job.has_place:
                definition = (job.definition or "").encode() if spec.parts else b""
                self._known.add(definition + spec.of(job.definition).space.to_unit(job.hyperparameters).tobytes())
        self._count = len(jobs)
        return self._known

    def copy(self) -> Configurations:
        """Return a copy, to which other training jobs can be added."""
        copy = Configurations(self._inherited)
        copy._known = None if self._known is None else self._known.copy()
        copy._count = self._count
        return copy
