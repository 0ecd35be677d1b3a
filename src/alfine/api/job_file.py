"""Job files: read the argument of `alfine tune`, a CreateHyperParameterTuningJob request or a file in alfine's shorter words.

A request is recognised by its HyperParameterTuningJobName or HyperParameterTuningJobConfig. The keys of a job file are
the words of `alfine.core.fields` (docs/reference/job-file.md lists them). Relative paths in both are meant from the
file's own folder. What is wrong with a file is one InvalidSpec with every fault found, each at its place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alfine.api.full_request import anchored, check_request, is_request
from alfine.api.read_document import read_document
from alfine.api.read_values import shown
from alfine.api.read_words import read_words
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.field import Face
from alfine.core.messages import spelled
from alfine.core.settings import put_setting
from alfine.core.spec import DEFINITIONS
from alfine.criteria import criterion_from_text
from alfine.jobs.change_request import changed_request

Request = dict[str, Any]

LONGEST_NAME = 32
"""Characters of a tuning job's name, by AMT's rules."""


@dataclass(frozen=True, kw_only=True)
class JobFile:
    """A tuning job as a file has it.

    Args:
        path: The file.
        request: The full request that the file stands for.
        is_request: Whether the file is written as a request, not in the shorter words.
    """

    path: Path
    request: Request
    is_request: bool

    @property
    def name(self) -> str:
        """The tuning job's name."""
        return str(self.request["HyperParameterTuningJobName"])

    def with_overrides(
        self,
        *,
        name: str | None = None,
        max_training_jobs: int | None = None,
        max_parallel: int | None = None,
        seed: int | None = None,
        criteria: Sequence[str] = (),
        price_per_hour: float | None = None,
        warm: bool = True,
    ) -> JobFile:
        """Return the same job with what is given here instead of what the file has.

        Criteria, as texts, take the place of all completion criteria of the file.

        Args:
            name: The tuning job's name.
            max_training_jobs: The largest number of training jobs.
            max_parallel: The largest number of training jobs at the same time.
            seed: The seed of the search.
            criteria: Completion criteria as texts; empty: those of the file stay.
            price_per_hour: The price of one instance an hour, in US dollars.
            warm: Whether scripts may start warm; False overrides the file.

        Raises:
            InvalidSpec: A criterion can't be understood.
        """
        request = changed_request(
            self.request,
            criteria=[criterion_from_text(text) for text in criteria] if criteria else None,
            max_training_jobs=max_training_jobs,
            max_parallel=max_parallel,
            price_per_hour=price_per_hour,
        )
        if name is not None:
            request["HyperParameterTuningJobName"] = name
        if seed is not None:
            request["HyperParameterTuningJobConfig"]["RandomSeed"] = seed
        if not warm:
            put_setting(request, "warm", "off")
        return replace(self, request=request)

    def explain(self, error: InvalidSpec) -> InvalidSpec:
        """Return the error of the request with each fault at its key of this file and in the file's words.

        Args:
            error: The error of reading the request.
        """
        return InvalidSpec([self.spelled(fault) for fault in error.faults])

    def spelled(self, fault: Fault) -> Fault:
        """Return a fault of the request at its key of this file and in the file's words."""
        if self.is_request:
            return spelled(fault, Face.AWS)
        names = [str(definition["DefinitionName"]) for definition in self.request.get(DEFINITIONS, ())]
        return spelled(fault, Face.JOB_FILE, names)


def read_job_file(path: Path, *, form_only: bool = False) -> JobFile:
    """Read a file that describes a tuning job. Whether the job makes sense and can run here is checked when it's
    created.

    Args:
        path: A .json, .yaml or .yml file.
        form_only: Check only the members of a request and their types, not how long or large values are.

    Raises:
        InvalidSpec: The file can't be read or understood.
    """
    return job_of(read_document(path), path, form_only=form_only)


def job_of(document: Mapping[str, Any], path: Path, *, form_only: bool = False) -> JobFile:
    """Return the job that the keys and values of a file describe.

    Args:
        document: The keys and values.
        path: The file, for relative paths and for the name of a job without one; it needn't exist.
        form_only: As `read_job_file`.

    Raises:
        InvalidSpec: They can't be understood.
    """
    folder = path.absolute().parent
    if is_request(document):
        check_request(dict(document), form_only=form_only)
        return JobFile(path=path, request=anchored(dict(document), folder), is_request=True)
    return JobFile(path=path, request=read_words(document, folder, name_from(path)), is_request=False)


def name_from(path: Path) -> str:
    """Return the name of a tuning job whose file doesn't give one: the file's own name, as far as AMT's rules allow."""
    words = re.sub(r"[^a-zA-Z0-9]+", "-", path.stem)[:LONGEST_NAME]
    return words.strip("-") or "tuning-job"


def differences(request: Mapping[str, Any], other: Mapping[str, Any], path: str = "") -> Iterator[Fault]:
    """Yield where a request differs from an earlier one: the path, and a message with both values.

    Args:
        request: A request, or a part of one.
        other: The earlier one.
        path: The path of this part, for the faults.
    """
    for key in {**request, **other}:
        where, now, before = f"{path}{key}", request.get(key), other.get(key)
        if isinstance(now, dict) and isinstance(before, dict):
            yield from differences(now, before, f"{where}.")
        elif now != before:
            texts = ["not given" if value is None else shown(value) for value in (now, before)]
            yield Fault(where, f"is {texts[0]} and was {texts[1]}")
