"""Words of unknown origin for Rich: any string in, clean text that no bracket styles out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.text import Text

from ...wording.text import one_line

_DOT: Final = " · "


def said(given: Any, style: str = "") -> Text:
    """Return clean text of one line for Rich; brackets in it are no markup."""
    return Text(one_line(given), style=style)


def whole(given: Any, style: str = "") -> Text:
    """Return clean text of one line that is never broken, however narrow the terminal: it can be copied."""
    return Text(one_line(given), style=style, no_wrap=True, overflow="ignore")


def in_lines(parts: Sequence[str | Text | None], width: int) -> Text:
    """Return the parts that are there, a dot between those of a line; no line breaks within a part."""
    lines: list[list[str | Text]] = []
    room = 0
    for part in [part for part in parts if part]:
        size = cell_len(str(part))
        if lines and size + len(_DOT) <= room:
            lines[-1].append(part)
            room -= size + len(_DOT)
        else:
            lines.append([part])
            room = width - size
    return Text("\n").join(joined(line) for line in lines)


def joined(parts: Sequence[str | Text | None], separator: str = _DOT) -> Text:
    """Return the parts that are there, a dot between them."""
    known = [part if isinstance(part, Text) else Text(part) for part in parts if part]
    between = Text()
    between.append(separator, style="dim")
    return between.join(known)
