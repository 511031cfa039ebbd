"""Read what was typed into a search: any text in, words and phrases out, or a full-text expression. Pure.

`csv export` finds runs with words that begin so, all of them; `"csv export"` these very words side by
side; `exp*` is the same as `exp`; `-draft` leaves out. Nothing that is typed can be an error or a command.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_PIECE = re.compile(r'(?P<out>-?)(?:"(?P<phrase>[^"]*)(?:"(?P<begins>\*?)|$)|(?P<word>[^\s"]+))')
_SHORTEST_BEGINNING = 3  # letters; a shorter word means itself
_MOST_PIECES = 64


class SearchTerm(NamedTuple):
    """One word or phrase."""

    text: str
    begins: bool  # its last word may go on
    left_out: bool  # runs with it are not wanted


def parse_search(search: str) -> list[SearchTerm]:
    """Return the words and phrases of a search; what has neither letter nor digit says nothing.

    >>> parse_search('csv "due date" -draft !')[1:]  # doctest: +NORMALIZE_WHITESPACE
    [SearchTerm(text='due date', begins=False, left_out=False),
     SearchTerm(text='draft', begins=True, left_out=True)]
    """
    found = []
    for match in _PIECE.finditer(search):
        text = match["word"] if match["phrase"] is None else match["phrase"]
        if not any(map(_is_token, text)):
            continue
        if match["phrase"] is None:
            begins = text.endswith("*") or sum(map(_is_token, text)) >= _SHORTEST_BEGINNING
        else:
            begins = bool(match["begins"])
        found.append(SearchTerm(text, begins, bool(match["out"])))
        if len(found) == _MOST_PIECES:
            break
    return found


def to_fts5(pieces: Sequence[SearchTerm]) -> str:
    """Return the expression of SQLite's FTS5; each piece is quoted, so that none is an operator.

    >>> to_fts5(parse_search('csv "due date" or'))
    '"csv"* AND "due date" AND "or"'
    """
    return " AND ".join(f'"{normalize(piece.text)}"' + ("*" if piece.begins else "") for piece in pieces)


def normalize(text: str) -> str:
    """Return the text with what separates words as spaces, so that no sign of it means anything."""
    return " ".join("".join(char if _is_token(char) else " " for char in text).split())


def _is_token(char: str) -> bool:
    """Return whether a character is part of a word, as FTS5's unicode61 sees it; marks belong to letters."""
    category = unicodedata.category(char)
    return category[0] in "LNM" or category == "Co"
