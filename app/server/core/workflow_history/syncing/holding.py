"""One sync of an agents folder at a time: a folder in, a lock held while the caller works. Reads no run."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from hashlib import blake2b

from ..addresses import is_remote
from ..errors import InvalidQueryError
from ..places import Place
from ..store.history import History
from ..store.holding import Told, this_host

Wait = bool | float
"""Whether to wait for another sync of the same folder; a number: so many seconds at most."""


def folder_held(
    history: History, folder: Place | str, wait: Wait = True, told: Told | None = None
) -> AbstractContextManager[None]:
    """Keep other syncs of this folder waiting while the block runs; syncs of other folders run beside it.

    Raises BusyError where another has it, and is not waited for any longer.
    """
    # One folder, however it is called; a path means another one on each machine, a URL the same.
    root = str(folder) if is_remote(str(folder)) else os.path.realpath(str(folder))
    named = root if is_remote(root) else f"{this_host()}\0{root}"
    digest = blake2b(named.encode(errors="surrogateescape"), digest_size=8).hexdigest()
    return history.held(f"sync-{digest}", f"another sync of {root} runs", _seconds(wait), told)


def _seconds(wait: Wait) -> float | None:
    if isinstance(wait, bool):
        return None if wait else 0.0
    if not isinstance(wait, int | float) or not 0 <= wait < float("inf"):
        raise InvalidQueryError(f"wait={wait!r} is not allowed; use True, False or a number of seconds")
    return float(wait)
