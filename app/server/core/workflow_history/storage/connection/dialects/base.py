"""Interface of a database engine: the operations that differ between databases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from sqlalchemy import URL, Connection, Engine, FromClause, Select, Table
from sqlalchemy.exc import DatabaseError

from ....common.file_lock import ReleaseLock
from ...reading.search_query import SearchTerm

MALFORMED_MESSAGE: Final = (
    "the history is damaged. Restore a backup with db restore FILE, or move the file away and sync again; "
    "a new sync cannot recover runs whose files are missing"
)
"""Explanation for stored values that this package cannot have written."""


def malformed_error(error: Exception) -> DatabaseError:
    """Return the error for a stored value that this package cannot have written."""
    return DatabaseError("", None, ValueError(f"what it holds is malformed ({error})"))


class Dialect(ABC):
    """Operations that differ between databases; the defaults are those of a server without files."""

    extra_ddl: ClassVar[tuple[str, ...]]
    """DDL beyond the schema's tables: search index, triggers, counter."""

    @abstractmethod
    def create_engine(self, url: URL, read_only: bool) -> Engine:
        """Return a new engine; `read_only` opens the database without the right to change it."""

    def is_read_only(self, url: URL) -> bool:  # noqa: ARG002 - for other engines
        """Return whether the database can be read but not written; a server refuses writes itself."""
        return False

    def file(self, url: URL) -> Path | None:  # noqa: ARG002 - for other engines
        """Return the database file, or None for a server."""
        return None

    def identity(self, url: URL) -> tuple[Hashable, ...]:
        """Return the identity of the database, which changes when its file is replaced."""
        return (url,)

    @abstractmethod
    def on_connect(self, connection: Connection) -> None:
        """Prepare or check the database behind a new connection, outside a transaction."""

    def before_close(self, connection: Connection) -> None:  # noqa: B027 - optional
        """Prepare for closing, as the database file may have been replaced."""

    def after_last_write(self, connection: Connection) -> None:  # noqa: B027 - optional
        """Follow up on the last write, outside a transaction."""

    @abstractmethod
    def insert(self, into: Table) -> Any:
        """Return an INSERT statement that supports ON CONFLICT."""

    @abstractmethod
    def integer_rows(self, values: Sequence[int]) -> FromClause:
        """Return integers as rows with one column `value`, from one parameter."""

    @abstractmethod
    def fulltext_query(self, terms: Sequence[SearchTerm]) -> Select[Any]:
        """Return the query for the keys of the runs that contain all terms."""

    @abstractmethod
    def data_version(self, connection: Connection) -> int:
        """Return a number that changes when another connection commits changes."""

    @abstractmethod
    def integrity_errors(self, connection: Connection) -> list[str]:
        """Return one message per damage that the database itself finds."""

    def copy_to(self, connection: Connection, file: Path) -> bool:  # noqa: ARG002 - for other engines
        """Copy the current state into an empty file without blocking writers; False for a server."""
        return False

    def replace_file(self, new_file: Path, target: Path, backup: Path) -> None:
        """Replace the database file `target` and keep the old one as `backup`; not for a server."""
        raise NotImplementedError

    def checkpoint_wal(self, connection: Connection) -> None:  # noqa: B027 - optional
        """Merge the log into the database file; no other connection may be open."""

    @abstractmethod
    def vacuum(self, connection: Connection) -> None:
        """Release unused space, outside a transaction."""

    @abstractmethod
    def secure_delete(self, connection: Connection) -> None:
        """Erase deleted data from the files, outside a transaction."""

    @abstractmethod
    def size(self, connection: Connection) -> int:
        """Return the size of the history in bytes."""

    @abstractmethod
    def try_lock(self, connection: Connection, name: str, owner: str) -> ReleaseLock | None:
        """Lock `name` and store its owner; None if it is already locked."""

    @abstractmethod
    def lock_owner(self, connection: Connection, name: str) -> str:
        """Return the owner as given to `try_lock`; empty if unknown."""

    @abstractmethod
    def explain_error(self, text: str) -> str:
        """Return the explanation of a database's error message, and the remedy."""
