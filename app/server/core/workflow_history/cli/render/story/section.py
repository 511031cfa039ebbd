"""The line above a section of a run's story: a title in, a rule out. Pure."""

from __future__ import annotations

from rich.text import Text


def section(title: str, width: int, note: str = "") -> Text:
    """Return a section's title, a rule after it and, at the end of that, a note."""
    tail = f" {note}" if note else ""
    rule = "─" * max(2, width - len(title) - 1 - len(tail))
    return Text.assemble((title, "bold cyan"), " ", (rule, "dim"), (tail, "dim"))
