"""Faults that keep a definition from being placed on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator

from alfine.core.errors import Fault
from alfine.core.spec import DEFINITION, TuningJobSpec
from alfine.store.ray_settings import Ray

INSTANCE_TYPE = f"{DEFINITION}.ResourceConfig.InstanceType"


def placing_faults(spec: TuningJobSpec, path: str, ray: Ray) -> Iterator[Fault]:
    """Yield what the settings lack for a definition.

    Args:
        spec: The specification of the definition.
        path: The path of the setting that names the runner.
        ray: The settings.
    """
    if not ray.address:
        yield Fault(path, "the runner ray needs a cluster. Give its address in alfine.toml: [ray] address.")
    known = ray.shapes
    if ray.address and spec.definition.instance_type not in known:
        message = f"{spec.definition.instance_type!r} isn't in [ray.instances] of alfine.toml, which has {', '.join(sorted(known))}."
        yield Fault(INSTANCE_TYPE, message)


def cluster_faults(ray: Ray) -> Iterator[Fault]:
    """Yield why the cluster can't be used at present.

    Args:
        ray: The settings.
    """
    if not ray.address:
        return
    from alfine.runners.on_ray.check import trouble_at  # takes a tenth of each command's start, and few have a cluster

    if trouble := trouble_at(ray.address):
        yield Fault("[ray] address", trouble)
