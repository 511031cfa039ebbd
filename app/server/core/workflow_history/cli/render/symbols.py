"""Signs and colours of the tables: statuses and outcomes in, styled signs out. Pure.

Only colours that can be read on black and on white are used. No information depends on colour alone: a word
or a sign always shows the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from ...common.formatting.text import outcome_symbol, single_line, status_symbol
from ...common.models import RunStatus
from ...common.outcomes import Outcome

_STATUS_STYLES = {
    RunStatus.COMPLETED: "green",
    RunStatus.FAILED: "red",
    RunStatus.ENDED: "blue",
    RunStatus.STOPPED: "magenta",
    RunStatus.RUNNING: "cyan",
    RunStatus.INCOMPLETE: "magenta",
    RunStatus.UNKNOWN: "dim",
}
_OUTCOME_STYLES = {
    Outcome.SUCCESS: "green",
    Outcome.ERROR: "red",
    Outcome.FALSE_SUCCESS: "red",
    Outcome.STOPPED: "magenta",
    Outcome.INCOMPLETE: "magenta",
    Outcome.EMPTY: "red",
    Outcome.UNREADABLE: "red",
}
ASCII_FALLBACKS = str.maketrans({
    "✓": "+", "✗": "x", "●": "*", "◐": "~", "■": "%", "○": "o", "□": "_", "†": "!",
    "≥": ">", "≈": "~", "×": "x", "\N{EN DASH}": "-", "\N{MINUS SIGN}": "-",
    "…": ".", "·": "-", "→": ">", "─": "-", "▎": "|",
    "▁": "_", "▂": ".", "▃": ":", "▄": "-", "▅": "=", "▆": "+", "▇": "*",
    **dict.fromkeys("█▉▊▋▌▍▏", "#"),
})  # fmt: skip
"""ASCII replacement of each sign, one character each, for ASCII-only terminals."""

_BLOCKS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"


def status_text(status: Any, *, gone: bool = False, sign_only: bool = False) -> Text:
    """Return a status as sign and word, marked if the run's files are missing."""
    sign = status_symbol(status)
    label = sign if sign_only else f"{sign} {single_line(status or RunStatus.UNKNOWN)}"
    text = Text(label, style=_STATUS_STYLES.get(status or RunStatus.UNKNOWN, ""))
    return text.append(" †" if sign_only else " † files missing", style="dim") if gone else text


def outcome_text(outcome: Any) -> Text:
    """Return the sign of an agent run's outcome."""
    return Text(outcome_symbol(outcome), style=_OUTCOME_STYLES.get(outcome, ""))


def bar(share: float | None, width: int) -> str:
    """Return a bar for a share from 0 to 1; a share above 0 is never an empty bar.

    >>> bar(0.5, 4), bar(0.001, 4), bar(0.0, 4), bar(None, 4)
    ('██  ', '▏   ', '    ', '    ')
    """
    if not share or share < 0:
        return " " * width
    eighths = max(1, round(min(share, 1.0) * width * 8))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BLOCKS[rest] if rest else "")).ljust(width)


def sparkline(values: Sequence[float | None]) -> str:
    """Return a block per value, as high as the value relative to the largest; a blank if unknown.

    Only 0 has the lowest block.

    >>> sparkline([0, 0.1, 4, None, 8]), sparkline([0, 0]), sparkline([])
    ('▁▂▅ █', '▁▁', '')
    """
    largest = max([value for value in values if value is not None], default=0)
    top = len(_HEIGHTS) - 1
    heights = [
        None if value is None else 0 if value <= 0 or not largest else max(1, round(value / largest * top))
        for value in values
    ]
    return "".join(" " if height is None else _HEIGHTS[height] for height in heights)
