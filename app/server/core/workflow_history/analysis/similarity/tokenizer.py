"""Tokenizer: split a passage into lower-case words. Uses no meanings, weights or files."""

from __future__ import annotations

import re
import unicodedata

_ALPHANUMERIC = re.compile(r"[^\W_]+")
_CAMEL_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_CONTRACTION = re.compile(r"(?<=[^\W\d_])['\u2019](?:s|t|re|ve|ll|d|m)\b", re.IGNORECASE)
_UNSPACED = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+)")
_MAX_WORD_LENGTH = 40  # characters; longer runs are blobs, whose start is enough to match equal ones

_STOP_WORD_LIST = """
a about above after again all also am an and any are as at be because been before being below between
both but by can cannot could did do does doing don down during each either etc even ever every few for
from further get gets got had has have having he her here hers him his how however i if in into is isn it
its itself just let like ll make makes making may me might mine more most much must my need needs neither
no nor not now of off on once one only onto or other our ours out over own per please put same she should
so some such than that the their theirs them then there these they this those though through to too two
under until up upon us use used user users using ve very via want wants was we well were what when where
whether which while who whom why will with within without would yet you your yours
"""
STOP_WORDS = frozenset(_STOP_WORD_LIST.split())


def tokenize(passage: str) -> list[str]:
    """Return the words of `passage` in order, without stop words; splits camelCase and snake_case.

    Scripts written without spaces yield pairs of neighbouring characters.

    >>> tokenize("Fix the parseHTTPHeader() of core/io_utils.py")
    ['fix', 'parse', 'http', 'header', 'core', 'io', 'utils', 'py']
    >>> tokenize("登录页面")
    ['登录', '录页', '页面']
    """
    normalized = passage if passage.isascii() else unicodedata.normalize("NFKC", passage)
    if "'" in normalized or "\u2019" in normalized:
        normalized = _CONTRACTION.sub("", normalized)
    words: list[str] = []
    for match in _ALPHANUMERIC.findall(normalized):
        if match.islower() and match.isascii():  # shortcut for nearly all words
            words.append(match[:_MAX_WORD_LENGTH])
        else:
            for part in [match] if match.islower() else _CAMEL_BOUNDARY.split(match):
                words.extend(_split_unspaced(part.casefold()))
    return [word for word in words if word not in STOP_WORDS]


def _split_unspaced(word: str) -> list[str]:
    if word.isascii():
        return [word[:_MAX_WORD_LENGTH]]
    pieces: list[str] = []
    for part in _UNSPACED.split(word):
        if part and _UNSPACED.match(part):
            pieces.extend(part[start : start + 2] for start in range(max(1, len(part) - 1)))
        elif part:
            pieces.append(part[:_MAX_WORD_LENGTH])
    return pieces


def stem(word: str) -> str:
    """Return `word` without its most common English endings: crude, but the same for all covered forms.

    >>> [stem(word) for word in ("sorting", "sorted", "sorts", "queries", "tables", "table", "class")]
    ['sort', 'sort', 'sort', 'query', 'tabl', 'tabl', 'class']
    """
    if len(word) < 4 or not word.isascii():
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word
