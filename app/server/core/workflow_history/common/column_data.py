"""Column-oriented tables of runs and agent runs for statistics and forecasts. No files, SQL or clock.

An unknown value is MISSING_INT in integer columns, NaN in float columns and MISSING_CODE in
categorical columns: never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
"""Value of an unknown integer, amount of money, time or flag."""

MISSING_CODE: Final = -1
"""Code of an unknown word."""

_TOKEN_COLUMNS: dict[str, Kind] = {
    "input_tokens": "whole",
    "output_tokens": "whole",
    "cache_read_tokens": "whole",
    "cache_creation_tokens": "whole",
}

_SHARE_COLUMNS: dict[str, Kind] = {
    "workflow_key": "whole",
    "name": "words",  # name of the phase, agent or model
    "cost": "money",  # recorded cost
    "lower_bound_cost": "money",  # lower bound of the cost beyond the recorded cost
    "costs_more": "flag",  # whether more was spent than the recorded cost
    "is_nothing": "flag",  # whether nothing was spent: counted in other streams, or only empty streams
    **_TOKEN_COLUMNS,
}

COLUMNS: Final[Mapping[TableName, Mapping[str, Kind]]] = {
    "runs": {
        "key": "whole",  # database key of the run
        "project": "words",
        "status": "words",  # in lower case
        "workflow_template": "words",
        "issue_class": "words",
        "branch_name": "words",
        "issue_number": "words",
        "pull_request": "words",
        "model_used": "words",  # most expensive model
        "cost_basis": "words",  # reported, computed, lower_bound, unpriced
        "source_state": "words",  # present, gone
        "created_at": "time",  # creation time, or the start time if only that is known
        "total_cost": "money",  # recorded cost
        "lower_bound_cost": "money",  # lower bound of the cost beyond the recorded cost
        "retry_cost": "money",
        "retry_count": "whole",
        **_TOKEN_COLUMNS,
        "total_tokens": "whole",
        "duration_seconds": "real",
        "nl_clarity_score": "real",
        "cost_efficiency_score": "real",
        "performance_score": "real",
        "quality_score": "real",
        "has_error": "flag",  # whether the run reports an error
        "is_copy": "flag",  # whether other runs count all of this run's cost
    },
    "agent_runs": {
        "workflow_key": "whole",  # database key of the run
        "phase": "words",
        "agent": "words",
        "model": "words",  # most expensive model
        "cost_basis": "words",
        "outcome": "words",  # success, error, false_success, stopped, incomplete, empty
        "started_at": "time",
        "cost": "money",
        "lower_bound_cost": "money",
        "failed_process_cost": "money",  # cost of processes that failed before the last one
        **_TOKEN_COLUMNS,
        "duration_seconds": "real",
        "turns": "whole",
        "tool_calls": "whole",
        "tool_errors": "whole",
        "retries": "whole",
        "restarts": "whole",
        "superseded": "flag",  # whether a later attempt overwrote the file
        "is_copy": "flag",  # whether another stream counts the same cost
    },
    # share of each model in an agent run; the whole agent run if the shares are unknown
    "models": {
        "workflow_key": "whole",
        "model": "words",
        "cost_basis": "words",
        "cost": "money",
        "lower_bound_cost": "money",
        **_TOKEN_COLUMNS,
        "outcome": "words",  # outcome of the agent run; None for a share of a model
        "is_copy": "flag",
    },
    # agents without a stream, whose cost is therefore unknown
    "silent_agents": {
        "workflow_key": "whole",
        "phase": "words",
        "agent": "words",
        "started_at": "time",  # start time from the run's state file
        "duration_seconds": "real",
    },
    # cost of each run by phase, by agent and by model: all attempts summed
    "run_phases": {**_SHARE_COLUMNS, "duration_seconds": "real", "attempts": "whole"},
    "run_agents": {**_SHARE_COLUMNS, "duration_seconds": "real", "attempts": "whole"},
    "run_models": _SHARE_COLUMNS,
}
"""Columns of each table with their kinds. Money is in nanodollars, time in µs since 1970."""


@dataclass(frozen=True, slots=True)
class CategoricalColumn:
    """A column of words that stores one integer code per row."""

    codes: npt.NDArray[np.int32]  # index in `categories`, or MISSING_CODE
    categories: tuple[str, ...]  # distinct words

    @classmethod
    def from_values(
        cls, values: Iterable[str | None], normalize: Callable[[str | None], str | None] | None = None
    ) -> Self:
        """Build a column from words; None is unknown. `normalize` is called once for each distinct value.

        >>> CategoricalColumn.from_values(["plan", None, "plan"]).codes.tolist()
        [0, -1, 0]
        """
        values = list(values)
        code_by_word: dict[str, int] = {}
        code_by_value: dict[str | None, int] = {}
        for value in dict.fromkeys(values):
            word = value if normalize is None else normalize(value)
            code = MISSING_CODE if word is None else code_by_word.setdefault(word, len(code_by_word))
            code_by_value[value] = code
        codes = np.fromiter(map(code_by_value.__getitem__, values), np.int32, len(values))
        return cls(codes, tuple(code_by_word))

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Integers | Flags) -> Self:
        """Return the rows selected by a boolean mask or by row numbers."""
        return type(self)(self.codes[rows], self.categories)

    def code_of(self, word: str) -> int:
        """Return the code of a word, or -2, which no row has, if the column lacks the word."""
        return self.categories.index(word) if word in self.categories else -2

    def equals(self, word: str) -> Flags:
        """Return a mask of the rows that are equal to a word."""
        mask: Flags = self.codes == self.code_of(word)
        return mask

    def to_list(self) -> list[str | None]:
        """Return the words row by row; None is unknown."""
        return [None if code < 0 else self.categories[code] for code in self.codes.tolist()]


@dataclass(frozen=True, slots=True)
class ColumnTable:
    """Columns of one table, all of the same length."""

    family: TableName
    length: int
    categorical: Mapping[str, CategoricalColumn]
    integers: Mapping[str, Integers]  # money, times, counts and flags
    floats: Mapping[str, Floats]

    def __len__(self) -> int:
        return self.length

    def take(self, rows: Integers | Flags) -> ColumnTable:
        """Return the rows selected by a boolean mask or by row numbers."""
        count = int(np.count_nonzero(rows)) if rows.dtype == np.bool_ else len(rows)
        return ColumnTable(
            self.family,
            count,
            {name: column.take(rows) for name, column in self.categorical.items()},
            {name: column[rows] for name, column in self.integers.items()},
            {name: column[rows] for name, column in self.floats.items()},
        )


def is_known(values: Integers | Floats) -> Flags:
    """Return a mask of the known values.

    >>> is_known(np.array([0, MISSING_INT])).tolist(), is_known(np.array([0.0, np.nan])).tolist()
    ([True, False], [True, False])
    """
    if values.dtype.kind == "f":
        return ~np.isnan(values)
    known: Flags = values != MISSING_INT
    return known


def concat_categories(columns: Sequence[CategoricalColumn]) -> CategoricalColumn:
    """Concatenate categorical columns and merge their categories."""
    code_by_word: dict[str, int] = {}
    codes = []
    for column in columns:
        new_codes = np.array(
            [code_by_word.setdefault(word, len(code_by_word)) for word in column.categories] + [MISSING_CODE],
            np.int32,
        )
        codes.append(new_codes[column.codes])
    return CategoricalColumn(np.concatenate(codes) if codes else np.empty(0, np.int32), tuple(code_by_word))
