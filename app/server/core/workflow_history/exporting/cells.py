r"""Text in the cells of a CSV file: what no spreadsheet should run or show, is made harmless. Pure.

A spreadsheet takes a cell for a formula by its beginning. A leading apostrophe makes it text.
"""

from __future__ import annotations

import re
from typing import Final

# What a reader may skip before the sign, then the signs; the last four as East Asian keyboards type them.
_FORMULA: Final = re.compile(
    r"[\s\"'`\u00ab\u00ad\u00b4\u00bb\u2018-\u201f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*"
    r"[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]"
)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def tidy(text: str) -> str:
    r"""Return text without control characters but tabs and line breaks, which become "\n".

    >>> tidy("one\r\ntwo\x1b[2J")
    'one\ntwo[2J'
    """
    if not _CONTROLS.search(text):
        return text
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def defused(text: str) -> str:
    r"""Return text that no spreadsheet runs as a formula; taking the apostrophe away gives the text back.

    >>> defused("=HYPERLINK(1)"), defused(' "+1'), defused("a=b")
    ("'=HYPERLINK(1)", '\' "+1', 'a=b')
    """
    return f"'{text}" if is_formula(text) else text


def is_formula(text: str) -> bool:
    """Tell whether a spreadsheet may run this text, quotes and blanks before it or not."""
    return _FORMULA.match(text) is not None
