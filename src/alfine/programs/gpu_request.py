"""Chooses how many GPUs a training job gets: by its job, by the settings of this machine, or by its instance type."""

from __future__ import annotations

from collections.abc import Iterator

from alfine.core.errors import Fault
from alfine.core.field import TAG_PATH
from alfine.core.settings import gpu_count_trouble
from alfine.core.spec import TuningJobSpec
from alfine.core.wording import count_of, number
from alfine.programs.machine import Machine
from alfine.runners.gpus import VISIBLE, gpus_of_instance_type

SETTING = "gpus"
"""The setting of a job."""


def gpus_for(spec: TuningJobSpec, machine: Machine, *, placed: bool = False) -> float:
    """Return how many GPUs each host of a training job gets; 0 where it is given none in particular.

    What the job asks for counts before the machine's setting, and that before the instance type, which is held to what this machine has. A
    job whose Environment sets CUDA_VISIBLE_DEVICES has chosen by itself.

    Args:
        spec: The specification of the definition.
        machine: What this machine has.
        placed: Whether its training jobs are placed on other machines. There the instance type's resources count unless the job asks.
    """
    if VISIBLE in spec.definition.environment:
        return 0.0
    asked = spec.settings.get(SETTING)
    if asked is not None:
        return float(asked)
    if placed:
        return 0.0
    of_type = gpus_of_instance_type(spec.definition.instance_type)
    if not machine.running.gpus_per_training_job and not of_type:
        return 0.0
    return min(machine.running.gpus_per_training_job or of_type, len(machine.gpus))


def gpu_faults(spec: TuningJobSpec, machine: Machine, *, placed: bool = False) -> Iterator[Fault]:
    """Yield why a job can't have the GPUs that it asks for. Arguments are those of `gpus_for`."""
    asked = spec.settings.get(SETTING)
    if asked is None:
        return
    count, path = float(asked), f"{TAG_PATH}{SETTING}"
    if trouble := gpu_count_trouble(count):
        yield Fault(path, trouble)
        return
    needed, there = count * spec.definition.instance_count, len(machine.gpus)
    if needed > there and not placed:
        have = f"this machine has {count_of(there, 'GPU')}" if there else "this machine has none that alfine can see"
        yield Fault(
            path,
            f"a training job needs {number(needed)}, but {have}. `alfine doctor` shows them; [run] gpus in alfine.toml names others.",
        )
