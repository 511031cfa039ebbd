"""Find the end of a named value in a text, quoted or bare. Pure.

A password may contain any character, quotes too. So a quote ends a value only if it is not escaped and no
word character follows. A bare value extends to the next space if the line is a list of names and values.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 2_000  # characters of a value that are searched
_LONGEST_BARE: Final = 400  # characters of a bare value, as it is searched once for each name inside it

_MOST_QUOTES: Final = 16  # maximum number of quotes in one value
_BARE: Final = re.compile(rf"\S{{3,{_LONGEST_BARE}}}+")
_GOES_ON: Final = re.compile(r"\w")
"""Character after a quote that does not close a value."""

_IN_SHELL: Final = ("\\''", "\"'\"'")
"""Rest of a shell's single quote inside single quotes, which are closed before it and reopened after it."""

_CUT: Final = re.compile(
    r"[&;,\\](?:(?<=&)(?=[\w.\-\[\]%]{1,60}=)|(?<=[;,])(?=[A-Za-z_][\w.\- ]{1,60}=)|(?<=\\)\\*[nrt])"
)
"""End of a bare value before a space: the next name, or an escape of white space."""

_OPEN_QUOTE: Final = re.compile(r"""(?<!\w)(\\*["'`])(?![\s,:;)\]}])[^"'`\n]{0,300}+$""")
_QUOTE: Final = re.compile("[\"'`]")
_OPEN_BRACKET: Final = re.compile(r"([(\[{<])[\w.\-$ \t]{0,60}+$")

_MORE: Final = re.compile(
    r"""(?:(?:[,;{}()\[\]>\\]|<(?!/?[A-Za-z]{1,12}[ />]))+[^\s"'`<>(){}\[\],;|\\&]+)*"""
)
"""Continuation of a bare value after a character that usually ends one."""

_NEXT: Final = re.compile(r"[,;](?=[ \t]?[A-Za-z_][\w.\-]{0,60}(?:[ \t]?=|:[ \t]))|\\+[nrt]")
"""End of such a continuation: the next name, or an escape of white space."""

_CLOSING: Final = {"(": ")", "[": "]", "{": "}", "<": ">"}
_AFTER_CLOSED: Final = re.compile(r"""[\s,;)}\]>"'`.:|&\\]|$""")


def quoted_end(text: str, start: int, quote: str) -> int | None:
    r"""Return the end of a value that begins after a quote, or None if the quote is not closed on its line.

    >>> [quoted_end(text, 1, text[0]) for text in ('"ab" x', '"a\\"b" x', "'a''b'", '"a"b', '"ab')]
    [3, 5, 5, 3, None]
    """
    stop = text.find("\n", start, start + LONGEST)
    stop = stop if stop >= 0 else min(len(text), start + LONGEST)
    first = None
    at = start
    for _ in range(_MOST_QUOTES):
        if (at := text.find(quote, at, stop)) < 0:
            break
        behind = at + len(quote)
        step = _passed(text, start, at, quote)
        if step:
            at += step
            continue
        if _GOES_ON.match(text, behind) is None:
            return at
        first, at = at if first is None else first, behind
    if first is None:
        return None
    rest = _BARE.match(text, first)
    return rest.end() if rest else first + len(quote)


def _passed(text: str, start: int, at: int, quote: str) -> int:
    """Return the length of a quote that is part of the value, or 0 if it may close the value."""
    before = at
    while before > start and text[before - 1] == "\\":
        before -= 1
    escaped = (at - before) % 2 == 1
    behind = at + len(quote)
    if escaped and (quote != "'" or _GOES_ON.match(text, behind)):
        return len(quote)
    if len(quote) == 1 and text.startswith(quote, behind):
        return 2
    if quote != "'":
        return 0
    return next((1 + len(inside) for inside in _IN_SHELL if text.startswith(inside, behind)), 0)


def more_end(text: str, begin: int, start: int, end: int) -> int:
    """Return the end of a bare value whose part from `start` to `end` is already known as a secret.

    >>> text = "--password ab1,cd;e --next"
    >>> text[11 : more_end(text, 2, 11, 14)]
    'ab1,cd;e'
    """
    if end >= len(text) or text[end].isspace():
        return end
    stop = max(end, min(bare_end(text, begin, start), end + _LONGEST_BARE))
    if (cut := _NEXT.search(text, end, stop)) is not None:
        stop = cut.start()
    more = _MORE.match(text, end, stop)
    return more.end() if more else end


def bare_end(text: str, begin: int, start: int) -> int:
    """Return the end of a bare value, at the latest before the next space; its name begins at `begin`.

    Quotes and brackets around name and value are excluded, and so is the next name.

    >>> text = '("DB_PASSWORD=a,b;c") x'
    >>> text[14 : bare_end(text, 2, 14)]
    'a,b;c'
    """
    word = _BARE.match(text, start)
    if word is None:
        return start
    end = word.end()
    if (cut := _CUT.search(text, start, end)) is not None:
        end = cut.start()
    near = text[max(0, begin - 320) : begin]
    around = _OPEN_QUOTE.search(text, begin - len(near), begin) if _QUOTE.search(near) else None
    around = around or _OPEN_BRACKET.search(text, max(0, begin - 61), begin)
    if around is not None:
        closing = _CLOSING.get(around[1], around[1])
        at = text.find(closing, start, end)
        while at >= 0 and (_AFTER_CLOSED.match(text, at + len(closing)) is None or text[at - 1] == "\\"):
            at = text.find(closing, at + 1, end)
        end = at if at >= 0 else end
    return end
