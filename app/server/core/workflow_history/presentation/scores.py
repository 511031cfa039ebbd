"""Scores in words: a score and its stored components in, text out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..analysis.scores.base import evidence_label
from ..common.formatting.text import single_line
from ..common.spending import UNKNOWN, number

SCORES: Final = (
    ("nl_clarity_score", "request clarity"),
    ("cost_efficiency_score", "cost efficiency"),
    ("performance_score", "performance"),
    ("quality_score", "quality"),
)
"""Keys and display names of the four scores."""


def format_score(value: Any) -> str:
    """Format a score from 0 to 100.

    >>> format_score(51.5), format_score(None) == UNKNOWN
    ('52', True)
    """
    known = number(value)
    return UNKNOWN if known is None else f"{known:.0f}"


def format_score_parts(score: Any) -> list[str]:
    """Format each component of a score as its name and value."""
    if not isinstance(score, Mapping):
        return []
    parts = [part for part in score.get("parts") or () if isinstance(part, Mapping)]
    return [f"{single_line(part.get('name'))} {format_score(part.get('value'))}" for part in parts]


def format_missing(score: Any) -> str:
    """Format the evidence that a score lacks; "" if it lacks none.

    >>> format_missing({"missing": ["a_request"]})
    'unknown without a request'
    """
    missing = score.get("missing") or () if isinstance(score, Mapping) else ()
    words = ", ".join(evidence_label(single_line(name)) for name in missing)
    return f"unknown without {words}" if words else ""
