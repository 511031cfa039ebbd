"""Explain a text similarity: find the words that two requests share. Pure.

A vector is a sum over words, so the cosine of two requests is a sum over pairs of words. Only the
rounding of vectors to whole numbers is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...common.column_data import Floats
from .text_vectors import LITERAL_WEIGHT, embed_words, weighted_tokens
from .tokenizer import stem

MAX_WORDS = 200
"""Maximum words per text, the heaviest ones: the others add next to nothing."""

MIN_CONTRIBUTION = 0.01
"""Minimum contribution to the cosine for a pair to be listed."""

_DECIMALS = 9
"""Decimals of contributions before they are compared: the last digits differ between processors."""


class WordMatch(NamedTuple):
    """A word of each text, and the contribution of the pair."""

    word: str
    other: str
    contribution: float  # contribution to the cosine; all pairs, negative ones too, add up to it


class SharedWords(NamedTuple):
    """Words that two texts have in common."""

    shared: tuple[WordMatch, ...]  # pairs of the same word in any form, strongest first
    related: tuple[WordMatch, ...]  # pairs of related words, each in only one of the texts


def shared_words(text: str, other: str, limit: int = 6) -> SharedWords:
    """Return the strongest pairs of words, at most `limit` of each kind.

    >>> found = shared_words("Export suppliers as CSV", "CSV exports of orders")
    >>> sorted(match.word for match in found.shared)
    ['csv', 'export']
    """
    words, other_words = _heaviest_words(text), _heaviest_words(other)
    if not words or not other_words:
        return SharedWords((), ())
    contributions = _pair_contributions(words, other_words)
    same = (
        np.array([stem(word) for word in words])[:, None]
        == np.array([stem(word) for word in other_words])[None, :]
    )
    names = list(words), list(other_words)
    unshared = ~same.any(axis=1)[:, None] & ~same.any(axis=0)[None, :]
    shared, related = np.where(same, contributions, 0.0), np.where(unshared, contributions, 0.0)
    return SharedWords(_strongest_pairs(names, shared, limit), _strongest_pairs(names, related, limit))


def missing_words(text: str, other: str, limit: int = 8) -> tuple[str, ...]:
    """Return the heaviest words of a text that the other text lacks in any form.

    >>> missing_words("Export suppliers as CSV", "Exporting the orders as CSV")
    ('suppliers',)
    """
    other_stems = {stem(word) for word in weighted_tokens(other)}
    return tuple([word for word in _heaviest_words(text) if stem(word) not in other_stems][:limit])


def _heaviest_words(text: str) -> dict[str, int]:
    return dict(sorted(weighted_tokens(text).items(), key=lambda item: -item[1])[:MAX_WORDS])


def _pair_contributions(words: Mapping[str, int], other_words: Mapping[str, int]) -> Floats:
    """Return the contribution of each pair of words to the cosine of the two texts."""
    total = np.zeros((len(words), len(other_words)))
    embeddings = zip(
        _weighted_embeddings(words),
        _weighted_embeddings(other_words),
        (1.0 - LITERAL_WEIGHT, LITERAL_WEIGHT),
        strict=True,
    )
    for vectors, other_vectors, share in embeddings:
        lengths = _text_length(vectors) * _text_length(other_vectors)
        if lengths:
            total += (vectors @ other_vectors.T) * (share / lengths)
    return np.round(total, _DECIMALS)


def _weighted_embeddings(words: Mapping[str, int]) -> tuple[Floats, Floats]:
    """Return each word's contribution to its text's meaning and fingerprint vectors."""
    meanings, fingerprints = embed_words(words)
    weights = np.array([*words.values()], np.float64)[:, None]
    return meanings * weights, fingerprints * weights


def _text_length(rows: Floats) -> float:
    total = rows.sum(axis=0)
    return float(np.sqrt(np.dot(total, total)))


def _strongest_pairs(
    words: tuple[Sequence[str], Sequence[str]], contributions: Floats, limit: int
) -> tuple[WordMatch, ...]:
    """Return the strongest pairs; each word is in at most one of them."""
    pairs: list[WordMatch] = []
    used: tuple[set[str], set[str]] = (set(), set())
    for index in np.argsort(-contributions, axis=None, kind="stable").tolist():
        row, column = divmod(index, contributions.shape[1])
        pair = WordMatch(words[0][row], words[1][column], float(contributions[row, column]))
        if pair.contribution < MIN_CONTRIBUTION or len(pairs) == limit:
            break
        if pair.word not in used[0] and pair.other not in used[1]:
            pairs.append(pair)
            used[0].add(pair.word)
            used[1].add(pair.other)
    return tuple(pairs)
