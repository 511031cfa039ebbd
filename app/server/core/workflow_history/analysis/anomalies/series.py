"""Time series for anomaly detection: build each run's measures by phase, oldest first, from columns.

The value of a phase covers all its agent runs in a run, superseded attempts included: that is its full
cost. Incompletely recorded values are unknown here: a partial cost would look like a saving.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from ...common.column_data import (
    MISSING_CODE,
    CategoricalColumn,
    ColumnTable,
    Flags,
    Floats,
    Integers,
    is_known,
)

BASELINE_RUNS: Final = 500  # runs of a template before the recent ones: enough for a comparison, not too old

FAILED_OUTCOMES: Final = ("error", "false_success")
_ON_RECORD: Final = ("reported", "computed")

RUN_COLUMNS: Final = (
    "key", "project", "status", "workflow_template", "model_used", "cost_basis", "created_at", "total_cost",
    "lower_bound_cost", "duration_seconds",
)  # fmt: skip
AGENT_COLUMNS: Final = (
    "workflow_key", "phase", "model", "cost_basis", "outcome", "cost", "lower_bound_cost", "input_tokens",
    "cache_read_tokens", "cache_creation_tokens", "duration_seconds", "turns", "tool_calls", "tool_errors",
    "is_copy",
)  # fmt: skip
"""Columns of agent runs that are read from a history."""


class Measure(NamedTuple):
    """One measure to test for changes."""

    kind: Literal[
        "amount", "share", "rate"
    ]  # amounts compare by ratio, shares by difference; rates are 0 or 1
    worse: Literal["more", "less"]
    least: float  # smallest relevant ratio of amounts, or difference of shares or rates (0 to 1)


MEASURES: Final = {
    "cost": Measure("amount", "more", 1.3),  # nanodollars
    "failures": Measure("rate", "more", 0.15),  # 1.0 if failed
    "duration": Measure("amount", "more", 1.3),  # seconds
    "turns": Measure("amount", "more", 1.3),
    "cache": Measure("share", "less", 0.10),  # cache read tokens divided by all input tokens
    "tool_errors": Measure("share", "more", 0.10),  # failed tool calls divided by tool calls
}
"""All measures, most important first."""

SeriesKey = tuple[str | None, str]
"""A phase (None: the run as a whole) and a measure."""


@dataclass(frozen=True, slots=True)
class TemplateSeries:
    """The runs of one template, oldest first, and their measures."""

    template: str | None
    rows: Integers  # positions in the columns of runs
    created_at: Integers  # µs since 1970, ascending
    recent_from: int  # position of the first recent run
    figures: dict[SeriesKey, Floats]  # values by run; NaN if unknown or if the run lacks the phase
    models: dict[str | None, CategoricalColumn]  # each run's most expensive model, by phase


def recent_cutoff(created_at: Integers, recent_us: int | None, recent_runs: int | None) -> int | None:
    """Return the start of the recent window: by age from the latest run, or by number of runs."""
    there = np.sort(created_at[is_known(created_at)])
    if not len(there):
        return None
    if recent_runs is not None:
        return int(there[max(0, len(there) - recent_runs)])
    return int(there[-1]) - (recent_us or 0)


def template_series(runs: ColumnTable, agents: ColumnTable, since: int) -> Iterator[TemplateSeries]:
    """Yield each template that has recent runs, without running runs and runs without a time."""
    created = runs.integers["created_at"]
    ended = is_known(created) & ~runs.categorical["status"].equals("running")
    templates = runs.categorical["workflow_template"]
    for code in np.unique(templates.codes[ended]).tolist():
        rows = np.flatnonzero(ended & (templates.codes == code))
        rows = rows[np.argsort(created[rows], kind="stable")]
        first = int(np.searchsorted(created[rows], since))
        if first == len(rows):
            continue
        start = max(0, first - BASELINE_RUNS)
        name = None if code == MISSING_CODE else templates.categories[code]
        yield _lane(name, runs, agents, rows[start:], first - start)


def _lane(
    template: str | None, runs: ColumnTable, agents: ColumnTable, rows: Integers, recent_from: int
) -> TemplateSeries:
    own = runs.take(rows)
    parts, places = _agents_of(own.integers["key"], agents)
    figures: dict[SeriesKey, Floats] = {}
    models: dict[str | None, CategoricalColumn] = {None: own.categorical["model_used"]}
    phases = parts.categorical["phase"]
    for phase, name in _whole_and(phases.categories):
        chosen = np.full(len(parts), True) if phase is None else phases.codes == phase
        if not chosen.any():
            continue
        some, here = parts.take(chosen), places[chosen]
        figures |= {(name, measure): values for measure, values in _measured(some, here, len(rows)).items()}
        if name is not None:
            models[name] = _models(some, here, len(rows))
    figures |= _of_whole_runs(own)
    return TemplateSeries(template, rows, own.integers["created_at"], recent_from, figures, models)


def _agents_of(keys: Integers, agents: ColumnTable) -> tuple[ColumnTable, Integers]:
    """Return the agent runs of some runs, and the position of each agent run's run in the keys."""
    of = agents.integers["workflow_key"]  # ascending
    starts, ends = np.searchsorted(of, keys, "left"), np.searchsorted(of, keys, "right")
    counts = ends - starts
    places = np.repeat(np.arange(len(keys)), counts)
    first = np.repeat(starts - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
    rows = first + np.arange(len(places))
    kept = agents.integers["is_copy"][rows] != 1  # the spending of a copy is counted in its original
    return agents.take(rows[kept]), places[kept]


def _whole_and(phases: tuple[str, ...]) -> Iterator[tuple[int | None, str | None]]:
    yield None, None
    yield from enumerate(phases)


def _measured(parts: ColumnTable, places: Integers, count: int) -> dict[str, Floats]:
    """Sum the agent runs of each run; a sum with an unknown part is unknown."""
    whole = parts.integers
    outcomes, recorded = parts.categorical["outcome"], is_recorded(parts)
    prompt = ("cache_read_tokens", "input_tokens", "cache_creation_tokens")
    tokens = [_sums(whole[name], is_known(whole[name]), places, count) for name in prompt]
    failed = np.logical_or.reduce([outcomes.equals(word) for word in FAILED_OUTCOMES])
    told = failed | outcomes.equals("success")
    calls = _sums(whole["tool_calls"], is_known(whole["tool_calls"]), places, count)
    errors = _sums(whole["tool_errors"], is_known(whole["tool_errors"]), places, count)
    seconds = parts.floats["duration_seconds"]
    return {
        "cost": _sums(whole["cost"], recorded & is_known(whole["cost"]), places, count),
        "failures": _any(failed, told, places, count),
        "duration": _sums(seconds, is_known(seconds), places, count),
        "turns": _sums(whole["turns"], is_known(whole["turns"]), places, count),
        "cache": _share(tokens[0], tokens[0] + tokens[1] + tokens[2]),
        "tool_errors": _share(errors, calls),
    }


def _of_whole_runs(runs: ColumnTable) -> dict[SeriesKey, Floats]:
    """Return the measures that a run itself reports: users see its own total, not the sum."""
    cost, status = runs.integers["total_cost"], runs.categorical["status"]
    failed, completed = status.equals("failed"), status.equals("completed")
    return {
        (None, "cost"): np.where(is_recorded(runs) & is_known(cost), cost, np.nan),
        (None, "failures"): np.where(failed | completed, failed, np.nan),
        (None, "duration"): runs.floats["duration_seconds"],
    }


def is_recorded(rows: ColumnTable) -> Flags:
    """Return a mask of the rows with a completely recorded cost."""
    basis, beyond = rows.categorical["cost_basis"], rows.integers["lower_bound_cost"]
    told = np.logical_or.reduce([basis.equals(word) for word in _ON_RECORD])
    whole: Flags = told & ~(is_known(beyond) & (beyond > 0))
    return whole


def _sums(values: Integers | Floats, there: Flags, places: Integers, count: int) -> Floats:
    sums = np.bincount(places, np.where(there, values, 0), count)
    return np.where(_whole(there, places, count), sums, np.nan)


def _whole(there: Flags, places: Integers, count: int) -> Flags:
    """Return a mask of the runs that have parts, all of them known."""
    parts, unknown = np.bincount(places, minlength=count), np.bincount(places, ~there, count)
    found: Flags = (parts > 0) & (unknown == 0)
    return found


def _any(failed: Flags, told: Flags, places: Integers, count: int) -> Floats:
    bad = np.bincount(places, failed, count) > 0
    return np.where(bad, 1.0, np.where(_whole(told, places, count), 0.0, np.nan))


def _share(part: Floats, whole: Floats) -> Floats:
    shares: Floats = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return shares


def _models(parts: ColumnTable, places: Integers, count: int) -> CategoricalColumn:
    """Return each run's model in a phase: that of its most expensive agent run."""
    found = np.full(count, MISSING_CODE, np.int32)
    cost, models = parts.integers["cost"], parts.categorical["model"]
    order = np.argsort(np.where(is_known(cost), cost, -1), kind="stable")
    found[places[order]] = models.codes[order]
    return CategoricalColumn(found, models.categories)
