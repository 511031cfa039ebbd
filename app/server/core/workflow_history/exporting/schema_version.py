"""The version of every shape that this program gives out."""

from typing import Final

SCHEMA_VERSION: Final = 1
"""Rises when a key goes or changes its meaning; a new key alone does not raise it."""
