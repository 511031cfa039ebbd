"""Where the history lies: a setting, a path or a URL goes in, a database URL comes out; opens nothing."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..errors import WorkflowHistoryError
from .dialects import DIALECTS


def default_location(setting: str | None) -> Path | str:
    """Return `setting` (a path or a database URL) or, without one, a file in the user's data folder."""
    if not setting:
        return user_data_path("workflow-history", appauthor=False) / "history.db"
    return setting if "://" in setting else Path(setting)


def database_url(location: Path | str | URL) -> URL:
    """Return the URL of `location`; a SQLite file's path comes out absolute.

    >>> database_url("sqlite:////data/history.db").database
    '/data/history.db'
    >>> database_url(Path("/data/history.db")).drivername
    'sqlite'
    """
    if isinstance(location, URL):
        url = location
    elif isinstance(location, str) and "://" in location:
        url = _parsed(location)
    else:
        url = URL.create("sqlite", database=str(location))
    if url.get_backend_name() not in DIALECTS:
        known = ", ".join(sorted(DIALECTS))
        raise WorkflowHistoryError(
            f"cannot store a history in {url.get_backend_name()!r}; use one of: {known}"
        )
    return _absolute(url) if url.get_backend_name() == "sqlite" else url


def _parsed(text: str) -> URL:
    try:
        return make_url(text)
    except ArgumentError as error:
        raise WorkflowHistoryError(
            f"not a database URL: {text!r}; write e.g. sqlite:////path/to/file.db"
        ) from error


def _absolute(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise WorkflowHistoryError("a history in memory would not last; name a file")
    return url.set(database=str(Path(url.database).expanduser().absolute()))
