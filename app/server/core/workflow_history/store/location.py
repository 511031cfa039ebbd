"""Where the history lies: a setting, a path or a URL goes in, a database URL comes out; opens nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

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
    >>> database_url("postgres://host/history").drivername
    'postgresql+psycopg'
    """
    if isinstance(location, URL):
        url = location
    elif isinstance(location, str) and "://" in location:
        url = _parsed(location)
    else:
        url = URL.create("sqlite", database=str(location))
    if url.get_backend_name() in _SERVERS:
        return _with_driver(url)
    if url.get_backend_name() not in DIALECTS:
        known = ", ".join(sorted(DIALECTS))
        raise WorkflowHistoryError(
            f"cannot store a history in {url.get_backend_name()!r}; use one of: {known}"
        )
    return _absolute(url)


_SERVERS: Final = ("postgresql", "postgres")


def _with_driver(url: URL) -> URL:
    """Return a server's URL with the driver that is used, its password where no message shows it."""
    password = url.query.get("password")
    found = url.set(drivername="postgresql+psycopg")
    if isinstance(password, str):
        return found.difference_update_query(["password"]).set(password=url.password or password)
    return found


def _parsed(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        # A password may stand anywhere in it, and in what the causes say: neither is shown.
        raise WorkflowHistoryError(
            f"not a database URL: {text.partition('://')[0]}://…; write e.g. sqlite:////path/to/file.db or "
            "postgresql://user@host:5432/database, and %40, %3A and %2F for @, : and / in a password"
        ) from None


def _absolute(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise WorkflowHistoryError("a history in memory would not last; name a file")
    return url.set(database=str(Path(url.database).expanduser().absolute()))
