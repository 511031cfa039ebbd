"""Decode text that hides a secret from the rules, and map positions back to the original text. Pure.

Terminal colours and invisible characters are removed, URL, JSON, shell and HTML escapes are decoded, and
values that are wrapped over lines are joined.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from .assess import is_key_fragment
from .secret_patterns import TOKEN_PRECHECK

_INVISIBLE: Final = "\u00ad\u200b-\u200f\u2060\ufeff"
_COLOUR: Final = r"\[[0-9;?]{0,20}[A-Za-z]"
_ESCAPE: Final = re.compile(
    rf"[\x1b\x9b\\%&^{_INVISIBLE}](?:"  # all begin with one set of characters, which is fast to search for
    rf"(?P<nothing>(?<=[{_INVISIBLE}])|(?<=[\x1b\x9b]){_COLOUR}|(?<=\x1b)\][^\x07\x1b]{{0,500}}(?:\x07|\x1b\\)"
    rf"|(?<=\^)\[{_COLOUR}|(?<=(?<!\\)\\)\\{{0,9}}+(?:[eE]|033|x1[bB]|u001[bB]){_COLOUR})"
    r"|(?<=%)(?P<percent>[2-7][0-9A-Fa-f]|0[ADad])"
    r"|(?<=(?<!\\)\\)\\{0,9}+(?:u00|u\{|x)(?P<code>[2-7][0-9A-Fa-f])\}?"
    r"""|(?<=(?<!\\)\\)\\{0,9}+(?P<letter>[nrt"'`/])"""
    r"|(?<=&)(?:(?P<entity>quot|apos|amp|lt|gt)|#(?P<number>[0-9]{2,3})|#x(?P<hexed>[2-7][0-9A-Fa-f]));)"
)
_INVISIBLE_CHARACTER: Final = re.compile(f"[{_INVISIBLE}]")
_LETTER_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}
_ENTITIES: Final = {"quot": '"', "apos": "'", "amp": "&", "lt": "<", "gt": ">"}

_MAX_ROUNDS: Final = 3
"""Maximum number of decoding passes: JSON in JSON in a URL."""

_LINE_BREAK: Final = re.compile(
    r"""["'`]?[ \t]{0,8}[\\+=]?[ \t]{0,8}\r?\n(?:[ \t]{0,40}(?:[0-9]{1,6}[:|\t\u2192]|[>|+#*]))?[ \t]{0,40}["'`]?"""  # noqa: E501
    r"""|["'][ \t]{0,8}[+.]?[ \t]{0,8}["']"""
)
"""Break inside a value: the end of a line, or of a string literal that the next one continues."""

_VALUE_RUN: Final = re.compile(r"[A-Za-z0-9_.~+/\-]{1,2000}+={0,2}(?![=:])")
_LINE_END: Final = re.compile(r"""["'`),;\]}]{0,4}[ \t]*(?:\\?\r?\n|\\?$|[+.][ \t]*\r?\n)""")
_MAX_PIECES: Final = 60


class View(NamedTuple):
    """A decoded text with the positions of its parts in the text before decoding."""

    text: str
    starts: list[int]  # start of each part in `text`, ascending
    original_starts: list[int]  # start of each part in the text before decoding
    is_escape: list[bool]  # whether the part was an escape, which is only mapped back as a whole

    def to_original(self, start: int, end: int) -> tuple[int, int]:
        """Map the range from `start` to `end` back to the text before decoding."""
        first, last = bisect_right(self.starts, start) - 1, bisect_right(self.starts, end - 1) - 1
        original_start = (
            self.original_starts[first]
            if self.is_escape[first]
            else self.original_starts[first] + start - self.starts[first]
        )
        original_end = (
            self.original_starts[last + 1]
            if self.is_escape[last]
            else self.original_starts[last] + end - self.starts[last]
        )
        return original_start, original_end


def decode(text: str) -> View | None:
    """Decode the escapes of a text once; return None if it has none."""
    has_signs = "\\" in text or "%" in text or "&" in text or "\x1b" in text or "^[" in text
    if not has_signs and (text.isascii() or _INVISIBLE_CHARACTER.search(text) is None):
        return None
    pieces: list[str] = []
    starts, original_starts, is_escape = [], [], []
    length = end = 0
    for match in _ESCAPE.finditer(text):
        for piece, original_start, from_escape in (
            (text[end : match.start()], end, False),
            (_decode_escape(match), match.start(), True),
        ):
            starts.append(length)
            original_starts.append(original_start)
            is_escape.append(from_escape)
            pieces.append(piece)
            length += len(piece)
        end = match.end()
    if not pieces:
        return None
    pieces.append(text[end:])
    return View("".join(pieces), [*starts, length], [*original_starts, end], [*is_escape, False])


def _decode_escape(match: re.Match[str]) -> str:
    kind, value = match.lastgroup, match[match.lastgroup or 0]
    if kind in ("percent", "code", "hexed"):
        return chr(int(value, 16))
    if kind == "letter":
        return _LETTER_ESCAPES.get(value, value)
    if kind == "entity":
        return _ENTITIES[value]
    return chr(int(value)) if kind == "number" and 31 < int(value) < 127 else ""


def decoded_views(text: str) -> Iterator[tuple[str, list[View]]]:
    """Yield a text and its decoded forms, each with the views that map it back to the text."""
    path: list[View] = []
    yield text, path
    while len(path) < _MAX_ROUNDS and (view := decode(text)) is not None:
        text, path = view.text, [view, *path]
        yield text, path


class JoinedValue(NamedTuple):
    """A value wrapped over several lines, joined into one word."""

    text: str
    lengths: list[int]  # lengths of the pieces
    ends: list[int]  # end of each piece in the text

    def to_original(self, end: int) -> int:
        """Map the end of the first `end` characters back to the text."""
        joined_length = 0
        for length, piece_end in zip(self.lengths, self.ends, strict=True):
            joined_length += length
            if end <= joined_length:
                return piece_end - (joined_length - end)
        return self.ends[-1]


def join_lines(text: str, start: int) -> JoinedValue | None:
    """Join the word at `start` with its continuation on the next lines; return None without one."""
    words: list[str] = []
    ends: list[int] = []
    position = start
    while len(words) < _MAX_PIECES and (run := _VALUE_RUN.match(text, position)) is not None:
        words.append(run[0])
        ends.append(run.end())
        if (line_break := _LINE_BREAK.match(text, run.end())) is None:
            break
        position = line_break.end()
    return JoinedValue("".join(words), [len(word) for word in words], ends) if len(words) > 1 else None


def extend_over_lines(text: str, end: int) -> int:
    """Return the end of a secret, including continuation lines that contain nothing else."""
    for _ in range(_MAX_PIECES):
        line_break = _LINE_BREAK.match(text, end)
        run = _VALUE_RUN.match(text, line_break.end()) if line_break else None
        if run is None or _LINE_END.match(text, run.end()) is None or TOKEN_PRECHECK.match(run[0]):
            break
        if not is_key_fragment(run[0]):
            break
        end = run.end()
    return end
