"""The place of a training job's model on this machine."""

from __future__ import annotations

from pathlib import Path

from alfine.jobs.training_job_log import workspace_of
from alfine.runners.launcher import Beneath
from alfine.runners.packing import MODEL
from alfine.store import queries
from alfine.store.store import Store


def model_folder(store: Store, folder: Path, name: str) -> Path | None:
    """Return the folder with the model that a training job left; None where it left nothing on this machine.

    Args:
        store: Where the training job is recorded.
        folder: Holds a folder for each tuning job.
        name: The training job.

    Raises:
        NotFound: There is no training job of that name.
        OSError: Its files can't be looked at.
    """
    with store.reading() as connection:
        space = workspace_of(folder, queries.training_job(connection, name))
    try:
        with Beneath.at(space.folder) as inside:
            if not inside.is_folder(MODEL):
                return None
            with inside.folder(MODEL) as model:
                return space.model if model.names(most=None) else None
    except (FileNotFoundError, NotADirectoryError):  # it never ran here, or its files were removed: there is no model
        return None
