"""What is said to clients about files: a text in, the same without the folders of this machine out."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from .. import database
from ..common.errors import WorkflowHistoryError
from ..queries.settings_file import candidate_paths


def redact_paths(text: str) -> str:
    """Return a text that names the history and the settings without their folders: no client needs those."""
    known = candidate_paths()
    with suppress(WorkflowHistoryError):  # a location that cannot be read names no folder
        known.append(Path(database.database_name()))
    for place in known:
        if place.is_absolute():
            text = text.replace(f"{place.parent}/", "")
    return text
