"""The checks of `alfine doctor` on a Ray cluster: the cluster, and each of its nodes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from alfine.core.wording import count_of
from alfine.runners.on_ray.check import ClusterReport, NodeNeeds, check_cluster
from alfine.store.config import Config


def ray_rows(home: Path) -> Iterator[tuple[str, bool, str]]:
    """Yield the name, the result and the detail of each check. Nothing is yielded where the settings name no cluster.

    Args:
        home: The home's folder.
    """
    config = Config.at(home)
    if not config.ray.address:
        return
    with tempfile.NamedTemporaryFile(dir=home if home.is_dir() else None, prefix=".seen-by-") as file:
        shared = file.name if config.ray.shared_home else ""
        wanted = NodeNeeds(file=shared, endpoint=config.s3.endpoint)
        report = check_cluster(config.ray.cluster(home), wanted)
    yield "ray cluster", not report.trouble and bool(report.nodes), _summary(config.ray.address, report)
    for node in report.nodes:
        yield f"ray node {node.host}", node.works, f"{node.resources}; {node.detail}"


def _summary(address: str, report: ClusterReport) -> str:
    if report.trouble:
        return report.trouble
    if not report.nodes:
        return f"{address}, Ray {report.version}: no node has CPUs. Start one with `ray start --address={address}`"
    return f"{address}, Ray {report.version}, {count_of(len(report.nodes), 'node')}"
