"""Where the history lies: a setting, a path or a URL goes in, a database URL comes out; opens nothing."""

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
    elif _MEANT_AS_URL.match(str(location)):
        raise _no_url(str(location).partition(":")[0].partition("=")[0])
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


_MEANT_AS_URL: Final = re.compile(r"postgres(ql)?(\+\w+)?:|(host|user|dbname|password)\s*=")
"""A server's URL with a slash too few, or libpq's own form: no path, and it may hold a password."""

_PLACE: Final = re.compile(r"[^/:@]*(:\d+)?(/[^?@]*)?")
"""Host, port and database, all of which may be left out."""


def _parsed(text: str) -> URL:
    scheme, _, rest = text.partition("://")
    account, place = ("", rest) if scheme.startswith("sqlite") else _parted(rest)
    if place is None:
        raise _no_url(scheme)
    try:
        return make_url(f"{scheme}://{account.replace('@', '%40')}{'@' if account else ''}{place}")
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        raise _no_url(scheme) from None


def _parted(rest: str) -> tuple[str, str | None]:
    """Return the account and the place that the part after `://` names; no place: it cannot be told.

    The last `@` ends the account: a password may have others, and no part of it may count as the host's name.
    """
    before, mark, query = rest.partition("?")
    if "@" not in query:
        account, _, place = before.rpartition("@")
        return account, f"{place}{mark}{query}"
    if "@" in before:
        return "", None
    if _PLACE.fullmatch(before):
        return "", rest.replace("@", "%40")
    account, _, place = rest.rpartition("@")
    return account.replace("?", "%3F"), place


def _no_url(scheme: str) -> WorkflowHistoryError:
    """Return the error; a password may stand anywhere in what was given, so that none of it is shown."""
    return WorkflowHistoryError(
        f"not a database URL: {scheme}://…; write e.g. sqlite:////path/to/file.db or "
        "postgresql://user@host:5432/database, and %40, %3A, %2F and %3F for @, :, / and ? in a password"
    )


def _absolute(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise WorkflowHistoryError("a history in memory would not last; name a file")
    return url.set(database=str(Path(url.database).expanduser().absolute()))
