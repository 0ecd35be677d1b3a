"""Reads the models of AWS's services, JSON files inside of botocore: which shapes each operation takes and returns.

botocore's own `Loader` finds the same; importing it, with urllib3 and AWS's C library, and waiting for its ordered dictionaries takes a
quarter of a server's start.
"""

from __future__ import annotations

import gzip
import json
from importlib.resources import files
from typing import Any


def service_model(service: str) -> dict[str, Any]:
    """Return the newest model of a service.

    Args:
        service: Its name, as botocore calls it: «sagemaker».
    """
    versions = (files("botocore") / "data" / service).iterdir()  # folders, called by their dates
    newest = max(versions, key=lambda folder: folder.name)
    packed = newest / "service-2.json.gz"
    text = gzip.decompress(packed.read_bytes()) if packed.is_file() else (newest / "service-2.json").read_bytes()
    model: dict[str, Any] = json.loads(text)
    return model
