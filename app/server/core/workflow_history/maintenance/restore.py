"""Restore a backup: replace the history in use by a copy of it.

The backup itself stays unchanged. The replaced history is kept in its directory under another name.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from .. import database
from ..common.errors import InvalidQueryError, WorkflowHistoryError
from ..common.temporary_files import scratch_folder
from ..storage.connection.engine import get_dialect
from ..storage.connection.pool import open_read_only
from .backup import flush_to_disk, verify_copy
from .records import RestoreResult


def restore_history(file: Path | str) -> RestoreResult:
    """Replace the history in use by a copy of the history in `file`, after verifying the copy.

    Programs that are reading, such as a server, continue with the new history. Raises
    WorkflowHistoryError if the file has no intact history, or while another program writes, and
    InvalidQueryError if the history in use is on a server or the file is a directory or the history itself.
    """
    started = time.monotonic()
    source, url = Path(file).expanduser().absolute(), database.current_url()
    dialect = get_dialect(url)
    target = dialect.file(url)
    if target is None:
        raise InvalidQueryError(
            "a history on a server is not replaced by a file: merge the file into an empty one, "
            "workflow-history --db URL merge FILE"
        )
    if not source.exists():
        raise WorkflowHistoryError(f"{source} does not exist. Name a backup file.")
    if source.is_dir():
        raise InvalidQueryError(f"{source} is a directory. Name a backup file.")
    if target.exists() and target.samefile(source):
        raise InvalidQueryError(f"{source} is the history in use. Name a backup file.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(target.parent) as folder:
            temporary = folder / "history.db"
            temporary.touch(mode=0o600)
            with open_read_only(source) as backup:
                backup.copy_to(temporary)
            runs = verify_copy(temporary)
            flush_to_disk(temporary)
            kept_path = _free_path(target)
            dialect.replace_file(temporary, target, kept_path)
            flush_to_disk(target.parent)
    except OSError as error:
        raise WorkflowHistoryError(f"Cannot replace {target}: {error.strerror}.") from error
    return RestoreResult(
        file=str(target),
        source=str(source),
        runs=runs,
        bytes=target.stat().st_size,
        kept=str(kept_path) if kept_path.exists() else None,
        duration_seconds=time.monotonic() - started,
    )


def _free_path(target: Path) -> Path:
    """Return a free path next to the current history, for keeping it."""
    name, number = f"{target.stem}-until-{datetime.now(UTC):%Y%m%dT%H%M%SZ}", 1
    while (path := target.with_name(f"{name}{f'-{number}' * (number > 1)}{target.suffix}")).exists():
        number += 1
    return path
