"""One sync of an agents folder at a time: a folder in, a lock held while the caller works. Reads no run."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from hashlib import blake2b
from pathlib import Path

from ..errors import InvalidQueryError
from ..store.history import History
from ..store.holding import Told, this_host

Wait = bool | float
"""Whether to wait for another sync of the same folder; a number: so many seconds at most."""


def folder_held(
    history: History, folder: Path | str, wait: Wait = True, told: Told | None = None
) -> AbstractContextManager[None]:
    """Keep other syncs of this folder waiting while the block runs; syncs of other folders run beside it.

    Raises BusyError where another has it, and is not waited for any longer.
    """
    root = os.path.realpath(folder)  # one folder, however it is called
    digest = blake2b(f"{this_host()}\0{root}".encode(errors="surrogateescape"), digest_size=8).hexdigest()
    return history.held(f"sync-{digest}", f"another sync of {root} runs", _seconds(wait), told)


def _seconds(wait: Wait) -> float | None:
    if isinstance(wait, bool):
        return None if wait else 0.0
    if not isinstance(wait, int | float) or not 0 <= wait < float("inf"):
        raise InvalidQueryError(f"wait={wait!r} is not allowed; use True, False or a number of seconds")
    return float(wait)
