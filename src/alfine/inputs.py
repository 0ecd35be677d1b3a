"""What a training job reads: the files behind a request's URIs, and its input channels made of them.

A folder of objects is made of hard links where that can be, so that it holds what was there when the tuning job (or alfine,
after a restart) began, whatever becomes of the bucket meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alfine.buckets import Buckets, Stored, beyond, is_path, local, parts, relative
from alfine.core.errors import Fault
from alfine.core.spec import TuningJobSpec
from alfine.runners import Channel

INPUTS = ".inputs"  # in a tuning job's folder: unpacked code, links to objects


@dataclass(frozen=True, slots=True)
class Files:
    """Finds what a request's URIs name, and collects what is wrong with them.

    place: the folder for what has to be made. fetch: False only looks whether all is there.
    """

    place: Path
    buckets: Buckets | None
    fetch: bool
    faults: list[Fault]

    def fault(self, where: str, message: str) -> None:
        self.faults.append(Fault(where, message))

    def forbidden(self, path: Path) -> str | None:
        """Why the request may not name this file or folder of the machine; None when it may."""
        return None if self.buckets is None else beyond(self.buckets.roots, path)

    def find(self, uri: str, name: str, where: str) -> Path | None:
        """The file or folder behind a URI, None with a fault when there is none."""
        path = local(uri)
        if path is not None:
            trouble = self.forbidden(path) or (None if path.exists() else f"there is nothing at {path}.")
            if trouble:
                self.fault(where, trouble)
                return None
            return path
        if self.buckets is None or not uri.startswith("s3://"):
            self.fault(where, f"{uri!r} can't be read here. Use file:///… or a local path.")
            return None
        objects = dict(relative(uri, self.buckets.find(uri)))
        trouble = _trouble(uri, objects, self.buckets)
        if trouble:
            self.fault(where, trouble)
            return None
        # To look into an archive takes no more than its own file; a folder of links is made only to be used.
        if self.fetch or uri.endswith((".gz", ".tgz", ".tar")):
            return self._fetched(uri, name, objects, self.buckets)
        return Path()

    def is_there(self, uri: str) -> bool:
        return self.buckets is not None and any(each.uri == uri for each in self.buckets.find(uri))

    def _fetched(self, uri: str, name: str, objects: Mapping[str, Stored], buckets: Buckets) -> Path:
        """A folder of the objects under the prefix, or, for the URI of a single object, its file in one."""
        state = sorted((path, each.uri, each.version) for path, each in objects.items())
        with made_once(self.place, name, state) as (folder, draft):
            if draft is not None:
                link_all(draft, {path: buckets.file(each) for path, each in objects.items()})
        alone = len(objects) == 1 and next(iter(objects.values())).key == parts(uri)[1]
        return folder / next(iter(objects)) if alone else folder


def channels(spec: TuningJobSpec, files: Files) -> Iterator[Channel]:
    """The input channels of every training job of the spec; what is wrong with them goes to `files`."""
    for channel in spec.definition.channels:
        where = f"TrainingJobDefinition.InputDataConfig ({channel.name})"
        path = files.find(channel.uri, f"channel-{channel.name}", where)
        if path is not None:
            mode, kind = channel.input_mode, channel.content_type
            yield Channel(name=channel.name, path=path, content_type=kind, input_mode=mode)


def _trouble(uri: str, objects: Mapping[str, Stored], buckets: Buckets) -> str | None:
    """Why nothing can be read there, in AWS's words; None when something can."""
    if not objects:
        return (
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists '
            f"(here: {parts(uri)[0]!r} in {buckets.place}), and that objects exist under that S3 prefix."
        )
    odd = next((path for path in objects if not is_path(path)), None)
    return None if odd is None else f"The key {objects[odd].key!r} under {uri} can't be the path of a file."


# ---- folders that are made once ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def made_once(place: Path, name: str, state: Sequence[object]) -> Iterator[tuple[Path, Path | None]]:
    """(the folder, a draft of it to fill or None when it's there): one folder for each state of what it's made from.

    It takes its name when it's complete, whoever else makes the same one meanwhile.
    """
    folder = place / f"{name}-{zlib.crc32(repr(state).encode()):08x}"
    if folder.is_dir():
        yield folder, None
        return
    place.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=place))
    draft.chmod(0o755)
    try:
        yield folder, draft
        with contextlib.suppress(OSError):
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def link_all(folder: Path, files: Mapping[str, Path]) -> None:
    """Give each file its name below the folder: by a hard link, or a symbolic one where it lies on another disk."""
    for name, file in files.items():
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file.resolve(), link)
        except OSError:
            link.symlink_to(file.absolute())
