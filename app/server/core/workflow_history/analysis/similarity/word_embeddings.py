"""Word embeddings: look up the meaning and fingerprint of words. Reads one file of the package, once.

`word_table.npz` is built by scripts/distil_word_table.py; see docs/similarity.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...common.column_data import Floats, Integers
from .tokenizer import stem

HASH_DIMENSIONS = 32
"""Number of dimensions of the literal part."""

_UNKNOWN_RARITY = 255  # a word missing from the table is rare: sharing it is strong evidence
_UNKNOWN_WEIGHT = 8  # weight, 1 to 255; a missing word has little known meaning

_MAX_CACHED_WORDS = 32_768  # maximum cached words, 21 MB


class WordEmbeddings(NamedTuple):
    """Words with a vector each, the most frequent word first."""

    rows: dict[str, int]
    stems: dict[str, int]  # stem -> row of its most frequent word
    directions: npt.NDArray[np.int8]  # (words, dimensions), all rows about equally long
    weights: npt.NDArray[np.uint8]  # weight of a word in the meaning of its text
    rarity: npt.NDArray[np.uint8]  # weight of two texts sharing exactly this word


@cache
def load_word_embeddings() -> WordEmbeddings:
    """Load the shipped word table."""
    source = files(__package__) / "word_table.npz"
    with source.open("rb") as stream, np.load(stream) as data:
        words = data["words"].tobytes().decode().split("\n")
        stems: dict[str, int] = {}
        for row, word in enumerate(words):
            stems.setdefault(stem(word), row)
        rows = {word: row for row, word in enumerate(words)}
        return WordEmbeddings(rows, stems, data["directions"], data["weights"], data["rarity"])


class EmbeddingCache:
    """Cache of word vectors: each word's row of whole numbers is computed once.

    A row is the word's meaning, followed by its fingerprint.
    """

    def __init__(self) -> None:
        self.width = load_word_embeddings().directions.shape[1]  # dimensions of the meaning
        self._row_of: dict[str, int] = {}
        self._rows = np.empty((1_024, self.width + HASH_DIMENSIONS), np.float32)

    def lookup(self, words: Iterable[str]) -> Floats:
        """Return a row for each word. Rows are whole numbers, so their sums are exact in any order."""
        row_of = self._row_of
        if len(row_of) > _MAX_CACHED_WORDS:
            row_of.clear()
        rows = [row_of[word] if word in row_of else self._add(word) for word in words]
        return self._rows[rows].astype(np.float64)

    def _add(self, word: str) -> int:
        row = len(self._row_of)
        if row == len(self._rows):
            self._rows = np.concatenate((self._rows, np.empty_like(self._rows)))
        self._rows[row] = _compute_embedding(word)
        self._row_of[word] = row
        return row


def _compute_embedding(word: str) -> Integers:
    """Compute the row of `word`; a word missing from the table gets its own pseudorandom direction.

    The fingerprint is that of the stem, so that "exports" and "exporting" share it.
    """
    table = load_word_embeddings()
    word_stem = stem(word)
    signs = _hashed_signs(word_stem)
    rows = _known_rows(table, word, word_stem)
    if not rows:
        meaning = signs[: table.directions.shape[1]] * (8 * _UNKNOWN_WEIGHT)
        return np.concatenate((meaning, signs[-HASH_DIMENSIONS:] * _UNKNOWN_RARITY))
    meaning = np.zeros(table.directions.shape[1], np.int64)
    for row in rows:
        meaning += table.directions[row].astype(np.int64) * int(table.weights[row])
    rarity = max(int(table.rarity[row]) for row in rows)
    return np.concatenate((meaning, signs[-HASH_DIMENSIONS:] * rarity))


def _known_rows(table: WordEmbeddings, word: str, word_stem: str) -> tuple[int, ...]:
    """Return the table rows of `word`, of its stem, or of the two known words it is composed of."""
    row = table.rows.get(word, table.stems.get(word_stem))
    if row is not None:
        return (row,)
    for split in range(len(word) - 3, 2, -1):
        head, tail = table.rows.get(word[:split]), table.rows.get(word[split:])
        if head is not None and tail is not None:
            return (head, tail)
    return ()


def _hashed_signs(word_stem: str) -> Integers:
    """Return 512 pseudorandom signs, +1 or -1, that depend only on `word_stem`.

    >>> _hashed_signs("export").shape, sorted(set(_hashed_signs("export").tolist()))
    ((512,), [-1, 1])
    """
    digest = blake2b(word_stem.encode("utf-8", "surrogatepass")).digest()
    return np.unpackbits(np.frombuffer(digest, np.uint8)).astype(np.int64) * 2 - 1
