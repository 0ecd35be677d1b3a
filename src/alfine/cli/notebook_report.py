"""A report on a notebook, or a Python file: which cells alfine will answer, what each uses, and what of it isn't there."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alfine.aws.json_protocol import api
from alfine.aws.s3.app import OPERATIONS as S3_OPERATIONS
from alfine.aws.sagemaker.other_operations import empty_list, family_of
from alfine.aws.services import TABLES
from alfine.cli.notebook_cells import Cell, cells_of
from alfine.cli.notebook_uses import PLACEHOLDER, PUBLIC, Use, UseReader
from alfine.jobs.home import Home
from alfine.programs.images import Images, NoRunner
from alfine.programs.samples import buckets as sample_buckets
from alfine.programs.stand_ins import FOLDER

REGION = "us-east-1"
"""Stands for the region where a text leaves it open."""

DIGIT = "0" * 12
"""Stands for the account of a registry."""

SDK_S3 = re.compile(r"^(upload|download)_(file|fileobj)$|^copy$|^(Bucket|Object|meta|list_objects.*)$")
"""Methods of boto3 for S3 that consist of several operations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseVerdict:
    """The answer whether something that a cell uses is there.

    Attributes:
        use: What is used.
        answered: Whether it is there; None where that depends on what the notebook does.
        message: Why not, and what to do; "" where there is nothing to say.
    """

    use: Use
    answered: bool | None
    message: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as `alfine check --json` prints it."""
        shown = {"Kind": self.use.kind, "Name": self.use.name, "Line": self.use.line, "By": self.use.by}
        return {**shown, "Answered": self.answered, "Message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCell:
    """A cell with the verdicts on what it uses."""

    number: int
    verdicts: list[UseVerdict]

    @property
    def answered(self) -> bool:
        return all(verdict.answered is not False for verdict in self.verdicts)


def check_notebook(path: Path, home: Home) -> list[CheckedCell]:
    """Return the cells of a notebook or a Python file with what is there of what each uses.

    Raises:
        InvalidSpec: The file can't be read.
    """
    reader, judge = UseReader(), _Judge(home)
    cells = [_as_script(cell) for cell in cells_of(path)] if _is_training_script(path) else cells_of(path)
    return [
        CheckedCell(number=cell.number, verdicts=[judge.verdict(use) for use in reader.uses(cell)]) for cell in cells
    ]


def _is_training_script(path: Path) -> bool:
    """Return whether a Python file is what a training job runs: it doesn't use AWS."""
    return path.suffix == ".py" and not re.search(
        r"^\s*(import|from) (sagemaker|boto3)\b", path.read_text("utf-8", "replace"), re.MULTILINE
    )


def _as_script(cell: Cell) -> Cell:
    return Cell(number=cell.number, tree=cell.tree, trouble=cell.trouble, shell=cell.shell, script=True)


class _Judge:
    def __init__(self, home: Home) -> None:
        self.images: Images = home.machine.images
        folder = home.folder / "buckets"
        self.buckets = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        self.remote = home.config.s3.endpoint

    def verdict(self, use: Use) -> UseVerdict:
        answered: bool | None
        match use.kind:
            case "operation":
                answered, message = _operation(*use.name.split(":", 1))
            case "image":
                answered, message = self._image(use.name)
            case "module":
                answered, message = _module(use.name)
            case "bucket":
                answered, message = self._bucket(use.name)
            case "command":
                answered, message = False, _command(use.name)
            case _:
                answered, message = None, use.name
        return UseVerdict(use=use, answered=answered, message=message)

    def _image(self, name: str) -> tuple[bool, str]:
        uri = name.replace(PLACEHOLDER, REGION)
        uri = re.sub(r"^[^.]*", DIGIT, uri, count=1)
        try:
            self.images.find(uri, has_script=False)
        except NoRunner as error:
            runs_scripts = "runs a script here" in str(error)
            return runs_scripts, "" if runs_scripts else str(error)
        return True, ""

    def _bucket(self, name: str) -> tuple[bool | None, str]:
        bucket, _, key = name.replace(PLACEHOLDER, REGION).partition("/")
        if bucket in self.buckets or self.remote:
            return True, ""
        if not PUBLIC.match(bucket):
            return (
                None,
                f"there is no bucket {bucket} in this home yet. Make it, and upload the data that it must have.",
            )
        made = sample_buckets(REGION).get(bucket, {})
        if key and not any(known.startswith(key.rstrip("*")) for known in made):
            return (
                False,
                f"AWS's public bucket {bucket}: `alfine samples` makes no stand-in for {key}. Upload the data there.",
            )
        return False, f"AWS's public bucket {bucket}: `alfine samples` makes small stand-ins for its data."


def _operation(service: str, name: str) -> tuple[bool, str]:
    if service == "s3":
        known = {operation.__name__ for operation in S3_OPERATIONS.values()}
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        listed = {"", "list_objects_v2", "head_object", "copy_object", *known}
        good = snake in listed or bool(SDK_S3.match(name))
        return good, "" if good else f"alfine's buckets don't have the operation {name}."
    if service not in TABLES:
        if service == "sagemaker-runtime":
            return False, _part_of("InvokeEndpoint")
        return False, f"alfine doesn't answer for the service {service}. Its requests reach alfine and are refused."
    if not name or name in TABLES[service] or empty_list(api(service), name) is not None:
        return True, ""
    return False, _part_of(name)


def _part_of(operation: str) -> str:
    family = family_of(operation)
    return (
        f"part of SageMaker's {family}, which alfine doesn't have." if family else "alfine doesn't have this operation."
    )


def _module(name: str) -> tuple[bool, str]:
    """Return whether a training script finds a module: it runs with the Python that runs alfine."""
    if name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None:
        return True, ""
    if (FOLDER / name).is_dir():
        return True, "a stand-in"
    return False, f"training scripts run with {sys.executable}, which doesn't have {name}. Install it there."


def _command(text: str) -> str:
    if text.startswith(("wget", "curl")):
        return "it asks AWS itself, not alfine. `alfine samples` has stand-ins for some of AWS's data sets."
    return (
        "there is no registry for images here. Under [images] in alfine.toml an image means a program of this machine, or a "
        "container with docker or podman."
    )


def as_json(cells: Iterable[CheckedCell]) -> Mapping[str, Any]:
    """Return the report as `alfine check --json` prints it."""
    shown = [
        {
            "Cell": cell.number,
            "Answered": cell.answered,
            "Uses": [verdict.as_dict() for verdict in cell.verdicts],
        }
        for cell in cells
    ]
    return {"Cells": shown, "Answered": sum(cell["Answered"] is True for cell in shown), "Of": len(shown)}
