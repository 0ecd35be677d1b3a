"""The log of `alfine serve`: lines of text, or JSON objects for programs that collect logs."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"

PLACEHOLDER = re.compile(r"(?:\b(tuning_job|training_job)=)?%[#0\- +]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa]|%%")
"""A placeholder of a log message, with the name of what is written there: alfine's messages write «tuning_job=%s»."""


class JsonFormatter(logging.Formatter):
    """Writes each record as one JSON object on one line: time, level, logger, message, and of which job it is.

    `tuning_job` and `training_job` are taken from the arguments of the record, never from its text: that may quote anything.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **dict(_jobs(record)),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _jobs(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    """Yield the names of jobs in a record, each with what it is the name of."""
    if not isinstance(record.args, tuple):
        return
    names = [found[1] for found in PLACEHOLDER.finditer(str(record.msg)) if found[0] != "%%"]
    yield from ((name, str(value)) for name, value in zip(names, record.args, strict=False) if name)


def write_log(log_format: str, level: str) -> None:
    """Write the log of this process to its standard error from now on.

    Args:
        log_format: «text» or «json».
        level: The least level of alfine's own records that is written, in small letters. Libraries write warnings and errors.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("alfine").setLevel(level.upper())
