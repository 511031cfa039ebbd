"""Turn a request into a vector: text in, small integers as bytes out. Never compares two texts.

Words are added up as integers, so the order of a passage's words changes nothing.
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
"""Share of the squared length that the literal part has."""

_LENGTH = 480.0  # of a vector, before rounding: dot products stay below 2**24, so float32 holds them exactly
_TOLERATED = 0.45  # likeness to a template's sentence from which a passage counts less
_MOST_WORDS = 2_000  # of a request
_FINE = 16  # steps in one unit of a passage's weight
_TITLE_FROM = 9 * _FINE  # a passage of this weight is a title
_SOME_WORDS = 6  # a shorter title leaves the body as much room as one of so many words
BODY_WEIGHT = 0.3
"""Sum of the body's weights at most, as a share of the title's."""

Vector = npt.NDArray[np.int8]


def dimensions() -> int:
    """Return the number of dimensions, which is also the number of bytes."""
    return int(load_word_embeddings().directions.shape[1]) + HASH_DIMENSIONS


@lru_cache(maxsize=4_096)
def text_vector(text: str) -> bytes | None:
    """Return the vector of a request, one signed byte per dimension; None where it has no words.

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
    vector: Vector = np.minimum(np.maximum(rounded, -127), 127).astype(np.int8)  # clip takes longer to start
    return vector.tobytes()


def weighted_tokens(text: str) -> dict[str, int]:
    """Return the words of a request that count, and how much each does.

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
    """Load all that the first vector needs, for the processes that are forked from this one."""
    _templates()


_FALLBACK = 2_000  # characters of a text that is nothing but code, links and commands


def _weighted_words(passages: list[WeightedPassage]) -> dict[str, int]:
    """Return what each word counts, templates' sentences weighed down and the body held below the title."""
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
    """Let the first of the heaviest passages be the title, where no passage is heavy enough to be one."""
    heaviest = max(weights)
    if heaviest >= _TITLE_FROM or heaviest == 0:
        return weights
    first = weights.index(heaviest)
    return [*weights[:first], TITLE_WEIGHT * _FINE, *weights[first + 1 :]]


def _balanced(title: dict[str, int], body: dict[str, int]) -> dict[str, int]:
    """Join both, the body's sum of weights cut to a share of what a title of some words has."""
    for word in title:
        body.pop(word, None)
    total = sum(body.values())
    room = BODY_WEIGHT * max(sum(title.values()), _SOME_WORDS * TITLE_WEIGHT * _FINE)
    shrunk = min(1.0, room / total) if total else 1.0
    return title | {word: weight for word, old in body.items() if (weight := round(old * shrunk))}


def _less_boilerplate(passages: list[list[str]], weights: list[int]) -> list[int]:
    """Return the weights, cut by a third for each .1 that a passage comes near a template's sentence."""
    meanings, lengths = _with_lengths(_meanings(passages))
    sentences, their_lengths = _templates()
    # Sums of whole numbers below 2**53: exact, in whatever order a processor adds them up.
    cosines = (meanings @ sentences.T) / np.where(lengths > 0.0, lengths, 1.0)[:, None] / their_lengths
    likeness = cosines.max(axis=1).tolist()
    return [
        round(weight * min(1.0, max(0.0, 1.0 - (alike - _TOLERATED) / 0.3))) if length else weight
        for weight, alike, length in zip(weights, likeness, lengths.tolist(), strict=True)
    ]


def _meanings(passages: Sequence[Iterable[str]]) -> Floats:
    """Return the sum of the meanings of each passage's different words: whole numbers."""
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
    """Return `sums` with a squared length of `share`, after it; all zero stays zero."""
    length = np.sqrt(np.dot(sums, sums))
    return (share, sums * (np.sqrt(share) / length)) if length else (0.0, sums.astype(np.float64))
