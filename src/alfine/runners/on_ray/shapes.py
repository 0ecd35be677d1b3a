"""Shapes: instance types as resources of a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LOCAL = "local"
"""The instance type of jobs whose request names none. Unless the settings say otherwise it is one CPU."""

GIB = 1 << 30
"""Bytes of a GiB."""

TOLERANCE = 1e-6
"""Ray counts resources in units of 1/10,000; smaller differences come from adding fractions."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The resources of one instance.

    Attributes:
        cpus: CPUs; a fraction is allowed, as for the next.
        gpus: GPUs.
        memory: Bytes that Ray sets aside. Ray doesn't enforce them.
        resources: The cluster's own resources, sorted by name: (("spot", 1.0),).
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0
    resources: tuple[tuple[str, float], ...] = ()

    @property
    def amounts(self) -> dict[str, float]:
        """Return the amount of each resource, by Ray's name of it."""
        all_of_it = {"CPU": self.cpus, "GPU": self.gpus, "memory": float(self.memory), **dict(self.resources)}
        return {name: amount for name, amount in all_of_it.items() if amount}

    def words(self) -> str:
        """Return the resources for people: «4 CPUs, 1 GPU and 16 GiB of memory»."""
        return in_words(self.amounts)


NOTHING = Shape(cpus=0.0)
"""The resources of a slot that only looks for a training job, on a node that has no more of them."""


def in_words(amounts: Mapping[str, float]) -> str:
    """Return amounts of resources for people; amounts: by Ray's name of the resource."""
    words = [_amount(name, amount) for name, amount in amounts.items()]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:]))) or "nothing"


def _amount(name: str, amount: float) -> str:
    if name == "memory":
        return f"{amount / GIB:.4g} GiB of memory"
    plural = "s" if name in ("CPU", "GPU") and amount != 1 else ""
    return f"{amount:.4g} {name}{plural}"


def fits(shape: Shape, available: Mapping[str, float]) -> bool:
    """Return whether a node has room for a slot.

    Args:
        shape: The slot's resources.
        available: What the node has, by Ray's name of the resource.
    """
    return all(available.get(name, 0.0) >= amount - TOLERANCE for name, amount in shape.amounts.items())


def why_pending(
    shape: Shape, count: int, totals: Sequence[Mapping[str, float]], free: Sequence[Mapping[str, float]] = ()
) -> str:
    """Return why a training job can't be placed at present.

    Args:
        shape: The resources of one of its instances.
        count: Its instances, each on a node of its own.
        totals: What each living node has.
        free: What of that is free; () where it isn't known.
    """
    needed = f"It needs {shape.words()}" + (f" on each of {count} nodes" if count > 1 else "")
    if sum(fits(shape, node) for node in totals) < count:
        largest = max(totals, key=lambda node: _share(shape, node), default={})
        nodes = f"{len(totals)} node{'' if len(totals) == 1 else 's'}"
        best = in_words({name: largest.get(name, 0.0) for name in shape.amounts})
        return f"{needed}; the cluster has {nodes}, the largest with {best}."
    total, left = _sums(shape, totals), _sums(shape, free)
    are_free = f", of which {in_words(left)} are free" if free else ""
    return f"{needed}; the cluster has {in_words(total)}{are_free}."


def _share(shape: Shape, node: Mapping[str, float]) -> float:
    """Return how much of a shape a node has: the number of its resources, each counted up to what is needed."""
    return sum(min(1.0, node.get(name, 0.0) / amount) for name, amount in shape.amounts.items())


def _sums(shape: Shape, nodes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: sum(node.get(name, 0.0) for node in nodes) for name in shape.amounts}
