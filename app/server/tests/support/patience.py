"""How long a test waits for an event before it fails."""

from typing import Final

PATIENCE: Final = 600.0
"""Seconds, after which what is waited for hangs."""

BUSY: Final = 60.0
"""Seconds of this process alone, for what takes a tenth of a second if its time is not quadratic."""
