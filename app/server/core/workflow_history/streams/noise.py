"""Pass over what is no record, many lines at a time: a block in, where the next record may begin out.

Hundreds of megabytes of blank or garbled lines, one after the other, would else hold up a sync for minutes.
"""

from __future__ import annotations

import re

BRACE = ord("{")
_BLANK = re.compile(rb"(?:[ \t\r]*+\n)++")
_NO_OBJECTS = re.compile(rb"(?:[^{\n]*+\n)++")


def after_noise(block: bytes, start: int, *, text: bool) -> int:
    r"""Return where the lines end that are blank or, with `text`, hold no object; `start`: none is.

    >>> after_noise(b"\n\nx\n{}\n", 0, text=False), after_noise(b"\n\nx\n{}\n", 0, text=True)
    (2, 4)
    """
    found = (_NO_OBJECTS if text else _BLANK).match(block, start)
    return found.end() if found else start
