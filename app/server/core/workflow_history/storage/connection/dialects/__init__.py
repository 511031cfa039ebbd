"""Database backends by dialect name; a further database is one more entry in DIALECTS."""

from typing import Final

from .base import Backend
from .postgresql import POSTGRESQL
from .sqlite import SQLITE

__all__ = ["DIALECTS", "Backend"]

DIALECTS: Final = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
