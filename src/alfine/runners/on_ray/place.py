"""Places: the texts by which a store keeps where a training job was placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from alfine.runners.on_ray.slot import SlotFacts


@dataclass(frozen=True, slots=True)
class Place:
    """The place of one instance of a training job.

    Attributes:
        slot: The slot's name.
        host: The machine's name.
        machine: Identifies the machine since its start: see `SlotFacts.machine`.
        ray_node: Ray's id of the node.
        interface: The network interface by which the machine reaches the others of the cluster.
    """

    slot: str
    host: str
    machine: str
    ray_node: str
    interface: str = ""

    @classmethod
    def of(cls, slot: str, facts: SlotFacts) -> Self:
        """Return the place of a slot."""
        return cls(slot, facts.host, facts.machine, facts.ray_node, facts.interface)

    @property
    def node(self) -> str:
        """Return the text of its node: «gpu-3/5f…/04…/eth0»."""
        return f"{self.host}/{self.machine}/{self.ray_node}/{self.interface}"


def texts_of(places: Sequence[Place]) -> tuple[str, str]:
    """Return the texts that are recorded of places: of the nodes, and of the slots."""
    return " ".join(place.node for place in places), " ".join(place.slot for place in places)


def places_of(node: str, slot: str) -> list[Place]:
    """Return the places that `texts_of` gave the texts of."""
    return [Place(name, *where.split("/")) for name, where in zip(slot.split(), node.split(), strict=True)]
