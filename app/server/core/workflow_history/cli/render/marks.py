"""The signs and words of the tables: states and outcomes in, a mark and a style out. Pure.

Only colours that can be read on black and on white are used, and none of them alone: a word or a sign
always says the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.text import Text

from .numbers import counted, exact, number, percent
from .text import UNKNOWN, one_line


class Mark(NamedTuple):
    """A sign, and the style that it and its word are written in."""

    sign: str
    style: str


STATUSES = {
    "completed": Mark("✓", "green"),
    "failed": Mark("✗", "red"),
    "running": Mark("●", "cyan"),
    "incomplete": Mark("◐", "magenta"),
    "unknown": Mark("?", "dim"),
}
OUTCOMES = {
    "success": Mark("✓", "green"),
    "error": Mark("✗", "red"),
    "false_success": Mark("✗", "red"),
    "incomplete": Mark("◐", "magenta"),
    "empty": Mark("○", "red"),
    "unreadable": Mark("○", "red"),
}
STAND_INS = str.maketrans({
    "✓": "+", "✗": "x", "●": "*", "◐": "~", "○": "o", "†": "!", "≥": ">", "≈": "~", "\N{EN DASH}": "-",
    "…": ".", "·": "-", "→": ">", "─": "-", "▎": "|",
    "▁": "_", "▂": ".", "▃": ":", "▄": "-", "▅": "=", "▆": "+", "▇": "*",
    **dict.fromkeys("█▉▊▋▌▍▏", "#"),
})  # fmt: skip
"""ASCII for the signs, one for one, for terminals that know no more."""

_OTHER = Mark("·", "")
_MODEL = re.compile(r"(?:[\w.-]+/)*(?:[a-z]+\.)*(?:claude-)?(.+?)(?:[-@]\d{8})?(?:-v\d+:\d+)?(?:-latest)?")
_BLOCKS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"


def status(word: Any, *, gone: bool = False, sign_only: bool = False) -> Text:
    """Return a status: its sign and its word; a run whose files are gone says so."""
    mark = STATUSES.get(word, _OTHER)
    label = mark.sign if sign_only else f"{mark.sign} {one_line(word or 'unknown')}"
    text = Text(label, style=mark.style)
    return text.append(" †" if sign_only else " † gone", style="dim") if gone else text


def outcome(word: Any) -> Text:
    """Return the sign of how an agent's work ended."""
    mark = OUTCOMES.get(word, _OTHER)
    return Text(mark.sign, style=mark.style)


def short_model(name: Any) -> str:
    """Return a model's name without maker, date and version, for tables.

    >>> short_model("claude-sonnet-4-5-20250929"), short_model("us.anthropic.claude-opus-4-5-20251101-v1:0")
    ('sonnet-4-5', 'opus-4-5')
    >>> short_model("gemini-2.5-pro")
    'gemini-2.5-pro'
    """
    if name is None:
        return UNKNOWN
    text = one_line(name)
    match = _MODEL.fullmatch(text)
    return match.group(1) if match else text


def bar(share: float | None, width: int) -> str:
    """Return a bar for a share of 0 to 1; what is not 0 is never an empty bar.

    >>> bar(0.5, 4), bar(0.001, 4), bar(0.0, 4), bar(None, 4)
    ('██  ', '▏   ', '    ', '    ')
    """
    if not share or share < 0:
        return " " * width
    eighths = max(1, round(min(share, 1.0) * width * 8))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BLOCKS[rest] if rest else "")).ljust(width)


def sparkline(values: Sequence[float | None]) -> str:
    """Return a sign for each value, as high as it is beside the largest; a gap for what is unknown.

    Only 0 is at the very bottom.

    >>> sparkline([0, 0.1, 4, None, 8]), sparkline([0, 0]), sparkline([])
    ('▁▂▅ █', '▁▁', '')
    """
    most = max([value for value in values if value is not None], default=0)
    top = len(_HEIGHTS) - 1
    heights = [
        None if value is None else 0 if value <= 0 or not most else max(1, round(value / most * top))
        for value in values
    ]
    return "".join(" " if height is None else _HEIGHTS[height] for height in heights)


def remarks(agent: Mapping[str, Any], *, at_work: bool = False) -> list[str]:
    """Return what must be said about an agent's row beside its numbers, a word or two each.

    >>> remarks({"outcome": "incomplete", "superseded": True, "retries": 1})
    ['cut off', 'overwritten']
    """
    words = {
        "error": "error",
        "false_success": "did nothing",
        "incomplete": "no result yet" if at_work else "cut off",
        "empty": "empty",
        "unreadable": "unreadable",
    }
    found = [words[agent["outcome"]]] if agent.get("outcome") in words else []
    restarts = int(number(agent.get("restarts")) or 0)
    repeated = agent.get("is_retry") or (number(agent.get("retries")) or 0) > restarts
    if repeated and not agent.get("superseded"):  # what was overwritten was tried again anyway
        found.append("retry")
    if restarts:
        found.append(counted(restarts, "restart"))
    if agent.get("superseded"):
        found.append("overwritten")
    elif agent.get("gone") or agent.get("source_state") == "gone":
        found.append("gone")
    if agent.get("duplicate_of"):
        found.append(f"copy of {one_line(agent['duplicate_of'])}")
    if agent.get("cost_disputed"):
        found.append(f"own sum {percent(agent.get('cost_difference_percent'))}")
    if exact(agent.get("unpriced_tokens")):
        found.append("no price")
    return found
