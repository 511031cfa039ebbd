"""Tell a secret from another word by the word alone: a value that was given a telling name in, yes or no out.

A name such as `token` or `password` stands before secrets, and before paths, calls, versions, hashes of
commits and words of a manual. A secret is one word of letters and digits that nobody would say.
"""

from __future__ import annotations

import re
from collections import Counter
from math import fsum, log2
from typing import Final

_NUMBER: Final = re.compile(r"[0-9.,_%+\-:eExX]+|0[xX][0-9a-fA-F]+")
_PART: Final = r"(?:[A-Z]?[a-z]*+[0-9]{0,3}|[A-Z]++[0-9]{0,3}|[0-9]++[a-z]?|[0-9a-f]{4,12})"
_SAID: Final = re.compile(
    rf"{_PART}(?:[-_.:=@/~]++{_PART})+|[A-Z]*+[a-z]{{2,}}+[0-9]{{0,3}}+(?:[A-Z]++[a-z]{{2,}}+[0-9]{{0,3}}+)+"
)
"""Words, numbers and short hashes in a row: a path, a name in a program, a branch, a model, a run's id."""

_STANDS_FOR: Final = re.compile(
    r"example|placeholder|change.?me|your|redacted|dummy|sample|insert|replace|xxxx|\*\*\*|\.\.\.|1234567",
    re.IGNORECASE,
)
_PIECE: Final = re.compile(r"[a-z]+|[A-Z]+|[0-9]+|[^A-Za-z0-9]+")
"""Letters of one case, digits, or signs."""

_SHORT: Final = 16  # characters: a shorter word is a person's password, a longer one a machine's key
_LEAST_BITS: Final = 3.0  # per character, of a machine's key: sixteen digits of a hash have about 3.3
_LEAST_BITS_SHORT: Final = 2.2


def is_random(word: str, *, of_people: bool = True) -> bool:
    """Tell whether a word is a secret, given that its name says so; `of_people`: it may be a short one.

    >>> is_random("hunter2!x9"), is_random("os.environ"), is_random("tokens_2024"), is_random("3600")
    (True, False, False, False)
    """
    word = word.strip("\"'`.,;:&?")
    if not any(map(str.isdigit, word)) or not any(map(str.isalpha, word)) or _STANDS_FOR.search(word):
        return False
    if _NUMBER.fullmatch(word):
        return False
    if len(word) < _SHORT:
        separated = re.search(r"[-_.:=@/]", word) is not None and _SAID.fullmatch(word)
        return of_people and len(word) >= 6 and not separated and bits(word) >= _LEAST_BITS_SHORT
    return bits(word) >= _LEAST_BITS and not _SAID.fullmatch(word) and _is_mixed(word)


def _is_mixed(word: str) -> bool:
    """Tell whether letters of both cases and digits change so often that no words make it up."""
    changes = len(_PIECE.findall(word)) - 1
    return changes >= 0.12 * len(word)


def bits(word: str) -> float:
    """Return how many bits a character of a word tells, by how often each stands in it.

    >>> bits("aaaa"), bits("abcd")
    (0.0, 2.0)
    """
    told = (count / len(word) * log2(len(word) / count) for count in Counter(word).values())
    return round(fsum(told), 9)  # the last digits differ between processors
