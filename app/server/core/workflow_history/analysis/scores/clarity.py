"""Clarity score: rate how clearly a request is written, from its words alone, not their meaning.

Details added at the end never lower the score, and spaces and line breaks are equivalent. A missing action
verb is missing evidence, not a fault: the text may be in a language whose verbs are not listed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from .base import Score, ScorePart, no_score, saturation_curve, weighted_mean
from .constants import CLARITY_WEIGHTS, HALF_DETAILS, HALF_PIECES, HALF_WORDS, MAX_TEXT

_UNSPACED_SCRIPT = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)
"""Letters of scripts without spaces between words: Thai, Lao, Burmese, Khmer, kana and Han."""

_QUOTED = re.compile(r"""`[^`]{1,80}`|"[^"]{1,80}"|“[^”]{1,80}”|«[^»]{1,80}»|「[^」]{1,80}」""")
_TOKEN = re.compile(r"(?:[\w./~@#$%:+=-]|\(\))+", re.ASCII)
_CODE_NAME = re.compile(
    r"[a-z][A-Z]|[A-Za-z0-9]_[A-Za-z0-9]|\w\w\.\w\w|/[\w-]+\.\w|://|\(\)$|^--[a-z]", re.ASCII
)
"""Patterns of names in code: camelCase, snake_case, module.name, folder/file.ext, URL, call(), --option."""

_PIECE_BREAK = re.compile(r"(?:(?<=\s)|^)(?:[-*•+]|#{1,6}|[0-9]{1,2}[.)])(?:\s|$)|[.!?:;](?:\s|$)")
"""Boundaries between pieces: a list mark, a heading mark or the end of a sentence."""

_WIDE_MARK_TABLE = str.maketrans({0x3002: ". ", 0xFF01: "! ", 0xFF1F: "? ", 0xFF1A: ": ", 0xFF1B: "; "})
"""Full-width punctuation at the end of a sentence, mapped to ASCII with the space that it implies."""

_WIDE_MARK = re.compile("[\u3002\uff01\uff1f\uff1a\uff1b]")

_LIST_NUMBER = re.compile(r"(?:(?<=\s)|^)[0-9]{1,2}[.)](?=\s|$)")

_CRITERION_WORD = re.compile(
    r"(?<![\w-])"
    r"(?:acceptance|criteria|expected|should|must|given|when|then|so that|steps to reproduce)"
    r"(?![\w-])"
)

_VERBS = (
    "add|allow|configure|convert|create|delete|deploy|disable|enable|ensure|extend|fix|generate|handle"
    "|implement|improve|integrate|introduce|investigate|make|migrate|optimi[sz]e|prevent|provide|reduce|refactor"
    "|remove|rename|replace|resolve|rewrite|rotate|save|send|simplify|transform|translate|validate|verify|write"
)
_VERBS_OR_NOUNS = (
    "build|change|clean|display|document|drop|export|extract|import|limit|load|merge|move|return|review|run|set|show"
    "|sort|split|store|support|switch|sync|test|update|upgrade|use"
)
_WORDS_BEFORE_VERB = "to|please|and|then|should|must|can|will|shall|us|let's"
_NO_WORD_PART = r"(?![\w-]|\.\w)"  # excludes `add-on` for `add` and `update.py` for `update`
_PLAIN_VERB = re.compile(rf"(?<![\w./-])({_VERBS}){_NO_WORD_PART}")
_REQUESTED_VERB = re.compile(
    rf"(?:^\W*|(?<![\w-])(?:{_WORDS_BEFORE_VERB}) )({_VERBS_OR_NOUNS}){_NO_WORD_PART}"
)
"""A word that may be a noun counts as a verb only at the start of a piece or after a word like `to`."""


def score(workflow: Mapping[str, Any]) -> Score:
    """Score length (35%), concreteness (35%), structure (15%) and action (15%) of the request."""
    request = workflow.get("nl_input")
    text = _normalize(request) if isinstance(request, str) else ""
    words = _count_words(text)
    if not words:
        return no_score("nl_input")
    pieces = [piece for piece in _PIECE_BREAK.split(text) if any(map(str.isalnum, piece))]
    action = _action_part(text, pieces)
    parts = [_length_part(words), _concreteness_part(text), _structure_part(text, pieces), action]
    return weighted_mean(parts, missing=[] if action else ["a known action verb"])


def _normalize(request: str) -> str:
    """Normalize a text so that equal-looking texts are equal: each run of white space becomes one space."""
    text = " ".join(request.split())[:MAX_TEXT]
    if not text.isascii():
        text = unicodedata.normalize(
            "NFKC", text.translate(_WIDE_MARK_TABLE) if _WIDE_MARK.search(text) else text
        )
    return " ".join(text.split())


def _count_words(text: str) -> float:
    """Count the distinct words; two letters of a script without spaces count as one.

    >>> _count_words("Fix the fix"), _count_words("修复登录")
    (2.0, 2.0)
    """
    unspaced = set() if text.isascii() else set(_UNSPACED_SCRIPT.findall(text))
    tokens = (_UNSPACED_SCRIPT.sub(" ", text) if unspaced else text).casefold().split()
    spaced = {token if token.isalnum() else "".join(filter(str.isalnum, token)) for token in tokens}
    return len(spaced - {""}) + len(unspaced) / 2


def _details(text: str) -> set[str]:
    """Return the concrete details: paths, names in code, numbers and quotations.

    >>> sorted(_details('1. Rename foo_bar in src/a.py to "new name" and/or drop 3 of them'))
    ['3', 'foo_bar', 'new name', 'src/a.py']
    """
    quoted = {match[1:-1].strip() for match in _QUOTED.findall(text)}
    tokens = {match.rstrip(".:=+-") for match in _TOKEN.findall(_LIST_NUMBER.sub(" ", text))}
    return {token for token in tokens if _is_detail(token)} | quoted - {""}


def _is_detail(token: str) -> bool:
    """Return whether a token names a specific thing, in any language.

    >>> [_is_detail(t) for t in ("/api", "and/or", "404", "latest", "userId", "e.g", "--force")]
    [True, False, True, False, True, False, True]
    """
    if token.isalpha() and token[1:].islower():  # shortcut for nearly all words
        return False
    rooted = token.startswith(("/", "./", "../", "~/")) and any(map(str.isalnum, token))
    return rooted or token.count("/") >= 2 or any(map(str.isdigit, token)) or bool(_CODE_NAME.search(token))


def _length_part(words: float) -> ScorePart:
    return ScorePart(
        "length",
        CLARITY_WEIGHTS["length"],
        saturation_curve(words, HALF_WORDS),
        {"different_words": words},
        f"{words:g} different words; {HALF_WORDS:g} would be 50.",
    )


def _concreteness_part(text: str) -> ScorePart:
    details = len(_details(text))
    return ScorePart(
        "concreteness",
        CLARITY_WEIGHTS["concreteness"],
        saturation_curve(details, HALF_DETAILS),
        {"details": details},
        f"{details} paths, names in code, numbers or quotations; {HALF_DETAILS:g} would be 50.",
    )


def _structure_part(text: str, pieces: list[str]) -> ScorePart:
    criteria = len(set(_CRITERION_WORD.findall(text.casefold())))
    return ScorePart(
        "structure",
        CLARITY_WEIGHTS["structure"],
        saturation_curve(len(pieces) + criteria, HALF_PIECES),
        {"pieces": len(pieces), "criteria_words": criteria},
        f"Sentences or items: {len(pieces)}, acceptance words: {criteria}; {HALF_PIECES:g} are 50.",
    )


def _action_part(text: str, pieces: list[str]) -> ScorePart | None:
    """Score 100 if a known verb names an action, None if there is none."""
    phrases = (_REQUESTED_VERB.search(piece.casefold()) for piece in pieces)
    match = _PLAIN_VERB.search(text.casefold()) or next(filter(None, phrases), None)
    if match is None:
        return None
    return ScorePart(
        "action", CLARITY_WEIGHTS["action"], 100.0, {"verb": match[1]}, f'Says what to do: "{match[1]}".'
    )
