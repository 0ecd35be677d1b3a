"""A Ray cluster of several nodes on this machine, each part of which can be killed."""

from __future__ import annotations

import os
import signal
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.missing import package

NODE = "ALFINE_TEST_NODE"
"""The variable of a node's processes that has the node's name: the folder of its training jobs is named by it."""

STORAGE = "RAY_gcs_storage_path"
"""The variable that names where a head keeps what it knows. All processes of a cluster and of its tests have it from here."""

PATIENCE_SECONDS = 60.0

OBJECT_STORE_BYTES = 80 << 20
"""The least that Ray takes."""

QUICK = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "300",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_worker_prestart": "false",
    "RAY_prestart_worker_first_driver": "false",
}
"""Ray's own settings by which it notices within seconds that a node is dead, and starts no worker that nobody has asked for: each takes a
second of a core, and otherwise every process that connects has four started.
"""


class RayCluster:
    """A head without resources, and nodes of two CPUs each, whose «machines» differ by the folder of their training jobs.

    Args:
        folder: Takes what the head keeps, so that it knows the cluster again after its death.
        nodes: The names of the nodes.
    """

    def __init__(self, folder: Path, nodes: tuple[str, ...] = ("one", "two")) -> None:
        package("ray")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from ray.cluster_utils import Cluster

            os.environ.update(QUICK, RAY_gcs_storage="rocksdb", **{STORAGE: str(folder / "gcs")})
            (folder / "gcs").mkdir(parents=True)
            head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
            self._cluster: Any = Cluster(initialize_head=True, head_node_args=head)
        self._nodes: dict[str, Any] = {}
        for name in nodes:
            self.add(name, num_gpus=1 if name == nodes[-1] else 0)

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self, name: str, **resources: float) -> None:
        """Add a node."""
        os.environ[NODE] = name
        try:
            self._nodes[name] = self._cluster.add_node(
                wait=True, **{"num_cpus": 2, "object_store_memory": OBJECT_STORE_BYTES, **resources}
            )
        finally:
            del os.environ[NODE]

    def kill_raylet(self, name: str) -> None:
        """Kill the raylet of a node: Ray takes it for dead, but its other processes live on."""
        self._nodes.pop(name).kill_raylet()

    def kill_head(self) -> None:
        """Kill the head's server (the GCS)."""
        self._cluster.head_node.kill_gcs_server()

    def start_head(self) -> None:
        """Start the head's server again, at the same port, with what it has kept."""
        self._cluster.head_node.start_gcs_server()

    def slots(self) -> list[int]:
        """Return the processes of slots."""
        return processes("ray::Slot")

    def slots_asked_for(self) -> int:
        """Return how many slots Ray was asked for so far."""
        return sum(actor["ActorClassName"] == "Slot" for actor in self._cluster.global_state.actor_table(None).values())

    def groups(self) -> list[str]:
        """Return the names of the placement groups that hold resources, or wait for some."""
        groups = self._cluster.global_state.placement_group_table().values()
        return [group["name"] for group in groups if group["state"] != "REMOVED"]

    def files(self) -> list[Path]:
        """Return what Ray has written: its logs, and what the head keeps."""
        places = (Path(self._cluster.head_node.get_session_dir_path()), Path(os.environ[STORAGE]))
        return [path for place in places for path in place.rglob("*") if path.is_file()]

    def close(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._cluster.shutdown()
        for slot in self.slots():
            with suppress(ProcessLookupError):
                os.kill(slot, signal.SIGKILL)


def processes(words: str) -> list[int]:
    """Return the processes of this test's cluster, and of its alfine, whose command line has these words."""
    found, own = [], f"{STORAGE}={os.environ.get(STORAGE)}\0".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if words in line and own in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


def kill(pids: list[int]) -> None:
    """Kill processes, and wait until they are gone."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(_lives(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
