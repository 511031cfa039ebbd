"""Remove this server's directories from texts that are sent to clients."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from .. import database
from ..common.errors import WorkflowHistoryError
from ..queries.settings_file import candidate_paths


def redact_paths(text: str) -> str:
    """Return a text with the paths of the history and the config files cut to their file names.

    Clients don't need the directories.
    """
    known = candidate_paths()
    with suppress(WorkflowHistoryError):  # an unreadable location has no directory to remove
        known.append(Path(database.database_name()))
    for place in known:
        if place.is_absolute():
            text = text.replace(f"{place.parent}/", "")
    return text
