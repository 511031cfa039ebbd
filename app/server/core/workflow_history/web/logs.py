"""Logging of a running server to stderr: rate-limited and without control codes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..common.formatting.text import sanitize

MAX_LINES_PER_EVENT: Final = 10  # lines of one event within a window
WINDOW_SECONDS: Final = 60.0
_MAX_EVENTS: Final = 200  # events with a counter of their own; all further ones share a counter

_LAST_IN_WINDOW: Final = "more_is_left_out"  # attribute of a log record
_LOGGERS: Final = ("workflow_history", "uvicorn.error", "asyncio")


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Log warnings and errors to stderr until the block ends. A server has no other output for them."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_SanitizingFormatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(RateLimitFilter())
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


class _SanitizingFormatter(logging.Formatter):
    """Formatter that removes control codes in texts of runs and clients before they reach the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as text without control codes."""
        notice = (
            " (further messages of this kind are suppressed for a minute)"
            if getattr(record, _LAST_IN_WINDOW, False)
            else ""
        )
        return sanitize(super().format(record)) + notice


class RateLimitFilter(logging.Filter):
    """Limit each event to MAX_LINES_PER_EVENT lines a minute, so that clients can't fill the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[
            str, tuple[float, int]
        ] = {}  # by event: start of its window (Unix time), lines in it

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written, and mark the last one that its window allows."""
        event = str(record.msg)
        if event not in self._seen and len(self._seen) >= _MAX_EVENTS:
            event = ""
        started, count = self._seen.get(event, (record.created, 0))
        if record.created - started >= WINDOW_SECONDS:
            started, count = record.created, 0
        self._seen[event] = (started, count + 1)
        if count + 1 == MAX_LINES_PER_EVENT:
            setattr(record, _LAST_IN_WINDOW, True)
        return count < MAX_LINES_PER_EVENT
