"""Resolve a setting, a path or a URL of the history to a database URL; opens nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from platformdirs import user_data_path
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ...common.errors import WorkflowHistoryError
from .dialects import DIALECTS


def default_location(setting: str | None) -> Path | str:
    """Return `setting` (a path or a database URL) or, if empty, a file in the user's data directory."""
    if not setting:
        return user_data_path("workflow-history", appauthor=False) / "history.db"
    return setting if "://" in setting else Path(setting)


def database_url(location: Path | str | URL) -> URL:
    """Return the URL of `location`; the path of a SQLite file becomes absolute.

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
        url = _parse_url(location)
    elif _MALFORMED_SERVER_URL.match(str(location)):
        raise _invalid_url_error(str(location).partition(":")[0].partition("=")[0])
    else:
        url = URL.create("sqlite", database=str(location))
    if url.get_backend_name() in _SERVERS:
        return _with_driver(url)
    if url.get_backend_name() not in DIALECTS:
        known = ", ".join(sorted(DIALECTS))
        raise WorkflowHistoryError(f'Unsupported database "{url.get_backend_name()}". Use one of: {known}.')
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise WorkflowHistoryError("A history in memory is lost at exit. Name a file.")
    return url.set(database=str(Path(url.database).expanduser().absolute()))


_SERVERS: Final = ("postgresql", "postgres")


def _with_driver(url: URL) -> URL:
    """Return a server URL with the driver psycopg, and its password in the field that messages mask."""
    password = url.query.get("password")
    server_url = url.set(drivername="postgresql+psycopg")
    if isinstance(password, str):
        return server_url.difference_update_query(["password"]).set(password=url.password or password)
    return server_url


_MALFORMED_SERVER_URL: Final = re.compile(r"postgres(ql)?(\+\w+)?:|(host|user|dbname|password)\s*=")
"""A server URL that lacks a slash, or libpq's own format: not a path, and it may contain a password."""

_LOCATION: Final = re.compile(r"[^/:@]*(:\d+)?(/[^?@]*)?")
"""Host, port and database, each optional."""


def _parse_url(text: str) -> URL:
    scheme, _, rest = text.partition("://")
    account, location = ("", rest) if scheme.startswith("sqlite") else _split_account(rest)
    if location is None:
        raise _invalid_url_error(scheme)
    try:
        return make_url(f"{scheme}://{account.replace('@', '%40')}{'@' if account else ''}{location}")
    except (ArgumentError, ValueError):  # a non-numeric port raises ValueError
        raise _invalid_url_error(scheme) from None


def _split_account(rest: str) -> tuple[str, str | None]:
    """Split the part after `://` into account and location; the location is None if ambiguous.

    The last `@` ends the account: a password may contain others, and no part of it may become the host name.
    """
    before, mark, query = rest.partition("?")
    if "@" not in query:
        account, _, location = before.rpartition("@")
        return account, f"{location}{mark}{query}"
    if "@" in before:
        return "", None
    if _LOCATION.fullmatch(before):
        return "", rest.replace("@", "%40")
    account, _, location = rest.rpartition("@")
    return account.replace("?", "%3F"), location


def _invalid_url_error(scheme: str) -> WorkflowHistoryError:
    """Return the error for an invalid URL, without the URL: any part of it may be a password."""
    return WorkflowHistoryError(
        f"not a database URL: {scheme}://…; write e.g. sqlite:////path/to/file.db or "
        "postgresql://user@host:5432/database, and %40, %3A, %2F and %3F for @, :, / and ? in a password"
    )
