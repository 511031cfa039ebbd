"""Another history, to be read alone: where it lies in, an open history of today's tables out.

It is never written. One of older tables is copied, and the copy is brought up to date.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL

from ..errors import WorkflowHistoryError
from ..scratch import scratch_folder
from .engine import connect, dialect_of, exists, name_of, naming_database, reading
from .history import History
from .location import database_url
from .migrate import HEAD, refuse_newer, stored_revision

if TYPE_CHECKING:
    from sqlalchemy import Connection


@contextmanager
def reading_only(location: Path | str | URL) -> Iterator[History]:
    """Open a history that must be there, and must stay as it is.

    Raises DatabaseTooNewError where a newer program made it.
    """
    url = database_url(location)
    if not exists(url):
        raise WorkflowHistoryError(f"there is no history at {url.database}")
    with connect(url, read_only=True) as connection:
        with reading(connection):
            revision = stored_revision(connection)
        if revision == HEAD:
            yield History(url, connection, read_only=True)
            return
        if revision is None:
            raise WorkflowHistoryError(f"{url.database}: this database holds no history")
        refuse_newer(connection, revision)
        with _upgraded(url, connection) as history:
            yield history


@contextmanager
def _upgraded(url: URL, connection: Connection) -> Iterator[History]:
    copy_to = dialect_of(url).copy_to
    if copy_to is None:
        raise WorkflowHistoryError(
            f"{name_of(url)}: its tables are of an older version; any command on it brings them up to date"
        )
    with scratch_folder() as folder:
        file = folder / "history.db"
        with naming_database(url):
            copy_to(connection, file)
        with History.open(file) as history:
            yield history
