"""Machine: what this machine has for training jobs, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from alfine.core.arns import Arns
from alfine.programs.images import Images
from alfine.runners.gpus import gpus_of_machine
from alfine.runners.storage.locations import Buckets
from alfine.store.config import Prices, Running
from alfine.store.ray_settings import Ray


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The resources of this machine for training jobs. The defaults are those of a home without alfine.toml.

    Attributes:
        images: What training images mean here.
        running: The runner, the container engine and the limits that hold unless a job names others ([run] in alfine.toml).
        buckets: Where s3:// URIs lead. None: nowhere, so nothing can be read from s3:// and no artifact is stored.
        s3_endpoint: The URL of the service that s3:// URIs lead to ([s3] endpoint). "": alfine's own buckets.
        shares_store: Whether servers of other machines may share the database, and read logs of this one.
        ray: The cluster of the runner «ray», with this home's folder ([ray] in alfine.toml).
        prices: The price of an hour of each instance type ([prices] in alfine.toml).
        arns: The region and the account in the ARNs of jobs and algorithms.

    Example:
        >>> Machine(running=Running(runner="process")).running.engine
        'auto'
    """

    images: Images = field(default_factory=Images)
    running: Running = field(default_factory=Running)
    buckets: Buckets | None = None
    s3_endpoint: str = ""
    shares_store: bool = False
    ray: Ray = field(default_factory=Ray)
    prices: Prices = field(default_factory=Prices)
    arns: Arns = field(default_factory=Arns)

    def may_lose_logs(self, runner: str) -> bool:
        """Return whether the log of a training job may lie on a machine that is lost, while alfine goes on elsewhere.

        Args:
            runner: The name of the training job's runner.
        """
        return bool(self.ray.folder) if runner == "ray" else self.shares_store and bool(self.s3_endpoint)

    @property
    def gpus(self) -> tuple[str, ...]:
        """The GPUs that training jobs may be given, as they are spelt in CUDA_VISIBLE_DEVICES."""
        return gpus_of_machine(self.running.gpus)
