"""A program of this machine that runs instead of an image: an entry of the table [images] in alfine.toml.

    "*/image-classification:*" = { command = "python train/main.py", metrics = { "validation:accuracy" = "accuracy=([0-9.]+)" } }

    command   the words of a command. `python` is the Python that runs alfine. One of the words names the program's file, relative to
              alfine.toml; the training job finds the file's whole folder as its working folder
    folder    that folder, where it isn't the file's own
    metrics   the regular expression of each metric, for requests that have none: AWS's algorithms bring theirs

The training job gets everything that the image would: hyperparameters as arguments and in files, channels, SM_ variables.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alfine.core.errors import Fault
from alfine.core.wording import did_you_mean
from alfine.runners.log_metrics import check_regex
from alfine.store.config import FILE

KEYS = ("command", "folder", "metrics")
PYTHONS = ("python", "python3")
"""Words that stand for the Python that runs alfine."""


@dataclass(frozen=True, slots=True)
class ImageProgram:
    """A program of this machine in the place of an image.

    Attributes:
        words: The words of its command. That of the program's file is relative to the folder.
        folder: What the training job finds as its working folder.
        metrics: The regular expression of each metric.
    """

    words: tuple[str, ...]
    folder: Path
    metrics: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: Mapping[str, Any], base: Path) -> ImageProgram:
        """Return the program of an entry without faults.

        Args:
            base: The folder that relative paths are meant from.
        """
        words = shlex.split(entry["command"])
        file = _file(words, base)
        folder = _folder(entry, base, file)
        inside = [
            str(_path(word, base).relative_to(folder)) if word == file else sys.executable if word in PYTHONS else word
            for word in words
        ]
        return cls(tuple(inside), folder, dict(entry.get("metrics", {})))

    @property
    def script(self) -> Path | None:
        """The script, where the command is nothing but Python and a script: such a one can start warm."""
        alone = len(self.words) == 2 and Path(self.words[0]).name.startswith("python") and self.words[1].endswith(".py")
        return self.folder / self.words[1] if alone else None

    def metric_definitions(self) -> list[dict[str, str]]:
        """Return the metrics as a request has them."""
        return [{"Name": name, "Regex": regex} for name, regex in self.metrics.items()]


def program_faults(entry: Mapping[str, Any], base: Path, where: str) -> Iterator[Fault]:
    """Yield what is wrong with an entry.

    Args:
        entry: The entry's table.
        base: The folder that relative paths are meant from: that of alfine.toml.
        where: The entry's place, for messages.
    """
    for name in entry:
        if name not in KEYS:
            yield Fault(where, f"there is no {name!r} here. {did_you_mean(name, KEYS)}")
    metrics = entry.get("metrics", {})
    if not isinstance(metrics, Mapping) or not all(isinstance(regex, str) for regex in metrics.values()):
        yield Fault(
            f"{where} metrics", f"{metrics!r} must be a table: the name of each metric and its regular expression."
        )
    else:
        troubles = {name: check_regex(regex) for name, regex in metrics.items()}
        yield from (Fault(f"{where} metrics {name}", trouble) for name, trouble in troubles.items() if trouble)
    yield from _command_faults(entry, base, where)


def _command_faults(entry: Mapping[str, Any], base: Path, where: str) -> Iterator[Fault]:
    command = entry.get("command")
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:  # a quote without its end
        words = []
    file = _file(words, base)
    if not words:
        yield Fault(f"{where} command", f'{command!r} must be a command, such as "python train/main.py".')
    elif not isinstance(entry.get("folder", ""), str):
        yield Fault(f"{where} folder", f"{entry['folder']!r} must be a text.")
    elif file is None:
        yield Fault(f"{where} command", f"none of the words of {command!r} is a file. Paths are meant from {base}.")
    elif (folder := _folder(entry, base, file)) == base and base.joinpath(FILE).exists() and "folder" not in entry:
        yield Fault(
            f"{where} command",
            f"{file} lies beside {FILE}, and a training job sees the whole folder. Move it to a folder of its own.",
        )
    elif not _path(file, base).is_relative_to(folder):
        yield Fault(f"{where} folder", f"{file} doesn't lie in {folder}.")


def _file(words: list[str], base: Path) -> str | None:
    """Return the first word that is a file, other than the interpreter at the beginning."""
    files = [word for word in words if _path(word, base).is_file()]
    return next((word for word in files if word != words[0] or len(files) == 1), None)


def _folder(entry: Mapping[str, Any], base: Path, file: str | None) -> Path:
    return _path(entry["folder"], base) if "folder" in entry else _path(file or ".", base).parent


def _path(text: str, base: Path) -> Path:
    return Path(base, Path(text).expanduser()).absolute()
