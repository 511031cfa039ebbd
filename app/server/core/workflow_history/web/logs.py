"""Logging of a running server to stderr: rate-limited and without control codes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..common.formatting.text import sanitize

MOST_ALIKE: Final = 10  # lines of one event within SPAN
SPAN: Final = 60.0  # seconds
_MOST_EVENTS: Final = 200  # events with a counter of their own; all further ones share a counter

_LAST: Final = "more_is_left_out"
_LOGGERS: Final = ("workflow_history", "uvicorn.error", "asyncio")


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Log warnings and errors to stderr until the block ends. A server has no other output for them."""
    shown = logging.StreamHandler()
    shown.setLevel(logging.WARNING)
    shown.setFormatter(_SanitizingFormatter("%(asctime)s %(levelname)s %(message)s"))
    shown.addFilter(Sparing())
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addHandler(shown)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(shown)


class _SanitizingFormatter(logging.Formatter):
    """Formatter that removes control codes in texts of runs and clients before they reach the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as text without control codes."""
        more = " (more of the kind is left out for a minute)" if getattr(record, _LAST, False) else ""
        return sanitize(super().format(record)) + more


class Sparing(logging.Filter):
    """Filter that limits each event to MOST_ALIKE lines within SPAN, so that clients can't fill the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, tuple[float, int]] = {}  # by event: start of its span (Unix time), lines in it

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written, and mark the last one that its span allows."""
        event = str(record.msg)
        if event not in self._seen and len(self._seen) >= _MOST_EVENTS:
            event = ""
        began, seen = self._seen.get(event, (record.created, 0))
        if record.created - began >= SPAN:
            began, seen = record.created, 0
        self._seen[event] = (began, seen + 1)
        if seen + 1 == MOST_ALIKE:
            setattr(record, _LAST, True)
        return seen < MOST_ALIKE
