"""Job files for the console of `alfine serve`: read, checked and written as by `alfine create` and `alfine check`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.server.console.job_files import CheckedJob, Document

if TYPE_CHECKING:
    from alfine.jobs.home import Home

PASTED = "job"
"""How faults call a text that has no file."""


class ConsoleJobs:
    """Job files that are written in the console of a home.

    Args:
        home: The home.
    """

    def __init__(self, home: Home) -> None:
        self._home = home

    @cached_property
    def folder(self) -> str:
        """The first folder whose files requests may name, where there are such folders; else the one that the server was started in."""
        roots = self._home.config.files.roots
        return str((self._home.folder / Path(roots[0]).expanduser()).resolve() if roots else Path.cwd())

    def read(self, text: str) -> Document:
        """Return the keys and values of a text in YAML or JSON. Raise InvalidSpec with its faults."""
        from alfine.api.read_document import parsed_json, parsed_yaml

        try:
            return parsed_json(PASTED, text) if text.lstrip().startswith("{") else parsed_yaml(PASTED, text)
        except RecursionError as error:
            raise InvalidSpec([Fault(PASTED, "has too many levels inside each other.")]) from error

    def check(self, document: Mapping[str, Any]) -> CheckedJob:
        """Return a document's faults and what it will do. Nothing is recorded."""
        from alfine.cli.findings import findings_of
        from alfine.cli.preflight import faults_of, in_words_of

        name = f"job-{datetime.now(UTC):%m%d-%H%M%S}.yaml"  # of a job that gives none
        faults, spec, file = faults_of(document, Path(self.folder, name), self._home.service)
        if file is None:
            return CheckedJob(faults=faults)
        remarks = [] if spec is None else [in_words_of(file, finding) for finding in findings_of(spec, ())]
        return CheckedJob(faults=faults, request=file.request, spec=spec, remarks=remarks, spelled=file.spelled)

    def document_of(self, request: Mapping[str, Any]) -> Document | None:
        """Return the job file of a request; None where only a request can say the same."""
        from alfine.cli.words_of_request import document_of, words_of

        words = words_of(request)
        return None if words is None or "function" in words else document_of(words)

    def yaml(self, document: Mapping[str, Any]) -> str:
        """Return a document as YAML."""
        from alfine.cli.job_code import yaml_text

        return yaml_text(document)

    def python(self, request: Mapping[str, Any]) -> str | None:
        """Return a program that asks for the job with `alfine.tune`; None where that can't say the same."""
        from alfine.cli.job_code import python_text
        from alfine.cli.words_of_request import is_for_tune, words_of

        words = words_of(request)
        return None if words is None or not is_for_tune(words) else python_text(words)
