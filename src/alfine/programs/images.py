"""What a training image means on this machine: [images] in alfine.toml, and the table that holds without it.

A pattern of image URIs (* and ? as in a shell) says how those images run here:

    script                 the script that the request names, on the Python that runs alfine
    script:/path           the same on another interpreter, or on that of a virtual environment
    algorithm:xgboost      a built-in algorithm, unless the request names a script
    container              the image itself, by docker or podman
    container:other/image  another image in its place

The patterns of the file come first, in its order. An image that none fits runs the script that the request names; without
one it runs in a container, where there is an engine for that; else the job is refused.
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
from alfine.programs.algorithms import BUILT_IN, Algorithm
from alfine.programs.algorithms.created import Created

FRAMEWORKS = (
    *("sagemaker-scikit-learn", "sagemaker-pytorch", "sagemaker-tensorflow", "sagemaker-mxnet", "sagemaker-chainer"),
    *("sagemaker-base-python", "sagemaker-rl-", "autogluon-training", "mxnet-training", "pytorch-training"),
    *("pytorch-trcomp-training", "tensorflow-training", "huggingface-pytorch-", "huggingface-tensorflow-"),
)
DEFAULTS: Mapping[str, str] = {
    "*.amazonaws.com*/sagemaker-xgboost[:@]*": "algorithm:xgboost",
    "*.amazonaws.com*/xgboost[:@]*": "algorithm:xgboost",
    "*.amazonaws.com*/linear-learner[:@]*": "algorithm:linear-learner",
    **{f"*.amazonaws.com*/{name}*": "script" for name in FRAMEWORKS},
}
KINDS = ("script", "algorithm", "container")


class NoRunner(LookupError):
    """Nothing here runs this image; the message has what would."""


@dataclass(frozen=True, slots=True)
class Script:
    """Script mode. python: the interpreter for Python scripts."""

    python: str


@dataclass(frozen=True, slots=True)
class Container:
    """A container of the image."""

    image: str


Run = Script | Algorithm | Container
Lookup = Callable[[str], Mapping[str, Any] | None]


class Images:
    """The table of one home. no_containers: tells why containers can't run here, "" where they can; asked when it matters.

    created: the request that created an algorithm, by its name in letters of any case. Raise InvalidSpec for an entry that
    can't be understood.
    """

    def __init__(
        self,
        table: Mapping[str, str] | None = None,
        no_containers: Callable[[], str] = lambda: "no engine is set up.",
        created: Lookup = lambda _: None,
    ) -> None:
        self._no_containers = no_containers
        self._created = created
        faults = [fault for pattern, text in (table or {}).items() for fault in _faults(pattern, text)]
        if faults:
            raise InvalidSpec(faults)
        self._table = {**(table or {}), **{key: text for key, text in DEFAULTS.items() if key not in (table or {})}}

    def find(self, image: str, *, has_script: bool, contained: bool = False) -> Run:
        """How an image, or that of a created algorithm given by its ARN, runs here. Raise NoRunner when it doesn't.

        contained: in a container, whatever else could be.
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
                raise NoRunner(f"image {image!r} is to run in a container, and none can run here: {reason}")
            return Container(what if kind == "container" and what else image)
        if has_script:
            return Script(_interpreter(what if kind == "script" else ""))
        if kind == "algorithm":
            return BUILT_IN[what]
        if not kind and not self._no_containers():
            return Container(image)
        raise NoRunner(self._refusal(image, kind))

    def created(self, name: str) -> Created | None:
        """An algorithm that a user created, by its name or ARN."""
        request = self._created(name.rpartition("/")[2])
        return None if request is None else Created.of(request)

    def built_in(self, image: str) -> Algorithm | None:
        """The built-in algorithm that an image stands for, whether or not a request brings a script for it."""
        kind, _, what = self._entry(image).partition(":")
        return BUILT_IN[what] if kind == "algorithm" else None

    def _entry(self, image: str) -> str:
        return next((text for pattern, text in self._table.items() if fnmatchcase(image, pattern)), "")

    def _refusal(self, image: str, kind: str) -> str:
        if kind == "script":
            return (
                f"image {image!r} runs a script here, and none is named. Give sagemaker_program and "
                "sagemaker_submit_directory among the hyperparameters."
            )
        names = ", ".join(
            pattern.rpartition("/")[2].partition("[")[0]
            for pattern, text in DEFAULTS.items()
            if text.startswith("algorithm")
        )
        return (
            f"no runner for image {image!r}. What works: a script (sagemaker_program and sagemaker_submit_directory among the "
            f"hyperparameters), a command (alfine_command), the built-in algorithms of AWS's images {names}; any image once "
            "docker or podman is installed. Add it under [images] in alfine.toml."
        )


def is_algorithm(image: str) -> bool:
    """Whether what stands for an image is the ARN of a created algorithm."""
    return image.startswith("arn:") and f":{ALGORITHM}/" in image


def _faults(pattern: str, text: str) -> Iterator[Fault]:
    """What is wrong with an entry of alfine.toml."""
    where = f"[images] {pattern!r}"
    kind, colon, what = text.partition(":")
    if kind not in KINDS or (colon and not what):
        yield Fault(
            where, f"{text!r} isn't a way to run an image. Use script, script:/path, algorithm:NAME or container."
        )
    elif kind == "algorithm" and what not in BUILT_IN:
        yield Fault(where, f"there is no built-in algorithm {what!r}. {did_you_mean(what, BUILT_IN, 0)}")
    elif kind == "script" and what and not Path(_interpreter(what)).is_file():
        yield Fault(where, f"there is no interpreter at {_interpreter(what)}.")


def _interpreter(text: str) -> str:
    """A path as that of an interpreter: of a virtual environment, the one in it; of none, ours."""
    path = Path(text).expanduser()
    if not text:
        return sys.executable
    return str(path / "bin" / "python" if path.is_dir() else path)
