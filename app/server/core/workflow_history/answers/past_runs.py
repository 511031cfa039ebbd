"""Read the past that forecasts are made from: an open history in, arrays and text vectors out."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ..columns import Integers
from ..dating import clock
from ..forecasting.past import COLUMNS, Past, Vectors, past_of, text_vectors
from ..likeness.vectors import text_vector, vector_size
from ..similarity import MODEL_VERSION
from ..store.history import History
from .misdated import dated

MOST_TEXTS: Final = 500
"""Requests without a stored vector that are read at a time, the latest: the next sync does the others."""


class Texts(NamedTuple):
    """What runs ask for, as far as it can be compared."""

    vectors: Vectors  # a row for each run, of length 1; zero where there is no text
    missing: int  # runs that were written since the last sync compared them, and are not


def read_past(history: History, now: datetime | None = None) -> Past:
    """Return all runs that can have been made when they say."""
    runs, misdated = dated(history.columns("runs", COLUMNS), clock(now))
    return past_of(runs, len(misdated))


def read_texts(history: History, past: Past, rows: Integers) -> Texts:
    """Return the text vectors of some runs, those that are missing made of the requests."""
    keys = past.keys[rows]
    stored, found = history.similarity().vectors_of(MODEL_VERSION, np.sort(keys).tolist())
    nothing = bytes(vector_size())
    table = np.frombuffer(b"".join([vector or nothing for vector in found]), np.int8)
    order = np.argsort(keys)
    places = order[np.searchsorted(keys, np.array(stored, np.int64), sorter=order)]
    vectors = np.zeros((len(keys), vector_size()), np.int8)
    vectors[places] = table.reshape(-1, vector_size())
    there = np.zeros(len(keys), np.bool_)
    there[places] = True
    lacking = np.flatnonzero(~there)
    for place, vector in _made(history, keys, lacking[-MOST_TEXTS:]):
        vectors[place] = vector
    return Texts(text_vectors(vectors), max(0, len(lacking) - MOST_TEXTS))


def read_request(text: str) -> Vectors:
    """Return the vector of a request, of length 1; zero where it has no words."""
    vector = text_vector(text) or bytes(vector_size())
    return text_vectors(np.frombuffer(vector, np.int8).reshape(1, -1))


def _made(history: History, keys: Integers, places: Integers) -> list[tuple[int, npt.NDArray[np.int8]]]:
    requests = {row[0]: row[1] for row in history.similarity().compared(keys[places].tolist())}
    made = []
    for place, key in zip(places.tolist(), keys[places].tolist(), strict=True):
        vector = text_vector(requests.get(key) or "")
        if vector is not None:
            made.append((place, np.frombuffer(vector, np.int8)))
    return made
