"""Load the past runs for forecasts: an open history in, arrays and text vectors out."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ...analysis.forecast.past_runs import COLUMNS, PastRuns, Vectors, build_past, to_float32
from ...analysis.similarity.text_vectors import dimensions, text_vector
from ...common.column_data import Integers
from ...common.plausible_dates import resolve_now
from ...similarity import MODEL_VERSION
from ...storage.history import History
from ..implausible_dates import mask_implausible_dates

MAX_VECTORS: Final = 500
"""Maximum number of latest requests without a stored vector to embed; the next sync embeds the others."""


class TextVectors(NamedTuple):
    """Text vectors of the requests of runs."""

    vectors: Vectors  # one row per run, of length 1; zero if there is no text
    missing: int  # number of runs without a vector, stored since the last comparison


def load_past_runs(history: History, now: datetime | None = None) -> PastRuns:
    """Load all runs; those with an implausible date count as invalid_timestamps."""
    runs, invalid_timestamps = mask_implausible_dates(history.columns("runs", COLUMNS), resolve_now(now))
    return build_past(runs, len(invalid_timestamps))


def load_text_vectors(history: History, past: PastRuns, rows: Integers) -> TextVectors:
    """Load the text vectors of some runs; compute missing ones from the requests."""
    keys = past.keys[rows]
    stored, stored_vectors = history.similarity().vectors_of(MODEL_VERSION, np.sort(keys).tolist())
    empty_vector = bytes(dimensions())
    table = np.frombuffer(b"".join([vector or empty_vector for vector in stored_vectors]), np.int8)
    order = np.argsort(keys)
    positions = order[np.searchsorted(keys, np.array(stored, np.int64), sorter=order)]
    vectors = np.zeros((len(keys), dimensions()), np.int8)
    vectors[positions] = table.reshape(-1, dimensions())
    has_vector = np.zeros(len(keys), np.bool_)
    has_vector[positions] = True
    missing_rows = np.flatnonzero(~has_vector)
    for position, vector in _embed_requests(history, keys, missing_rows[-MAX_VECTORS:]):
        vectors[position] = vector
    return TextVectors(to_float32(vectors), max(0, len(missing_rows) - MAX_VECTORS))


def embed_request(text: str) -> Vectors:
    """Compute the vector of a request, of length 1; zero if it has no words."""
    vector = text_vector(text) or bytes(dimensions())
    return to_float32(np.frombuffer(vector, np.int8).reshape(1, -1))


def _embed_requests(
    history: History, keys: Integers, positions: Integers
) -> list[tuple[int, npt.NDArray[np.int8]]]:
    requests = {row[0]: row[1] for row in history.similarity().features(keys[positions].tolist())}
    embedded = []
    for position, key in zip(positions.tolist(), keys[positions].tolist(), strict=True):
        vector = text_vector(requests.get(key) or "")
        if vector is not None:
            embedded.append((position, np.frombuffer(vector, np.int8)))
    return embedded
