"""Remove this server's directories from texts that are sent to clients."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from .. import database
from ..common.errors import WorkflowHistoryError
from ..ingest.config.config_file import candidate_paths


def redact_paths(text: str) -> str:
    """Return a text with the paths of the history and the config files cut to their file names.

    Clients don't need the directories.
    """
    paths = candidate_paths()
    with suppress(WorkflowHistoryError):  # an unreadable location has no directory to remove
        paths.append(Path(database.database_name()))
    for path in paths:
        if path.is_absolute():
            text = text.replace(f"{path.parent}/", "")
    return text
