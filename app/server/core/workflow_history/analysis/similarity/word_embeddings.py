"""The shipped word table: a word in, meaning and fingerprint out. Reads one file of the package, once.

`word_table.npz` is made by scripts/distil_word_table.py; see docs/similarity.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .tokenizer import stem

HASH_DIMENSIONS = 32
"""Dimensions of the literal part."""

_UNKNOWN_RARITY = 255  # a word that the table does not know is rare: sharing it says much
_UNKNOWN_MEANING = 8  # weight, 1..255; such a word has a name, but little meaning

_MOST_SENSES = 32_768  # words that are remembered, 21 MB

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class WordEmbeddings(NamedTuple):
    """Words with a vector each, the most frequent word first."""

    rows: dict[str, int]
    stems: dict[str, int]  # stem -> row of its most frequent word
    directions: npt.NDArray[np.int8]  # (words, dimensions), all rows about equally long
    weights: npt.NDArray[np.uint8]  # how much a word bears on the meaning of its text
    rarity: npt.NDArray[np.uint8]  # how much it says that two texts share this very word


@cache
def load_word_embeddings() -> WordEmbeddings:
    """Load the shipped table."""
    source = files(__package__) / "word_table.npz"
    with source.open("rb") as stream, np.load(stream) as data:
        words = data["words"].tobytes().decode().split("\n")
        stems: dict[str, int] = {}
        for row, word in enumerate(words):
            stems.setdefault(stem(word), row)
        rows = {word: row for row, word in enumerate(words)}
        return WordEmbeddings(rows, stems, data["directions"], data["weights"], data["rarity"])


class EmbeddingCache:
    """What words add to a text, each worked out once: words in, rows of whole numbers out.

    A row is the word's meaning, followed by its fingerprint.
    """

    def __init__(self) -> None:
        self.width = load_word_embeddings().directions.shape[1]  # of the meaning
        self._row_of: dict[str, int] = {}
        self._rows = np.empty((1_024, self.width + HASH_DIMENSIONS), np.float32)

    def lookup(self, words: Iterable[str]) -> Floats:
        """Return a row for each word. Sums of them are exact, in whatever order: they are whole numbers."""
        known = self._row_of
        if len(known) > _MOST_SENSES:
            known.clear()
        places = [known[word] if word in known else self._learn(word) for word in words]
        return self._rows[places].astype(np.float64)

    def _learn(self, word: str) -> int:
        row = len(self._row_of)
        if row == len(self._rows):
            self._rows = np.concatenate((self._rows, np.empty_like(self._rows)))
        self._rows[row] = _sense(word)
        self._row_of[word] = row
        return row


def _sense(word: str) -> Integers:
    """Return what `word` adds to a text; a word unknown to the table gets a direction of its own.

    The fingerprint is taken of the stem, so that "exports" and "exporting" share it.
    """
    table = load_word_embeddings()
    root = stem(word)
    signs = _signs(root)
    rows = _known_rows(table, word, root)
    if not rows:
        meaning = signs[: table.directions.shape[1]] * (8 * _UNKNOWN_MEANING)
        return np.concatenate((meaning, signs[-HASH_DIMENSIONS:] * _UNKNOWN_RARITY))
    meaning = np.zeros(table.directions.shape[1], np.int64)
    for row in rows:
        meaning += table.directions[row].astype(np.int64) * int(table.weights[row])
    rarity = max(int(table.rarity[row]) for row in rows)
    return np.concatenate((meaning, signs[-HASH_DIMENSIONS:] * rarity))


def _known_rows(table: WordEmbeddings, word: str, root: str) -> tuple[int, ...]:
    """Return the rows of `word`, of its stem, or of the two known words that it is made of."""
    row = table.rows.get(word, table.stems.get(root))
    if row is not None:
        return (row,)
    for cut in range(len(word) - 3, 2, -1):
        head, tail = table.rows.get(word[:cut]), table.rows.get(word[cut:])
        if head is not None and tail is not None:
            return (head, tail)
    return ()


def _signs(root: str) -> Integers:
    """Return 512 signs, +1 or -1, that depend on `root` alone and look like chance.

    >>> _signs("export").shape, sorted(set(_signs("export").tolist()))
    ((512,), [-1, 1])
    """
    digest = blake2b(root.encode("utf-8", "surrogatepass")).digest()
    return np.unpackbits(np.frombuffer(digest, np.uint8)).astype(np.int64) * 2 - 1
