"""Decode text that hides a secret from the rules, and map positions back to the original text. Pure.

Terminal colours and invisible characters are removed, URL, JSON, shell and HTML escapes are decoded, and
values that are wrapped over lines are joined.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from .assess import is_fragment
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
_HIDDEN: Final = re.compile(f"[{_INVISIBLE}]")
_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t"}
_ENTITIES: Final = {"quot": '"', "apos": "'", "amp": "&", "lt": "<", "gt": ">"}

ROUNDS: Final = 3
"""Maximum number of decoding passes: JSON in JSON in a URL."""

_BREAK: Final = re.compile(
    r"""["'`]?[ \t]{0,8}[\\+=]?[ \t]{0,8}\r?\n(?:[ \t]{0,40}(?:[0-9]{1,6}[:|\t\u2192]|[>|+#*]))?[ \t]{0,40}["'`]?"""  # noqa: E501
    r"""|["'][ \t]{0,8}[+.]?[ \t]{0,8}["']"""
)
"""Break inside a value: the end of a line, or of a string literal that the next one continues."""

_RUN: Final = re.compile(r"[A-Za-z0-9_.~+/\-]{1,2000}+={0,2}(?![=:])")
_LINE_ENDS: Final = re.compile(r"""["'`),;\]}]{0,4}[ \t]*(?:\\?\r?\n|\\?$|[+.][ \t]*\r?\n)""")
_MOST_PIECES: Final = 60


class View(NamedTuple):
    """A decoded text with the positions of its parts in the text before decoding."""

    text: str
    at: list[int]  # start of each part in `text`, ascending
    was: list[int]  # start of each part in the text before decoding
    escapes: list[bool]  # whether the part was an escape, which is only mapped back as a whole

    def back(self, start: int, end: int) -> tuple[int, int]:
        """Map the range from `start` to `end` back to the text before decoding."""
        first, last = bisect_right(self.at, start) - 1, bisect_right(self.at, end - 1) - 1
        begun = self.was[first] if self.escapes[first] else self.was[first] + start - self.at[first]
        ended = self.was[last + 1] if self.escapes[last] else self.was[last] + end - self.at[last]
        return begun, ended


def decoded(text: str) -> View | None:
    """Decode the escapes of a text once; return None if it has none."""
    marked = "\\" in text or "%" in text or "&" in text or "\x1b" in text or "^[" in text
    if not marked and (text.isascii() or _HIDDEN.search(text) is None):
        return None
    pieces: list[str] = []
    at, was, escapes = [], [], []
    length = end = 0
    for found in _ESCAPE.finditer(text):
        for piece, place, escape in (
            (text[end : found.start()], end, False),
            (_meant(found), found.start(), True),
        ):
            at.append(length)
            was.append(place)
            escapes.append(escape)
            pieces.append(piece)
            length += len(piece)
        end = found.end()
    if not pieces:
        return None
    pieces.append(text[end:])
    return View("".join(pieces), [*at, length], [*was, end], [*escapes, False])


def _meant(found: re.Match[str]) -> str:
    kind, value = found.lastgroup, found[found.lastgroup or 0]
    if kind in ("percent", "code", "hexed"):
        return chr(int(value, 16))
    if kind == "letter":
        return _LETTERS.get(value, value)
    if kind == "entity":
        return _ENTITIES[value]
    return chr(int(value)) if kind == "number" and 31 < int(value) < 127 else ""


def views(text: str) -> Iterator[tuple[str, list[View]]]:
    """Yield a text and its decoded forms, each with the views that map it back to the text."""
    path: list[View] = []
    yield text, path
    while len(path) < ROUNDS and (view := decoded(text)) is not None:
        text, path = view.text, [view, *path]
        yield text, path


class Joined(NamedTuple):
    """A value wrapped over several lines, joined into one word."""

    text: str
    lengths: list[int]  # lengths of the pieces
    ends: list[int]  # end of each piece in the text

    def back(self, end: int) -> int:
        """Map the end of the first `end` characters back to the text."""
        done = 0
        for length, was in zip(self.lengths, self.ends, strict=True):
            done += length
            if end <= done:
                return was - (done - end)
        return self.ends[-1]


def joined(text: str, start: int) -> Joined | None:
    """Join the word at `start` with its continuation on the next lines; return None without one."""
    words: list[str] = []
    ends: list[int] = []
    at = start
    while len(words) < _MOST_PIECES and (run := _RUN.match(text, at)) is not None:
        words.append(run[0])
        ends.append(run.end())
        if (broken := _BREAK.match(text, run.end())) is None:
            break
        at = broken.end()
    return Joined("".join(words), [len(word) for word in words], ends) if len(words) > 1 else None


def extended(text: str, end: int) -> int:
    """Return the end of a secret, including continuation lines that contain nothing else."""
    for _ in range(_MOST_PIECES):
        broken = _BREAK.match(text, end)
        run = _RUN.match(text, broken.end()) if broken else None
        if run is None or _LINE_ENDS.match(text, run.end()) is None or TOKEN_PRECHECK.match(run[0]):
            break
        if not is_fragment(run[0]):
            break
        end = run.end()
    return end
