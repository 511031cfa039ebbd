"""One sync of an agents folder at a time: a folder in, a lock held while the caller works. Reads no run."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from hashlib import blake2b

from ..common.errors import InvalidQueryError
from ..common.urls import is_url
from ..ingest.files import FolderPath
from ..storage.connection.advisory_lock import OnWait, host_name
from ..storage.history import History

WaitPolicy = bool | float
"""Whether to wait for another sync of the same folder; a number: so many seconds at most."""


def lock_folder(
    history: History, folder: FolderPath | str, wait: WaitPolicy = True, told: OnWait | None = None
) -> AbstractContextManager[None]:
    """Keep other syncs of this folder waiting while the block runs; syncs of other folders run beside it.

    Raises BusyError where another has it, and is not waited for any longer.
    """
    # One folder, however it is called; a path means another one on each machine, a URL the same.
    root = str(folder) if is_url(str(folder)) else os.path.realpath(str(folder))
    named = root if is_url(root) else f"{host_name()}\0{root}"
    digest = blake2b(named.encode(errors="surrogateescape"), digest_size=8).hexdigest()
    return history.lock(f"sync-{digest}", f"another sync of {root} runs", _seconds(wait), told)


def _seconds(wait: WaitPolicy) -> float | None:
    if isinstance(wait, bool):
        return None if wait else 0.0
    if not isinstance(wait, int | float) or not 0 <= wait < float("inf"):
        raise InvalidQueryError(f"wait={wait!r} is not allowed; use True, False or a number of seconds")
    return float(wait)
