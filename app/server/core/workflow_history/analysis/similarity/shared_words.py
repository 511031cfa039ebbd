"""Explain a text similarity: find the words that two requests share. Pure.

A vector is a sum over words, so the cosine of two requests is a sum over pairs of words. Only the
rounding of vectors to whole numbers is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .text_vectors import LITERAL_WEIGHT, embed_words, weighted_tokens
from .tokenizer import stem
from .word_embeddings import Floats

MAX_WORDS = 200
"""Maximum words per text, the heaviest ones: the others add next to nothing."""

MIN_CONTRIBUTION = 0.01
"""Minimum contribution to the cosine for a pair to be listed."""

_DECIMALS = 9
"""Decimals of contributions before they are compared: the last digits differ between processors."""


class WordMatch(NamedTuple):
    """A word of each text, and the contribution of the pair."""

    one: str
    other: str
    gave: float  # contribution to the cosine; all pairs, negative ones too, add up to it


class SharedWords(NamedTuple):
    """Words that two texts have in common."""

    shared: tuple[WordMatch, ...]  # pairs of the same word in any form, strongest first
    akin: tuple[WordMatch, ...]  # pairs of related words, each in only one of the texts


def shared_words(one: str, other: str, most: int = 6) -> SharedWords:
    """Return the strongest pairs of words, at most `most` of each kind.

    >>> found = shared_words("Export suppliers as CSV", "CSV exports of orders")
    >>> sorted(bond.one for bond in found.shared)
    ['csv', 'export']
    """
    mine, theirs = _heaviest(one), _heaviest(other)
    if not mine or not theirs:
        return SharedWords((), ())
    gave = _amounts(mine, theirs)
    same = (
        np.array([stem(word) for word in mine])[:, None] == np.array([stem(word) for word in theirs])[None, :]
    )
    names = list(mine), list(theirs)
    alone = ~same.any(axis=1)[:, None] & ~same.any(axis=0)[None, :]
    shared, akin = np.where(same, gave, 0.0), np.where(alone, gave, 0.0)
    return SharedWords(_strongest(names, shared, most), _strongest(names, akin, most))


def missing_words(text: str, other: str, most: int = 8) -> tuple[str, ...]:
    """Return the heaviest words of a text that the other text lacks in any form.

    >>> missing_words("Export suppliers as CSV", "Exporting the orders as CSV")
    ('suppliers',)
    """
    roots = {stem(word) for word in weighted_tokens(other)}
    return tuple([word for word in _heaviest(text) if stem(word) not in roots][:most])


def _heaviest(text: str) -> dict[str, int]:
    words = weighted_tokens(text)
    ordered = sorted(words.items(), key=lambda item: -item[1])[:MAX_WORDS]
    return dict(ordered)


def _amounts(mine: Mapping[str, int], theirs: Mapping[str, int]) -> Floats:
    """Return the contribution of each pair of words to the cosine of the two texts."""
    total = np.zeros((len(mine), len(theirs)))
    halves = zip(_halves(mine), _halves(theirs), (1.0 - LITERAL_WEIGHT, LITERAL_WEIGHT), strict=True)
    for left, right, share in halves:
        lengths = _length(left) * _length(right)
        if lengths:
            total += (left @ right.T) * (share / lengths)
    return np.round(total, _DECIMALS)


def _halves(words: Mapping[str, int]) -> tuple[Floats, Floats]:
    """Return each word's contribution to its text's meaning and fingerprint vectors."""
    meanings, fingerprints = embed_words(words)
    weights = np.array([*words.values()], np.float64)[:, None]
    return meanings * weights, fingerprints * weights


def _length(rows: Floats) -> float:
    total = rows.sum(axis=0)
    return float(np.sqrt(np.dot(total, total)))


def _strongest(names: tuple[Sequence[str], Sequence[str]], gave: Floats, most: int) -> tuple[WordMatch, ...]:
    """Return the strongest pairs; each word is in at most one of them."""
    found: list[WordMatch] = []
    seen: tuple[set[str], set[str]] = (set(), set())
    for place in np.argsort(-gave, axis=None, kind="stable").tolist():
        row, column = divmod(place, gave.shape[1])
        bond = WordMatch(names[0][row], names[1][column], float(gave[row, column]))
        if bond.gave < MIN_CONTRIBUTION or len(found) == most:
            break
        if bond.one not in seen[0] and bond.other not in seen[1]:
            found.append(bond)
            seen[0].add(bond.one)
            seen[1].add(bond.other)
    return tuple(found)
