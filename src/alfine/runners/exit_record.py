"""Reads what a launcher has recorded of a training job's end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from alfine.runners.job_folder import Workspace
from alfine.runners.log_files import tail
from alfine.runners.protocol import Exit


def exit_of(record: Mapping[str, Any], space: Workspace, not_packed: Exception | None) -> Exit:
    """Return how a training job ended.

    Args:
        record: The content of its exit.json.
        space: Its folder.
        not_packed: Why its model can't be packed, which fails a training job that has succeeded. None: it is packed.
    """
    trouble = "" if not_packed is None else _sentence(not_packed)
    if trouble and (record.get("cause"), record.get("code")) == ("exited", 0):
        return Exit(
            cause="not_packed", code=0, tail=tail(space.log), detail=f"ClientError: Artifact upload failed: {trouble}"
        )
    return Exit(
        cause=record.get("cause", "lost"),
        code=record.get("code"),
        signal=record.get("signal"),
        failure=space.failure(),
        tail=tail(space.log),
        detail=" ".join(filter(None, (record.get("detail"), trouble))),
        out_of_memory=record.get("out_of_memory") is True,
    )


def _sentence(not_packed: Exception) -> str:
    trouble = f"The model couldn't be packed: {str(not_packed).rstrip('.')}."
    if isinstance(not_packed, PermissionError):  # written by a container that docker's daemon runs as another user
        trouble += (
            " alfine's user may not read it: let the training program write files that everyone may read (umask 022)."
        )
    return trouble


def instant_of(seconds: float | None) -> datetime | None:
    """Return an instant that a launcher has recorded in seconds since 1970.

    Raises:
        ValueError: It isn't one.
    """
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise ValueError(
            f"{seconds!r} isn't an instant. Only alfine may write the files in the folder .alfine; has the training job done so?"
        ) from error
