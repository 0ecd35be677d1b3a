"""What training jobs leave goes where the job wants it in threads of its own, so that a large model holds up nobody else.

The end of a training job isn't recorded before its model and its checkpoints are there: only then is it Completed. After a
crash in between its end is seen again, and the same is put there again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alfine.core.spec import TuningJobSpec
from alfine.programs.data import checkpoints
from alfine.programs.data.artifacts import artifact, deliver
from alfine.programs.data.locations import Buckets, may_pass
from alfine.runners.job_folder import Workspace
from alfine.runners.protocol import FAILURE_LIMIT, Observation

log = logging.getLogger("alfine.programs.data.uploads")


@dataclass(slots=True)
class Delivery:
    """Of one training job. seen: the last look at it; the other fields hold once it's done.

    sent: whether there was a place to put something at. trouble: why the training job has failed by it; "". broken: what
    may pass, so that it's to be tried again.
    """

    seen: Observation
    done: bool = False
    sent: bool = False
    trouble: str = ""
    broken: Exception | None = None


class Deliveries:
    """Those under way, by the training job's folder; they outlive the engine's reading a tuning job anew.

    wake: called from a thread of ours when one is done.
    """

    def __init__(self, buckets: Buckets | None, wake: Callable[[], None]) -> None:
        self._buckets = buckets
        self._wake = wake
        self._begun: dict[Path, Delivery] = {}

    def of(self, folder: Path) -> Delivery | None:
        return self._begun.get(folder)

    def begin(self, spec: TuningJobSpec, name: str, folder: Path, seen: Observation) -> Delivery:
        """Deliver what a training job has left; spec: of its definition. Done at once where there's nowhere to put anything."""
        delivery = self._begun[folder] = Delivery(seen)
        definition = spec.definition
        place = checkpoints.place_of(spec, name)
        if self._buckets is None or (
            place is None and artifact(definition.output_path, name, packed=definition.packs_model) is None
        ):
            delivery.done = True
            return delivery
        words = (delivery, spec, name, Workspace(folder))
        threading.Thread(target=self._deliver, args=words, name=f"alfine-deliver-{name}", daemon=True).start()
        return delivery

    def settle(self, folder: Path) -> None:
        """Forget one, which is done. Raise what broke it, if it's to be tried again."""
        delivery = self._begun.pop(folder)
        if delivery.broken is not None:
            raise delivery.broken

    def forget(self, folder: Path) -> None:
        """Forget those of a tuning job, whose folder it is."""
        for each in [each for each in self._begun if each.parent == folder]:
            del self._begun[each]

    def _deliver(self, delivery: Delivery, spec: TuningJobSpec, name: str, space: Workspace) -> None:
        definition = spec.definition
        try:
            checkpoints.save(self._buckets, checkpoints.place_of(spec, name), space)
            delivery.sent = deliver(self._buckets, definition.output_path, name, space, packed=definition.packs_model)
        except Exception as error:  # noqa: BLE001 - the engine raises it
            if isinstance(error, OSError) and not may_pass(error):
                delivery.trouble = f"ClientError: Artifact upload failed: {error}"[:FAILURE_LIMIT]
                log.warning("training_job=%s: %s", name, delivery.trouble)
            else:
                delivery.broken = error
        delivery.done = True
        self._wake()
