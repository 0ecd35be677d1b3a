"""What training jobs read from buckets, and what of theirs goes into buckets when they have ended.

Objects are files here already, so that nothing is copied in: an input is the object's file itself, or a folder of links,
made anew (under another name) when the objects have changed.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlparse

from alfine.aws.s3 import BucketStore, S3Error
from alfine.aws.s3.names import check_bucket_name, check_key, is_plain
from alfine.aws.s3.store import Object
from alfine.runners.workspace import Workspace

log = logging.getLogger("alfine.aws")


class JobFiles:
    """The bucket store as training jobs use it."""

    def __init__(self, store: BucketStore) -> None:
        self._store = store

    # -- inputs ------------------------------------------------------------------------------------------------------

    def trouble(self, uri: str) -> str | None:
        """Why nothing can be read at an s3:// URI, in AWS's words; None when something can."""
        try:
            objects = self._objects(uri)
        except S3Error:
            objects = []
        if not objects:
            bucket, _ = _parts(uri)
            return (
                f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists '
                f"(here: {bucket!r} in alfine's own store), and that objects exist under that S3 prefix."
            )
        odd = next((key for key, _ in _relative(uri, objects) if not is_plain(key)), None)
        return None if odd is None else f"The key {odd!r} under {uri} can't be the path of a file."

    def fetch(self, uri: str, place: Path) -> Path:
        """A path to read at: the object's file, or a folder of links to the objects under the prefix, made beside `place`."""
        objects = self._objects(uri)
        if len(objects) == 1 and objects[0].key == _parts(uri)[1] and objects[0].path.name == Path(objects[0].key).name:
            return objects[0].path
        state = repr([(each.key, each.modified_ns) for each in objects])
        folder = place.with_name(f"{place.name}-{zlib.crc32(state.encode()):08x}")
        if not folder.exists():
            with _made_whole(folder) as draft:
                for name, each in _relative(uri, objects):
                    link = draft / name
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(each.path)
        return folder

    def _objects(self, uri: str) -> list[Object]:
        bucket, prefix = _parts(uri)
        return [each for each in self._store.list(bucket, prefix) if not each.key.endswith("/")]

    # -- outputs -----------------------------------------------------------------------------------------------------

    def check_output(self, uri: str) -> str | None:
        """Why nothing could be put under an s3:// URI; None when it could."""
        bucket, prefix = _parts(uri)
        try:
            check_bucket_name(bucket)
            if prefix:
                check_key(prefix)
        except S3Error as error:
            return str(error)
        return None

    def deliver(self, uri: str, name: str, space: Workspace) -> None:
        """Put what a training job left at AMT's place: <uri>/<name>/output/model.tar.gz, and output.tar.gz if it wrote one.

        Again it's the same objects. The bucket is made where there is none. What can't be put is logged: the files stay in
        the training job's folder.
        """
        try:
            bucket, prefix = _parts(uri)
            with contextlib.suppress(S3Error):
                self._store.create_bucket(bucket)  # it's there already
            base = "/".join(part for part in (prefix.strip("/"), name, "output") if part)
            if space.archive.exists():
                self._store.put_file(bucket, f"{base}/model.tar.gz", space.archive, "application/x-tar")
            data = space.ml / "output" / "data"
            if data.is_dir() and any(data.iterdir()):
                self._deliver_packed(bucket, f"{base}/output.tar.gz", data)
        except S3Error as error:
            log.warning("can't put the output of training_job=%s under %s: %s", name, uri, error)

    def _deliver_packed(self, bucket: str, key: str, folder: Path) -> None:
        with tempfile.NamedTemporaryFile(dir=folder.parent, suffix=".tar.gz") as draft:
            with tarfile.open(fileobj=draft, mode="w:gz", compresslevel=1) as archive:
                archive.add(folder, arcname=".")
            draft.flush()
            self._store.put_file(bucket, key, Path(draft.name), "application/x-tar")


def _parts(uri: str) -> tuple[str, str]:
    """(bucket, key or prefix)."""
    parsed = urlparse(uri, allow_fragments=False)
    query = f"?{parsed.query}" if parsed.query else ""
    return parsed.netloc, (parsed.path + query).removeprefix("/")


def _relative(uri: str, objects: Sequence[Object]) -> Iterator[tuple[str, Object]]:
    """Each object with its path inside the channel: the key after the folder that the prefix names or lies in."""
    prefix = _parts(uri)[1]
    parent = prefix[: prefix.rfind("/") + 1]
    inside = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    for each in objects:
        yield each.key.removeprefix(inside if each.key.startswith(inside) else parent), each


@contextlib.contextmanager
def _made_whole(folder: Path) -> Iterator[Path]:
    """A folder to fill that takes its name when it's complete, whoever else makes the same one meanwhile."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        yield draft
        with contextlib.suppress(OSError):
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
