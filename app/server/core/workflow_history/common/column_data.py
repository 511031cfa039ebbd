"""Many rows as columns: the arrays that statistics and forecasts compute with. No file, SQL or clock.

Unknown is UNKNOWN among whole numbers, NaN among real ones and NO_WORD among words: never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

TableName = Literal["runs", "agent_runs", "models", "silent_agents", "run_phases", "run_agents", "run_models"]
Kind = Literal["words", "money", "time", "whole", "real", "flag"]

MISSING_INT: Final = int(np.iinfo(np.int64).min)
"""Stands for an unknown whole number, amount of money, time or flag."""

MISSING_CODE: Final = -1
"""The code of an unknown word."""

_TOKENS: dict[str, Kind] = {
    "input_tokens": "whole",
    "output_tokens": "whole",
    "cache_read_tokens": "whole",
    "cache_creation_tokens": "whole",
}

_SHARES: dict[str, Kind] = {
    "workflow_key": "whole",
    "name": "words",  # of the phase, agent or model
    "cost": "money",  # on record
    "lower_bound_cost": "money",  # spent at least beyond
    "costs_more": "flag",  # more was spent than is on record
    "is_nothing": "flag",  # other streams count all of it, or its streams are empty
    **_TOKENS,
}

COLUMNS: Final[Mapping[TableName, Mapping[str, Kind]]] = {
    "runs": {
        "key": "whole",  # the run's number in this database
        "project": "words",
        "status": "words",  # in lower case
        "workflow_template": "words",
        "issue_class": "words",
        "model_used": "words",  # the costliest
        "cost_basis": "words",  # reported, computed, lower_bound, unpriced
        "source_state": "words",  # present, gone
        "created_at": "time",  # or started, where that alone is known
        "total_cost": "money",  # spent on record
        "lower_bound_cost": "money",  # spent at least beyond the record
        "retry_cost": "money",
        "retry_count": "whole",
        **_TOKENS,
        "total_tokens": "whole",
        "duration_seconds": "real",
        "nl_clarity_score": "real",
        "cost_efficiency_score": "real",
        "performance_score": "real",
        "quality_score": "real",
        "has_error": "flag",  # something is said to have gone wrong
        "is_copy": "flag",  # other runs count all that it spent
    },
    "agent_runs": {
        "workflow_key": "whole",  # the run
        "phase": "words",
        "agent": "words",
        "model": "words",  # the costliest
        "cost_basis": "words",
        "outcome": "words",  # success, error, false_success, stopped, incomplete, empty
        "started_at": "time",
        "cost": "money",
        "lower_bound_cost": "money",
        "retry_cost": "money",
        **_TOKENS,
        "duration_seconds": "real",
        "turns": "whole",
        "tool_calls": "whole",
        "tool_errors": "whole",
        "is_retry": "flag",
        "superseded": "flag",  # a later attempt overwrote the file
        "is_copy": "flag",  # the same spending is counted in another stream
    },
    # what each model took of an agent run; the agent run itself where its shares are unknown
    "models": {
        "workflow_key": "whole",
        "model": "words",
        "cost_basis": "words",
        "cost": "money",
        "lower_bound_cost": "money",
        **_TOKENS,
        "outcome": "words",  # of the agent run; None: a share does not say how it ended
        "is_copy": "flag",
    },
    # agents that left no stream: nothing shows what they spent
    "silent_agents": {
        "workflow_key": "whole",
        "phase": "words",
        "agent": "words",
        "started_at": "time",  # as the state tells
        "duration_seconds": "real",
    },
    # what each run spent in each of its phases, agents and models: the attempts are put together
    "run_phases": {**_SHARES, "duration_seconds": "real", "attempts": "whole"},
    "run_agents": {**_SHARES, "duration_seconds": "real", "attempts": "whole"},
    "run_models": _SHARES,
}
"""What there is: by family, each column and its kind. Money in nanodollars, time in µs since 1970."""


@dataclass(frozen=True, slots=True)
class CategoricalColumn:
    """A column of words, each row a code."""

    codes: npt.NDArray[np.int32]  # place in `words`, or NO_WORD
    categories: tuple[str, ...]  # distinct

    @classmethod
    def from_values(cls, values: Iterable[str | None]) -> Self:
        """Return the column of some words.

        >>> CategoricalColumn.from_values(["plan", None, "plan"]).codes.tolist()
        [0, -1, 0]
        """
        codes: dict[str, int] = {}
        found = [MISSING_CODE if word is None else codes.setdefault(word, len(codes)) for word in values]
        return cls(np.array(found, np.int32), tuple(codes))

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Integers | Flags) -> Self:
        """Return the rows that a mask or numbers name."""
        return type(self)(self.codes[rows], self.categories)

    def code_of(self, word: str) -> int:
        """Return the code of a word; one that no row has where it is not there."""
        return self.categories.index(word) if word in self.categories else -2

    def equals(self, word: str) -> Flags:
        """Tell which rows hold a word."""
        found: Flags = self.codes == self.code_of(word)
        return found

    def to_list(self) -> list[str | None]:
        """Return the words row by row."""
        return [None if code < 0 else self.categories[code] for code in self.codes.tolist()]


@dataclass(frozen=True, slots=True)
class ColumnTable:
    """Some columns of the same rows."""

    family: TableName
    length: int
    categorical: Mapping[str, CategoricalColumn]
    integers: Mapping[str, Integers]  # money, times, counts and flags
    floats: Mapping[str, Floats]

    def __len__(self) -> int:
        return self.length

    def take(self, rows: Integers | Flags) -> ColumnTable:
        """Return the rows that a mask or numbers name."""
        count = int(np.count_nonzero(rows)) if rows.dtype == np.bool_ else len(rows)
        return ColumnTable(
            self.family,
            count,
            {name: column.take(rows) for name, column in self.categorical.items()},
            {name: column[rows] for name, column in self.integers.items()},
            {name: column[rows] for name, column in self.floats.items()},
        )


def is_known(values: Integers | Floats) -> Flags:
    """Tell which values are known.

    >>> is_known(np.array([0, MISSING_INT])).tolist(), is_known(np.array([0.0, np.nan])).tolist()
    ([True, False], [True, False])
    """
    if values.dtype.kind == "f":
        return ~np.isnan(values)
    found: Flags = values != MISSING_INT
    return found


def concat_categories(parts: Sequence[CategoricalColumn]) -> CategoricalColumn:
    """Return columns of words one after the other, as one."""
    places: dict[str, int] = {}
    codes = []
    for part in parts:
        table = np.array(
            [places.setdefault(word, len(places)) for word in part.categories] + [MISSING_CODE], np.int32
        )
        codes.append(table[part.codes])
    return CategoricalColumn(np.concatenate(codes) if codes else np.empty(0, np.int32), tuple(places))
