"""Time limits of tests."""

from typing import Final

PATIENCE: Final = 600.0
"""Seconds after which an awaited event counts as hanging."""

BUSY: Final = 60.0
"""CPU seconds allowed for work that takes a tenth of a second unless its time is quadratic."""
