"""Scores in words: a score and its stored parts in, what is shown of them out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..amounts import UNKNOWN, number
from .text import one_line

SCORES: Final = (
    ("nl_clarity_score", "clarity of the request"),
    ("cost_efficiency_score", "cost efficiency"),
    ("performance_score", "performance"),
    ("quality_score", "quality"),
)
"""The four scores and their names."""


def score_word(value: Any) -> str:
    """Return a score of 0 to 100.

    >>> score_word(51.5), score_word(None) == UNKNOWN
    ('52', True)
    """
    known = number(value)
    return UNKNOWN if known is None else f"{known:.0f}"


def parts_words(score: Any) -> list[str]:
    """Return a score's parts, each a word and its own value."""
    if not isinstance(score, Mapping):
        return []
    parts = [part for part in score.get("parts") or () if isinstance(part, Mapping)]
    return [f"{one_line(part.get('name'))} {score_word(part.get('value'))}" for part in parts]


def missing_words(score: Any) -> str:
    """Return what evidence a score lacks, nothing where it lacks none.

    >>> missing_words({"missing": ["a_request"]})
    'unknown without a request'
    """
    missing = score.get("missing") or () if isinstance(score, Mapping) else ()
    words = ", ".join(one_line(name).replace("_", " ") for name in missing)
    return f"unknown without {words}" if words else ""
