"""Words of unknown origin for Rich: any string in, clean text that no bracket styles out. Pure."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from ...wording.text import one_line


def said(given: Any, style: str = "") -> Text:
    """Return clean text of one line for Rich; brackets in it are no markup."""
    return Text(one_line(given), style=style)


def whole(given: Any, style: str = "") -> Text:
    """Return clean text of one line that is never broken, however narrow the terminal: it can be copied."""
    return Text(one_line(given), style=style, no_wrap=True, overflow="ignore")


def joined(parts: list[str | Text | None], separator: str = " · ") -> Text:
    """Return the parts that are there, a dot between them."""
    known = [part if isinstance(part, Text) else Text(part) for part in parts if part]
    between = Text()
    between.append(separator, style="dim")
    return between.join(known)
