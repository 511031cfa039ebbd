"""Lock an agents folder, so that only one sync of it runs at a time. Reads no run."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from hashlib import blake2b

from ..common.errors import InvalidValueError
from ..common.urls import is_url
from ..ingest.files import FolderPath
from ..storage.connection.advisory_lock import OnWait, host_name
from ..storage.history import History

WaitPolicy = bool | float
"""Whether to wait for another sync of the same folder; a number is the maximum wait in seconds."""


def lock_folder(
    history: History, folder: FolderPath | str, wait: WaitPolicy = True, on_wait: OnWait | None = None
) -> AbstractContextManager[None]:
    """Lock the folder against other syncs while the block runs; other folders can be synced meanwhile.

    Raises BusyError if another sync owns the lock and the wait is over.
    """
    # One lock per folder, however its path is written. A path is a different folder on each machine, a URL
    # is the same everywhere.
    root = str(folder) if is_url(str(folder)) else os.path.realpath(str(folder))
    lock_name = root if is_url(root) else f"{host_name()}\0{root}"
    digest = blake2b(lock_name.encode(errors="surrogateescape"), digest_size=8).hexdigest()
    return history.lock(f"sync-{digest}", f"sync of {root}", _max_wait(wait), on_wait)


def _max_wait(wait: WaitPolicy) -> float | None:
    if isinstance(wait, bool):
        return None if wait else 0.0
    if not isinstance(wait, int | float) or not 0 <= wait < float("inf"):
        raise InvalidValueError("wait", wait, "Use True, False or a number of seconds.")
    return float(wait)
