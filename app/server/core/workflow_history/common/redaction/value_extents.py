"""Find the end of a named value in a text, quoted or bare. Pure.

A password may contain any character, quotes too. So a quote ends a value only if it is not escaped and no
word character follows. A bare value extends to the next space if the line is a list of names and values.
"""

from __future__ import annotations

import re
from typing import Final

_MAX_LENGTH: Final = 2_000  # characters of a value that are searched
_MAX_BARE_LENGTH: Final = 400  # characters of a bare value, as it is searched once for each name inside it

_MAX_QUOTES: Final = 16  # maximum number of quotes in one value
_NON_SPACES: Final = re.compile(rf"\S{{3,{_MAX_BARE_LENGTH}}}+")
_WORD_CHARACTER: Final = re.compile(r"\w")
"""Character after a quote that does not close a value."""

_SHELL_QUOTES: Final = ("\\''", "\"'\"'")
"""Rest of a shell's single quote inside single quotes, which are closed before it and reopened after it."""

_BARE_VALUE_END: Final = re.compile(
    r"[&;,\\](?:(?<=&)(?=[\w.\-\[\]%]{1,60}=)|(?<=[;,])(?=[A-Za-z_][\w.\- ]{1,60}=)|(?<=\\)\\*[nrt])"
)
"""End of a bare value before a space: the next name, or an escape of white space."""

_OPEN_QUOTE: Final = re.compile(r"""(?<!\w)(\\*["'`])(?![\s,:;)\]}])[^"'`\n]{0,300}+$""")
_QUOTE: Final = re.compile("[\"'`]")
_OPEN_BRACKET: Final = re.compile(r"([(\[{<])[\w.\-$ \t]{0,60}+$")

_CONTINUATION: Final = re.compile(
    r"""(?:(?:[,;{}()\[\]>\\]|<(?!/?[A-Za-z]{1,12}[ />]))+[^\s"'`<>(){}\[\],;|\\&]+)*"""
)
"""Continuation of a bare value after a character that usually ends one."""

_CONTINUATION_END: Final = re.compile(r"[,;](?=[ \t]?[A-Za-z_][\w.\-]{0,60}(?:[ \t]?=|:[ \t]))|\\+[nrt]")
"""End of such a continuation: the next name, or an escape of white space."""

_CLOSING_BRACKETS: Final = {"(": ")", "[": "]", "{": "}", "<": ">"}
_AFTER_CLOSING: Final = re.compile(r"""[\s,;)}\]>"'`.:|&\\]|$""")


def quoted_end(text: str, start: int, quote: str) -> int | None:
    r"""Return the end of a value that begins after a quote, or None if the quote is not closed on its line.

    >>> [quoted_end(text, 1, text[0]) for text in ('"ab" x', '"a\\"b" x', "'a''b'", '"a"b', '"ab')]
    [3, 5, 5, 3, None]
    """
    limit = text.find("\n", start, start + _MAX_LENGTH)
    limit = limit if limit >= 0 else min(len(text), start + _MAX_LENGTH)
    first_quote = None
    position = start
    for _ in range(_MAX_QUOTES):
        if (position := text.find(quote, position, limit)) < 0:
            break
        after_quote = position + len(quote)
        inner_length = _inner_quote_length(text, start, position, quote)
        if inner_length:
            position += inner_length
            continue
        if _WORD_CHARACTER.match(text, after_quote) is None:
            return position
        first_quote, position = position if first_quote is None else first_quote, after_quote
    if first_quote is None:
        return None
    rest = _NON_SPACES.match(text, first_quote)
    return rest.end() if rest else first_quote + len(quote)


def _inner_quote_length(text: str, start: int, position: int, quote: str) -> int:
    """Return the length of a quote that is part of the value, or 0 if it may close the value."""
    backslashes_start = position
    while backslashes_start > start and text[backslashes_start - 1] == "\\":
        backslashes_start -= 1
    is_escaped = (position - backslashes_start) % 2 == 1
    after_quote = position + len(quote)
    if is_escaped and (quote != "'" or _WORD_CHARACTER.match(text, after_quote)):
        return len(quote)
    if len(quote) == 1 and text.startswith(quote, after_quote):
        return 2
    if quote != "'":
        return 0
    return next((1 + len(ending) for ending in _SHELL_QUOTES if text.startswith(ending, after_quote)), 0)


def continued_end(text: str, name_start: int, start: int, end: int) -> int:
    """Return the end of a bare value whose part from `start` to `end` is already known as a secret.

    >>> text = "--password ab1,cd;e --next"
    >>> text[11 : continued_end(text, 2, 11, 14)]
    'ab1,cd;e'
    """
    if end >= len(text) or text[end].isspace():
        return end
    limit = max(end, min(bare_end(text, name_start, start), end + _MAX_BARE_LENGTH))
    if (cut := _CONTINUATION_END.search(text, end, limit)) is not None:
        limit = cut.start()
    more = _CONTINUATION.match(text, end, limit)
    return more.end() if more else end


def bare_end(text: str, name_start: int, start: int) -> int:
    """Return the end of a bare value, at the latest before the next space; its name begins at `name_start`.

    Quotes and brackets around name and value are excluded, and so is the next name.

    >>> text = '("DB_PASSWORD=a,b;c") x'
    >>> text[14 : bare_end(text, 2, 14)]
    'a,b;c'
    """
    word = _NON_SPACES.match(text, start)
    if word is None:
        return start
    end = word.end()
    if (cut := _BARE_VALUE_END.search(text, start, end)) is not None:
        end = cut.start()
    text_before = text[max(0, name_start - 320) : name_start]
    opening = (
        _OPEN_QUOTE.search(text, name_start - len(text_before), name_start)
        if _QUOTE.search(text_before)
        else None
    )
    opening = opening or _OPEN_BRACKET.search(text, max(0, name_start - 61), name_start)
    if opening is not None:
        closing = _CLOSING_BRACKETS.get(opening[1], opening[1])
        position = text.find(closing, start, end)
        while position >= 0 and (
            _AFTER_CLOSING.match(text, position + len(closing)) is None or text[position - 1] == "\\"
        ):
            position = text.find(closing, position + 1, end)
        end = position if position >= 0 else end
    return end
