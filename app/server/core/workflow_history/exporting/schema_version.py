"""Version of all JSON and export schemas."""

from typing import Final

SCHEMA_VERSION: Final = 2
"""Increased when a key is removed or changes its meaning, but not when a key is added."""
