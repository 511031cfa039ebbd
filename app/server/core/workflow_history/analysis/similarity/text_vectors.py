"""Text vectors: turn a request into a vector of small integers, packed as bytes. Compares no texts.

Words are summed as integers, so the order of a passage's words makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from ...common.column_data import Floats
from .boilerplate import SENTENCES
from .request_parser import TITLE_WEIGHT, WeightedPassage, parse_request
from .tokenizer import tokenize
from .word_embeddings import HASH_DIMENSIONS, EmbeddingCache, load_word_embeddings

LITERAL_WEIGHT = 0.15
"""Share of the literal part (word fingerprints) in the squared length."""

_VECTOR_LENGTH = 480.0  # vector length before rounding: dot products stay below 2**24, so float32 is exact
_BOILERPLATE_SIMILARITY = 0.45  # similarity to a boilerplate sentence from which a passage counts less
_MAX_WORDS = 2_000  # maximum words of a request
_MAX_FALLBACK_CHARS = 2_000  # characters used of a text that consists only of code, links and commands
_WEIGHT_STEPS = 16  # steps in one unit of a passage's weight
_MIN_TITLE_WEIGHT = 9 * _WEIGHT_STEPS  # passages of this weight or more are a title
_MIN_TITLE_WORDS = 6  # a shorter title allows as much body as a title of this many words
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
    embeddings = _embedding_cache()
    sums = (np.array([*words.values()], np.float64) @ embeddings.lookup(words)).astype(np.int64)
    meaning, fingerprint = sums[: embeddings.width], sums[embeddings.width :]
    parts = (_scale_to_share(meaning, 1.0 - LITERAL_WEIGHT), _scale_to_share(fingerprint, LITERAL_WEIGHT))
    squared_length = sum(share for share, _ in parts)
    if squared_length == 0.0:
        return None
    rounded = np.rint(
        np.concatenate([component for _, component in parts]) * (_VECTOR_LENGTH / np.sqrt(squared_length))
    )
    vector: Vector = np.minimum(np.maximum(rounded, -127), 127).astype(np.int8)  # np.clip has more overhead
    return vector.tobytes()


def weighted_tokens(text: str) -> dict[str, int]:
    """Return the words of a request with their weights, without stop words.

    >>> weighted_tokens("Sort the orders")
    {'sort': 96, 'orders': 96}
    """
    return _weighted_words(parse_request(text)) or dict.fromkeys(tokenize(text[:_MAX_FALLBACK_CHARS]), 1)


def embed_words(words: Iterable[str]) -> tuple[Floats, Floats]:
    """Return the meaning and the fingerprint of each word, one row each."""
    embeddings = _embedding_cache()
    rows = embeddings.lookup(words)
    return rows[:, : embeddings.width], rows[:, embeddings.width :]


def warm_up() -> None:
    """Load all data for the first vector, so that forked processes inherit it."""
    _boilerplate_meanings()


def _weighted_words(passages: list[WeightedPassage]) -> dict[str, int]:
    """Return the weight of each word; reduces boilerplate sentences and limits the body."""
    tokens_by_passage = [tokenize(passage.text) for passage in passages]
    weights = [passage.weight * _WEIGHT_STEPS for passage in passages]
    if len(passages) > 1:
        weights = _promote_title(_reduce_boilerplate(tokens_by_passage, weights))
    title: dict[str, int] = {}
    body: dict[str, int] = {}
    for words, weight in zip(tokens_by_passage, weights, strict=True):
        target = title if weight >= _MIN_TITLE_WEIGHT else body
        for word in words if weight else ():
            target[word] = max(target.get(word, 0), weight)
        if len(title) + len(body) > _MAX_WORDS:
            break
    return _limit_body(title, body)


def _promote_title(weights: list[int]) -> list[int]:
    """Make the first of the heaviest passages the title if no passage is heavy enough."""
    heaviest = max(weights)
    if heaviest >= _MIN_TITLE_WEIGHT or heaviest == 0:
        return weights
    first = weights.index(heaviest)
    return [*weights[:first], TITLE_WEIGHT * _WEIGHT_STEPS, *weights[first + 1 :]]


def _limit_body(title: dict[str, int], body: dict[str, int]) -> dict[str, int]:
    """Merge title and body words, limiting the body's total weight to a share of the title's."""
    for word in title:
        body.pop(word, None)
    total = sum(body.values())
    max_total = BODY_WEIGHT * max(sum(title.values()), _MIN_TITLE_WORDS * TITLE_WEIGHT * _WEIGHT_STEPS)
    factor = min(1.0, max_total / total) if total else 1.0
    return title | {
        word: weight for word, full_weight in body.items() if (weight := round(full_weight * factor))
    }


def _reduce_boilerplate(passages: list[list[str]], weights: list[int]) -> list[int]:
    """Return the weights, cut by a third per 0.1 of similarity to boilerplate above _TOLERATED."""
    meanings, lengths = _with_lengths(_meanings(passages))
    sentences, sentence_lengths = _boilerplate_meanings()
    # Sums of whole numbers below 2**53 are exact in any order of addition.
    cosines = (meanings @ sentences.T) / np.where(lengths > 0.0, lengths, 1.0)[:, None] / sentence_lengths
    similarities = cosines.max(axis=1).tolist()
    return [
        round(weight * min(1.0, max(0.0, 1.0 - (similarity - _BOILERPLATE_SIMILARITY) / 0.3)))
        if length
        else weight
        for weight, similarity, length in zip(weights, similarities, lengths.tolist(), strict=True)
    ]


def _meanings(passages: Sequence[Iterable[str]]) -> Floats:
    """Return the sum of the meanings of each passage's distinct words, as whole numbers."""
    columns: dict[str, int] = {}
    entries = [
        (row, columns.setdefault(word, len(columns)))
        for row, passage in enumerate(passages)
        for word in passage
    ]
    embeddings = _embedding_cache()
    occurrences = np.zeros((len(passages), len(columns)))
    if entries:
        occurrences[tuple(np.array(entries).T)] = 1.0
    return occurrences @ embeddings.lookup(columns)[:, : embeddings.width]


def _with_lengths(meanings: Floats) -> tuple[Floats, Floats]:
    """Return meanings and the length of each."""
    integers = meanings.astype(np.int64)
    return meanings, np.sqrt(np.einsum("ij,ij->i", integers, integers))


@cache
def _embedding_cache() -> EmbeddingCache:
    return EmbeddingCache()


@cache
def _boilerplate_meanings() -> tuple[Floats, Floats]:
    return _with_lengths(_meanings([tokenize(sentence) for sentence in SENTENCES]))


def _scale_to_share(sums: npt.NDArray[np.int64], share: float) -> tuple[float, Floats]:
    """Return `share`, and `sums` scaled to that squared length; all zeros stay zero, with share 0."""
    length = np.sqrt(np.dot(sums, sums))
    return (share, sums * (np.sqrt(share) / length)) if length else (0.0, sums.astype(np.float64))
