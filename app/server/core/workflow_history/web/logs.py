"""What a server writes to stderr while it serves: bounded, and without control codes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..common.formatting.text import sanitize

MOST_ALIKE: Final = 10  # lines of one event in a span
SPAN: Final = 60.0  # seconds
_MOST_EVENTS: Final = 200  # that are told apart

_LAST: Final = "more_is_left_out"
_LOGGERS: Final = ("workflow_history", "uvicorn.error", "asyncio")


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Write warnings and errors to stderr until the block ends: a server has no other way to say them."""
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
    """Lets no text of a run or of a client reach the terminal as a control code."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text."""
        more = " (more of the kind is left out for a minute)" if getattr(record, _LAST, False) else ""
        return sanitize(super().format(record)) + more


class Sparing(logging.Filter):
    """Lets one event be written so many times in a span: clients must not fill a disk."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, tuple[float, int]] = {}  # when an event's span began, and how many there were

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written; the last one of a span is marked as that."""
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
