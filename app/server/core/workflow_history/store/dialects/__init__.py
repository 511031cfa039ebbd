"""All that differs between databases, by dialect name: a further engine is one more entry in DIALECTS."""

from typing import Final

from .base import Dialect
from .postgresql import POSTGRESQL
from .sqlite import SQLITE

__all__ = ["DIALECTS", "Dialect"]

DIALECTS: Final = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
