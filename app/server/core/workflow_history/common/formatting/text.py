"""Make text of unknown origin safe to display by removing control characters. Pure; prints nothing.

Requests, file names and error messages come from other people's files. None of them may move the cursor,
colour the terminal, reverse the reading direction or imitate our own output.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

from ..models import RunStatus
from ..outcomes import Outcome
from ..spending import UNKNOWN

STATUS_SIGNS: Final = {
    RunStatus.COMPLETED: "✓",
    RunStatus.FAILED: "✗",
    RunStatus.ENDED: "○",
    RunStatus.STOPPED: "■",
    RunStatus.RUNNING: "●",
    RunStatus.INCOMPLETE: "◐",
    RunStatus.UNKNOWN: "?",
}
OUTCOME_SIGNS: Final = {
    Outcome.SUCCESS: "✓",
    Outcome.ERROR: "✗",
    Outcome.FALSE_SUCCESS: "✗",
    Outcome.STOPPED: "■",
    Outcome.INCOMPLETE: "◐",
    Outcome.EMPTY: "□",
    Outcome.UNREADABLE: "□",
}
UNKNOWN_SYMBOL: Final = "·"


def status_symbol(status: Any) -> str:
    """Return the symbol of a run's status.

    >>> status_symbol("failed"), status_symbol("paused"), status_symbol(None)
    ('✗', '·', '?')
    """
    return STATUS_SIGNS.get(status or RunStatus.UNKNOWN, UNKNOWN_SYMBOL)


def outcome_symbol(outcome: Any) -> str:
    """Return the symbol of an agent run's outcome."""
    return OUTCOME_SIGNS.get(outcome, UNKNOWN_SYMBOL)


_ESCAPES = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and cursor moves
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f\n]*"  # titles, links
    "(?:\x07|\x1b\\\\|\x9c)"  # a body ends at the next escape, which avoids backtracking
    "|\x1b[ -/]*[0-~]"
)
_PART_BOUNDARY = re.compile(r"(?<=[_/.:-])(?=[^_/.:-])")
_LINE_BREAKS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d"  # needed to write Persian, Hindi and family emojis


def sanitize(value: Any) -> str:
    r"""Remove control characters from text, but keep its line breaks.

    >>> sanitize("\x1b[31mred\x1b[0m\x07 and\r\n\u202eback")
    'red and\nback'
    """
    if value is None:
        return UNKNOWN
    text = value if isinstance(value, str) else str(value)
    if text.replace("\n", "").isprintable():
        return text
    text = _ESCAPES.sub("", _LINE_BREAKS.sub("\n", text)).expandtabs(4)
    return "".join(_safe_character(character) for character in text)


def single_line(value: Any) -> str:
    r"""Remove control characters from text and collapse all white space, including line breaks.

    >>> single_line("  Add\n\n\texport ")
    'Add export'
    """
    return " ".join(sanitize(value).split())


def non_empty_lines(text: str) -> list[str]:
    r"""Return the sanitized lines of a text that are not blank.

    >>> non_empty_lines("Add export\n\n  - as CSV\n")
    ['Add export', '  - as CSV']
    """
    return [line.rstrip() for line in sanitize(text).split("\n") if line.strip()]


def truncate(text: str, width: int) -> str:
    """Shorten text to at most `width` terminal cells and mark the cut with an ellipsis.

    >>> truncate("Add an export", 8), truncate("Add", 8)
    ('Add an…', 'Add')
    """
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def truncate_middle(text: str, width: int) -> str:
    """Shorten a path in the middle to at most `width` cells; its end is kept longer than its beginning.

    >>> truncate_middle("a1b2c3d4/sdlc_planner/raw_output.jsonl", 24)
    'a1b2c3d…raw_output.jsonl'
    """
    if cell_len(text) <= width:
        return text
    head = max(0, (width - 1) // 3)
    tail_width = width - 1 - head
    start = bisect_left(range(len(text)), True, key=lambda index: cell_len(text[index:]) <= tail_width)
    return set_cell_size(text, head).rstrip() + "…" + text[start:]


def _safe_character(character: str) -> str:
    if character == "\n" or character in _JOINERS:
        return character
    category = unicodedata.category(character)
    if category == "Cs":  # half of a surrogate pair cannot be encoded
        return "\ufffd"
    return "" if category in {"Cc", "Cf"} else character


def name_parts(name: str) -> list[str]:
    """Split a long name into the parts between which a line may break.

    >>> name_parts("mcp__browser__take_screenshot")
    ['mcp__', 'browser__', 'take_', 'screenshot']
    """
    return _PART_BOUNDARY.split(name)
