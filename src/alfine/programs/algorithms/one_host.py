"""Several instances of a built-in algorithm: on this machine they are one, which trains on all the data.

More processes wouldn't make this machine faster, and a model that several hosts train isn't a better one. The training job's log says it.
"""

from __future__ import annotations

from dataclasses import replace

from alfine.core.spec import TuningJobSpec
from alfine.programs.algorithms.opt_ml import INSTANCES


def on_one_host(spec: TuningJobSpec) -> TuningJobSpec:
    """Return the specification of a definition with one host that has all the data, whatever number of instances it asks for."""
    definition = spec.definition
    if definition.instance_count <= 1:
        return spec
    environment = {INSTANCES: str(definition.instance_count), **definition.environment}
    return replace(spec, definition=replace(definition, instance_count=1, environment=environment))
