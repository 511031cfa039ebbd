"""Database engines by name; a further database is one more entry in DIALECTS."""

from typing import Final

from .base import Dialect
from .postgresql import PostgresqlDialect
from .sqlite import SqliteDialect

__all__ = ["DIALECTS", "Dialect"]

DIALECTS: Final[dict[str, Dialect]] = {"sqlite": SqliteDialect(), "postgresql": PostgresqlDialect()}
