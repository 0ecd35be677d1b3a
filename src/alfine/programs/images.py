"""Training images on this machine: the table [images] of alfine.toml, and the default table.

A pattern of image URIs (* and ? as in a shell) says how those images run here:

    script                 the script that the request names, by the Python that runs alfine
    script:/path           the same by another interpreter, or by that of a virtual environment
    algorithm:xgboost      a built-in algorithm, unless the request names a script
    container              the image itself, by docker or podman
    container:other/image  another image instead
    { command = "…", … }   a program of this machine (programs/image_programs.py), unless the request names a script

The first pattern that matches counts: first those of the file, in its order, then the default ones. An image that matches none runs
the script that the request names. Without a script it runs in a container, if a container engine works here; otherwise the job is
refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from alfine.core.arns import ALGORITHM
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.wording import did_you_mean
from alfine.programs.algorithms import BUILT_IN, BuiltInAlgorithm
from alfine.programs.algorithms.created import CreatedAlgorithm
from alfine.programs.aws_algorithms import aws_algorithm
from alfine.programs.image_programs import ImageProgram, program_faults

FRAMEWORKS = (
    *("sagemaker-scikit-learn", "sagemaker-pytorch", "sagemaker-tensorflow", "sagemaker-mxnet", "sagemaker-chainer"),
    *("sagemaker-base-python", "sagemaker-rl-", "autogluon-training", "mxnet-training", "pytorch-training"),
    *("pytorch-trcomp-training", "tensorflow-training", "huggingface-pytorch-", "huggingface-tensorflow-"),
)
"""Beginnings of the names of AWS's images for frameworks. They run the script that a request names.
Source: AWS's «Docker Registry Paths and Example Code»."""

DEFAULTS: Mapping[str, str] = {
    "*.amazonaws.com*/sagemaker-xgboost[:@]*": "algorithm:xgboost",
    "*.amazonaws.com*/xgboost[:@]*": "algorithm:xgboost",
    "*.amazonaws.com*/linear-learner[:@]*": "algorithm:linear-learner",
    "*.amazonaws.com*/knn[:@]*": "algorithm:knn",
    "*.amazonaws.com*/kmeans[:@]*": "algorithm:kmeans",
    "*.amazonaws.com*/lightgbm[:@]*": "algorithm:lightgbm",
    **{f"*.amazonaws.com*/{name}*": "script" for name in FRAMEWORKS},
}
"""The default table."""

KINDS = ("script", "algorithm", "container")
"""Beginnings of an entry of the table."""


class NoRunner(LookupError):
    """Nothing on this machine runs an image. The message says what would."""


@dataclass(frozen=True, slots=True)
class Script:
    """The request's script runs.

    Attributes:
        python: The interpreter for Python scripts.
    """

    python: str


@dataclass(frozen=True, slots=True)
class Container:
    """A container of an image runs."""

    image: str


Run = Script | BuiltInAlgorithm | ImageProgram | Container
Lookup = Callable[[str], Mapping[str, Any] | None]


