"""Folders for work in progress, and the removal of those that killed processes left behind.

Each folder is first recorded in the user's state folder. Its process keeps that record locked, and the system
releases the lock however the process ends. So a record that can be locked names a folder that nobody uses.
"""

from __future__ import annotations

import logging
import os
import platform
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from platformdirs import user_state_path

from .locks import Release, told_in, try_file

logger = logging.getLogger("workflow_history")

_RECORDS: Final = "in-progress"
_RECORD: Final = re.compile(r"[0-9a-f]{16}")


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder that only its owner may read, and remove it at the end of the block.

    It lies in `parent`, or in the system's folder for temporary files. If the process is killed, the next
    call of `remove_leftovers` removes it. Raises OSError if the folder cannot be made.
    """
    remove_leftovers()
    token = secrets.token_hex(8)
    folder = (parent or Path(tempfile.gettempdir())).absolute() / _name(token)
    release = _recorded(token, folder)
    try:
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        release()


def remove_leftovers() -> None:
    """Remove the folders that dead processes of this user on this machine left behind, and nothing else."""
    try:
        with os.scandir(_records()) as entries:
            records = [Path(entry.path) for entry in entries if _RECORD.fullmatch(entry.name)]
    except OSError:
        return  # nothing was ever recorded here
    for record in records:
        try:
            _remove(record)
        except OSError as error:
            logger.warning("leftover_stays record=%s error=%s", record, error)


def _remove(record: Path) -> None:
    told = told_in(record)
    host, _, place = told.partition("\n")
    if told and host != platform.node():
        return  # another machine's, which has the same home
    release = try_file(record)
    if release is None:
        return  # its process is alive
    folder = Path(place)
    if place and folder.name == _name(record.name) and _is_ours(folder):
        shutil.rmtree(folder, ignore_errors=True)
    is_unfinished = bool(place) and (folder.exists() or not folder.parent.is_dir())
    release()
    if is_unfinished:  # its disk may be away: the next command tries again
        record.write_bytes(os.fsencode(told))


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    is_folder = folder.is_dir() and not folder.is_symlink()
    return is_folder and (not hasattr(os, "geteuid") or found.st_uid == os.geteuid())


def _recorded(token: str, folder: Path) -> Release:
    """Record a folder that is to be made; return what takes the record back."""
    record = _records() / token
    try:
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        release = try_file(record, f"{platform.node()}\n{folder}")
    except OSError as error:
        logger.warning("no_record folder=%s error=%s", folder, error)  # it is removed unless we are killed
        release = None
    return release or (lambda: None)


def _records() -> Path:
    return user_state_path("workflow-history", appauthor=False) / _RECORDS


def _name(token: str) -> str:
    return f".workflow-history-{token}.part"
