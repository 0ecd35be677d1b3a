"""Where a training job's model and output go when it has ended: OutputDataConfig.

<S3OutputPath>/<training job>/output/model.tar.gz, and output.tar.gz beside it if it wrote to output/data.
"""

from __future__ import annotations

import logging
import tarfile
import tempfile
from pathlib import Path

from alfine.buckets import Buckets
from alfine.runners.workspace import Workspace

log = logging.getLogger("alfine.outputs")


def deliver(buckets: Buckets | None, uri: str, name: str, space: Workspace) -> None:
    """Put what a training job left at AMT's place; again it's the same objects.

    What can't be put is logged: the files stay in the training job's folder.
    """
    if buckets is None or not uri.startswith("s3://"):
        return
    base = f"{uri.rstrip('/')}/{name}/output"
    try:
        if space.archive.exists():
            buckets.put(f"{base}/model.tar.gz", space.archive)
        data = space.ml / "output" / "data"
        if data.is_dir() and any(data.iterdir()):
            _put_packed(buckets, f"{base}/output.tar.gz", data)
    except OSError as error:
        log.warning("can't put the output of training_job=%s under %s: %s", name, uri, error)


def _put_packed(buckets: Buckets, uri: str, folder: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=folder.parent, suffix=".tar.gz") as draft:
        with tarfile.open(fileobj=draft, mode="w:gz", compresslevel=1) as archive:
            archive.add(folder, arcname=".")
        draft.flush()
        buckets.put(uri, Path(draft.name))