class Images:
    """The table that says how images run on this machine.

    Args:
        table: The table [images] of alfine.toml.
        no_containers: Returns why containers can't run here, "" where they can. It is called when the answer matters.
        created: Returns the request that created an algorithm, given its name in any case; None where there is no such algorithm.
        base: The folder of alfine.toml, which relative paths are meant from.

    Raises:
        InvalidSpec: An entry of the table can't be understood.

    Example:
        >>> Images({"acme/train:*": "script"}).find("acme/train:2", has_script=True).python == sys.executable
        True
    """

    def __init__(
        self,
        table: Mapping[str, str | Mapping[str, Any]] | None = None,
        no_containers: Callable[[], str] = lambda: "no engine is set up.",
        created: Lookup = lambda _: None,
        base: Path = Path(),
    ) -> None:
        self._no_containers = no_containers
        self._created = created
        faults = [fault for pattern, entry in (table or {}).items() for fault in _faults(pattern, entry, base)]
        if faults:
            raise InvalidSpec(faults)
        given = {
            pattern: entry if isinstance(entry, str) else ImageProgram.of(entry, base)
            for pattern, entry in (table or {}).items()
        }
        self._table = {**given, **{key: text for key, text in DEFAULTS.items() if key not in given}}

    def find(self, image: str, *, has_script: bool, contained: bool = False) -> Run:
        """Return how an image runs here.

        Args:
            image: An image URI, or the ARN of an algorithm that a user created.
            has_script: Whether the request names a script.
            contained: Whether the image must run in a container, whatever the table says.

        Raises:
            NoRunner: It doesn't run here.
        """
        if is_algorithm(image):
            algorithm = self.created(image)
            if algorithm is None:
                raise NoRunner(f"the algorithm {image} does not exist.")
            image = algorithm.image
        kind, _, what = self._entry(image).partition(":")
        if kind == "container" or contained:
            reason = self._no_containers()
            if reason:
                raise NoRunner(f"image {image!r} needs a container, and no container engine works here: {reason}")
            return Container(what if kind == "container" and what else image)
        if has_script:
            return Script(_interpreter(what if kind == "script" else ""))
        if program := self.program(image):
            return program
        if kind == "algorithm":
            return BUILT_IN[what]
        if not kind and not self._no_containers():
            return Container(image)
        raise NoRunner(self._refusal(image, kind))

    def created(self, name: str) -> CreatedAlgorithm | None:
        """Return an algorithm that a user created, by its name or ARN; None where there is none."""
        request = self._created(name.rpartition("/")[2])
        return None if request is None else CreatedAlgorithm.of(request)

    def built_in(self, image: str) -> BuiltInAlgorithm | None:
        """Return the built-in algorithm that an image stands for, even where a request names a script; None for other images."""
        kind, _, what = self._entry(image).partition(":")
        return BUILT_IN[what] if kind == "algorithm" else None

    def program(self, image: str) -> ImageProgram | None:
        """Return the program of this machine that an image stands for; None for other images."""
        entry = self._found(image)
        return entry if isinstance(entry, ImageProgram) else None

    def _entry(self, image: str) -> str:
        entry = self._found(image)
        return entry if isinstance(entry, str) else ""

    def _found(self, image: str) -> str | ImageProgram:
        return next((entry for pattern, entry in self._table.items() if fnmatchcase(image, pattern)), "")

    def _refusal(self, image: str, kind: str) -> str:
        if kind == "script":
            return (
                f"image {image!r} runs a script here, and the request names none. Add the hyperparameters sagemaker_program and "
                "sagemaker_submit_directory."
            )
        names = ", ".join(
            pattern.rpartition("/")[2].partition("[")[0]
            for pattern, text in DEFAULTS.items()
            if text.startswith("algorithm")
        )
        if algorithm := aws_algorithm(image):
            return (
                f"image {image!r} is AWS's built-in algorithm {algorithm}, which alfine doesn't have. It has those of the images {names}. "
                f'What works besides: a program of yours in its place, under [images] in alfine.toml: "*/{algorithm}:*" = {{ command = '
                '"python train/main.py", metrics = { … } }; a script (sagemaker_program and sagemaker_submit_directory among the '
                "hyperparameters), or a command (alfine_command)."
            )
        return (
            f"no runner for image {image!r}. What works: a script (sagemaker_program and sagemaker_submit_directory among the "
            f"hyperparameters), a command (alfine_command), the built-in algorithms of AWS's images {names}; any image once "
            'docker or podman is installed; or a program of this machine in its place: { command = "python train/main.py" }. Add it '
            "under [images] in alfine.toml."
        )


def is_algorithm(image: str) -> bool:
    """Return whether the text in an image's place is the ARN of an algorithm that a user created."""
    return image.startswith("arn:") and f":{ALGORITHM}/" in image


def _faults(pattern: str, text: str | Mapping[str, Any], base: Path) -> Iterator[Fault]:
    """Yield the faults of one entry of the table in alfine.toml."""
    where = f"[images] {pattern!r}"
    if not isinstance(text, str):
        yield from program_faults(text, base, where)
        return
    kind, colon, what = text.partition(":")
    if kind not in KINDS or (colon and not what):
        yield Fault(
            where,
            f"{text!r} isn't a way to run an image. Use script, script:/path, algorithm:NAME, container or a table with a command.",
        )
    elif kind == "algorithm" and what not in BUILT_IN:
        yield Fault(where, f"there is no built-in algorithm {what!r}. {did_you_mean(what, BUILT_IN, 0)}")
    elif kind == "script" and what and not Path(_interpreter(what)).is_file():
        yield Fault(where, f"there is no interpreter at {_interpreter(what)}.")


def _interpreter(text: str) -> str:
    """Return the interpreter at a path; in a virtual environment its own one; without a path the one that runs alfine."""
    path = Path(text).expanduser()
    if not text:
        return sys.executable
    return str(path / "bin" / "python" if path.is_dir() else path)
