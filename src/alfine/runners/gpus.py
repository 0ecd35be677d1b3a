"""The GPUs of this machine: which there are, and how many a training job asks for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The variable that says which GPUs a process may use: numbers or identifiers with commas between them. Source: CUDA C++ Programming
Guide, «CUDA Environment Variables»."""

DRIVER = Path("/proc/driver/nvidia/gpus")
"""A folder with an entry for each GPU. Source: NVIDIA's driver for Linux, README, «The /proc file system interface»."""

SMI_SECONDS = 20
"""Longest time, in seconds, that `nvidia-smi` may take."""

GPU_OF_SMI = re.compile(r"^GPU (\d+):", re.MULTILINE)
"""A line of `nvidia-smi -L`."""

GPU_TYPE = re.compile(r"(ml\.)?(?P<family>[gp]\d+[a-z-]*[0-9]*)\.(?P<size>[0-9a-z-]+)")
"""Instance types with GPUs of NVIDIA. Source: Amazon SageMaker's pricing page, «Accelerated computing»."""

GPUS_OF_SIZE = {
    "p2": {"8xlarge": 8, "16xlarge": 16},
    "p3": {"8xlarge": 4, "16xlarge": 8},
    "p5": {"48xlarge": 8},
    "g4dn": {"12xlarge": 4, "metal": 8},
    "g5": {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
}
"""GPUs of instance types with more than one, by family and size. Source: Amazon EC2's page «Accelerated computing instances»."""

LIKE = {"g6": "g5", "g6e": "g5", "g4": "g4dn"}
"""Families whose sizes have as many GPUs as those of another family."""

ALWAYS_EIGHT = ("p3dn", "p4d", "p4de", "p5e", "p5en", "p6-b200")
"""Families of which each size has eight GPUs."""


def gpus_of_machine(settings: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Return the GPUs that training jobs may use, as they are spelt in CUDA_VISIBLE_DEVICES.

    Args:
        settings: `[run] gpus` of alfine.toml; None: those that alfine's own CUDA_VISIBLE_DEVICES names, or else all of this machine.
    """
    if settings is not None:
        return settings
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return tuple(map(str, range(_count())))
    named = [device.strip() for device in visible.split(",")]
    end = next((at for at, device in enumerate(named) if not device or device.startswith("-")), len(named))
    return tuple(dict.fromkeys(named[:end]))  # CUDA reads the list up to the first that isn't there


@cache
def _count() -> int:
    try:
        return len(list(DRIVER.iterdir()))
    except OSError:  # no driver, or one that isn't seen there: in WSL, for example
        smi = shutil.which("nvidia-smi")
    if smi is None:
        return 0
    try:
        done = subprocess.run([smi, "-L"], capture_output=True, text=True, timeout=SMI_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0  # the driver doesn't answer: no GPU can be used
    return len(GPU_OF_SMI.findall(done.stdout))


def gpus_of_instance_type(instance_type: str) -> int:
    """Return how many GPUs an instance of Amazon has; 0 for a type without GPUs, and for one that isn't Amazon's.

    Args:
        instance_type: For example ml.g5.12xlarge. `local_gpu` of the SageMaker SDK's local mode counts as one with a single GPU.
    """
    if instance_type == "local_gpu":
        return 1
    known = GPU_TYPE.fullmatch(instance_type)
    if known is None:
        return 0
    family = LIKE.get(known["family"], known["family"])
    if family in ALWAYS_EIGHT:
        return 8
    return GPUS_OF_SIZE.get(family, {}).get(known["size"], 1)
