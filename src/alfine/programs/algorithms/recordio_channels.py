"""Channels and metrics of the algorithms that read CSV or RecordIO-protobuf, in the form of a TrainingSpecification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CSV_OR_RECORDIO = ("text/csv", "csv", "application/x-recordio-protobuf")
HOST = r"host=\S+"
"""The name of the host in a line with a metric."""


def channel(name: str, content_types: Sequence[str], *, required: bool = False) -> dict[str, Any]:
    """Return a channel.

    Args:
        name: Its name.
        content_types: What it may contain.
        required: Whether every request must have it.
    """
    return {
        "Name": name,
        "IsRequired": required,
        "SupportedContentTypes": [*content_types],
        "SupportedCompressionTypes": ["None", "Gzip"],
        "SupportedInputModes": ["File", "FastFile"],
    }


def quality_metric(data: str, metric: str, kind: str) -> dict[str, str]:
    """Return the definition of a metric of the final model.

    Args:
        data: The channel that it is measured on.
        metric: Its name.
        kind: How the log calls it: «score», of which larger is better, or «loss».
    """
    return {"Name": f"{data}:{metric}", "Regex": rf"#quality_metric: {HOST}, {data} {metric} <{kind}>=(\S+)"}
