"""Text vectors: turn a request into a vector of small integers, packed as bytes. Compares no texts.

Words are summed as integers, so the order of a passage's words makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from .boilerplate import SENTENCES
from .request_parser import TITLE_WEIGHT, WeightedPassage, parse_request
from .tokenizer import tokenize
from .word_embeddings import HASH_DIMENSIONS, EmbeddingCache, Floats, load_word_embeddings

LITERAL_WEIGHT = 0.15
"""Share of the literal part (word fingerprints) in the squared length."""

_LENGTH = 480.0  # vector length before rounding: dot products stay below 2**24, so float32 is exact
_TOLERATED = 0.45  # similarity to a boilerplate sentence from which a passage counts less
_MOST_WORDS = 2_000  # maximum words of a request
_FINE = 16  # steps in one unit of a passage's weight
_TITLE_FROM = 9 * _FINE  # passages of this weight or more are a title
_SOME_WORDS = 6  # a shorter title allows as much body as a title of this many words
BODY_WEIGHT = 0.3
"""Maximum sum of the body's weights, as a share of the title's."""

Vector = npt.NDArray[np.int8]


def dimensions() -> int:
    """Return the number of dimensions, which is also the number of bytes."""
    return int(load_word_embeddings().directions.shape[1]) + HASH_DIMENSIONS


@lru_cache(maxsize=4_096)
def text_vector(text: str) -> bytes | None:
    """Return the vector of a request, one signed byte per dimension; None if it has no words.

    >>> text_vector("Sort the orders") == text_vector("sort ORDERS!")
    True
    >>> text_vector(" ... ") is None
    True
    """
    words = weighted_tokens(text)
    if not words:
        return None
    senses = _senses()
    sums = (np.array([*words.values()], np.float64) @ senses.lookup(words)).astype(np.int64)
    meaning, fingerprint = sums[: senses.width], sums[senses.width :]
    parts = (_scaled(meaning, 1.0 - LITERAL_WEIGHT), _scaled(fingerprint, LITERAL_WEIGHT))
    squared = sum(share for share, _ in parts)
    if squared == 0.0:
        return None
    rounded = np.rint(np.concatenate([part for _, part in parts]) * (_LENGTH / np.sqrt(squared)))
    vector: Vector = np.minimum(np.maximum(rounded, -127), 127).astype(np.int8)  # np.clip has more overhead
    return vector.tobytes()


def weighted_tokens(text: str) -> dict[str, int]:
    """Return the words of a request with their weights, without stop words.

    >>> weighted_tokens("Sort the orders")
    {'sort': 96, 'orders': 96}
    """
    return _weighted_words(parse_request(text)) or dict.fromkeys(tokenize(text[:_FALLBACK]), 1)


def embed_words(words: Iterable[str]) -> tuple[Floats, Floats]:
    """Return the meaning and the fingerprint of each word, one row each."""
    senses = _senses()
    rows = senses.lookup(words)
    return rows[:, : senses.width], rows[:, senses.width :]


def warm_up() -> None:
    """Load all data for the first vector, so that forked processes inherit it."""
    _templates()


_FALLBACK = 2_000  # characters used of a text that consists only of code, links and commands


def _weighted_words(passages: list[WeightedPassage]) -> dict[str, int]:
    """Return the weight of each word; reduces boilerplate sentences and limits the body."""
    cut = [tokenize(passage.text) for passage in passages]
    weights = [passage.weight * _FINE for passage in passages]
    if len(passages) > 1:
        weights = _with_title(_less_boilerplate(cut, weights))
    title: dict[str, int] = {}
    body: dict[str, int] = {}
    for words, weight in zip(cut, weights, strict=True):
        part = title if weight >= _TITLE_FROM else body
        for word in words if weight else ():
            part[word] = max(part.get(word, 0), weight)
        if len(title) + len(body) > _MOST_WORDS:
            break
    return _balanced(title, body)


def _with_title(weights: list[int]) -> list[int]:
    """Make the first of the heaviest passages the title if no passage is heavy enough."""
    heaviest = max(weights)
    if heaviest >= _TITLE_FROM or heaviest == 0:
        return weights
    first = weights.index(heaviest)
    return [*weights[:first], TITLE_WEIGHT * _FINE, *weights[first + 1 :]]


def _balanced(title: dict[str, int], body: dict[str, int]) -> dict[str, int]:
    """Merge title and body words, limiting the body's total weight to a share of the title's."""
    for word in title:
        body.pop(word, None)
    total = sum(body.values())
    room = BODY_WEIGHT * max(sum(title.values()), _SOME_WORDS * TITLE_WEIGHT * _FINE)
    shrunk = min(1.0, room / total) if total else 1.0
    return title | {word: weight for word, old in body.items() if (weight := round(old * shrunk))}


def _less_boilerplate(passages: list[list[str]], weights: list[int]) -> list[int]:
    """Return the weights, cut by a third per 0.1 of similarity to boilerplate above _TOLERATED."""
    meanings, lengths = _with_lengths(_meanings(passages))
    sentences, their_lengths = _templates()
    # Sums of whole numbers below 2**53 are exact in any order of addition.
    cosines = (meanings @ sentences.T) / np.where(lengths > 0.0, lengths, 1.0)[:, None] / their_lengths
    likeness = cosines.max(axis=1).tolist()
    return [
        round(weight * min(1.0, max(0.0, 1.0 - (alike - _TOLERATED) / 0.3))) if length else weight
        for weight, alike, length in zip(weights, likeness, lengths.tolist(), strict=True)
    ]


def _meanings(passages: Sequence[Iterable[str]]) -> Floats:
    """Return the sum of the meanings of each passage's distinct words, as whole numbers."""
    column_of: dict[str, int] = {}
    there = [
        (row, column_of.setdefault(word, len(column_of)))
        for row, passage in enumerate(passages)
        for word in passage
    ]
    senses = _senses()
    counted = np.zeros((len(passages), len(column_of)))
    if there:
        counted[tuple(np.array(there).T)] = 1.0
    return counted @ senses.lookup(column_of)[:, : senses.width]


def _with_lengths(
    meanings: Floats,
) -> tuple[Floats, Floats]:
    """Return meanings and the length of each."""
    whole = meanings.astype(np.int64)
    return meanings, np.sqrt(np.einsum("ij,ij->i", whole, whole))


@cache
def _senses() -> EmbeddingCache:
    return EmbeddingCache()


@cache
def _templates() -> tuple[Floats, Floats]:
    return _with_lengths(_meanings([tokenize(sentence) for sentence in SENTENCES]))


def _scaled(sums: npt.NDArray[np.int64], share: float) -> tuple[float, Floats]:
    """Return `share`, and `sums` scaled to that squared length; all zeros stay zero, with share 0."""
    length = np.sqrt(np.dot(sums, sums))
    return (share, sums * (np.sqrt(share) / length)) if length else (0.0, sums.astype(np.float64))
