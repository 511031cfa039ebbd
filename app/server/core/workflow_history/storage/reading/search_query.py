"""Parse the text of a search into words and phrases, and build full-text expressions; pure.

`csv export` finds runs that contain, for each of these words, a word that begins with it. `"csv export"`
finds this exact phrase, `exp*` is the same as `exp`, and `-draft` excludes runs. No text is an error or an
operator.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_TERM = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)(?:"(?P<star>\*?)|$)|(?P<word>[^\s"]+))')
_MIN_PREFIX_LENGTH = 3  # minimum characters of a prefix; a shorter word must match exactly
_MAX_TERMS = 64


class SearchTerm(NamedTuple):
    """One word or phrase of a search."""

    text: str
    is_prefix: bool  # whether its last word is a prefix
    is_excluded: bool  # whether runs with it are excluded


def parse_search(search: str) -> list[SearchTerm]:
    """Return the words and phrases of a search; those without a letter or digit are ignored.

    >>> parse_search('csv "due date" -draft !')[1:]  # doctest: +NORMALIZE_WHITESPACE
    [SearchTerm(text='due date', is_prefix=False, is_excluded=False),
     SearchTerm(text='draft', is_prefix=True, is_excluded=True)]
    """
    terms = []
    for match in _TERM.finditer(search):
        text = match["word"] if match["phrase"] is None else match["phrase"]
        if not any(map(_is_token, text)):
            continue
        if match["phrase"] is None:
            is_prefix = text.endswith("*") or sum(map(_is_token, text)) >= _MIN_PREFIX_LENGTH
        else:
            is_prefix = bool(match["star"])
        terms.append(SearchTerm(text, is_prefix, bool(match["minus"])))
        if len(terms) == _MAX_TERMS:
            break
    return terms


def to_fts5(terms: Sequence[SearchTerm]) -> str:
    """Return the expression for SQLite's FTS5; each piece is quoted, so that none is an operator.

    >>> to_fts5(parse_search('csv "due date" or'))
    '"csv"* AND "due date" AND "or"'
    """
    return " AND ".join(f'"{normalize(term.text)}"' + ("*" if term.is_prefix else "") for term in terms)


def normalize(text: str) -> str:
    """Return the text with spaces as the only separators, so that no character is an operator."""
    return " ".join("".join(char if _is_token(char) else " " for char in text).split())


def _is_token(char: str) -> bool:
    """Return whether a character is part of a word for FTS5's unicode61; marks belong to letters."""
    category = unicodedata.category(char)
    return category[0] in "LNM" or category == "Co"
