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
from ...common.models import RECORDED_BASES, RunStatus
from ...common.outcomes import FAILED_OUTCOMES, Outcome

BASELINE_RUNS: Final = 500  # runs of a template before the recent ones: enough for a comparison, not too old

_PROMPT_TOKENS: Final = ("cache_read_tokens", "input_tokens", "cache_creation_tokens")

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
    min_difference: float  # smallest relevant ratio of amounts, or difference of shares or rates (0 to 1)


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
    values: dict[SeriesKey, Floats]  # values by run; NaN if unknown or if the run lacks the phase
    models: dict[str | None, CategoricalColumn]  # each run's most expensive model, by phase


def recent_cutoff(created_at: Integers, recent_us: int | None, recent_runs: int | None) -> int | None:
    """Return the start of the recent window: by age from the latest run, or by number of runs."""
    known_times = np.sort(created_at[is_known(created_at)])
    if not len(known_times):
        return None
    if recent_runs is not None:
        return int(known_times[max(0, len(known_times) - recent_runs)])
    return int(known_times[-1]) - (recent_us or 0)


def template_series(runs: ColumnTable, agents: ColumnTable, since: int) -> Iterator[TemplateSeries]:
    """Yield each template that has recent runs, without running runs and runs without a time."""
    created = runs.integers["created_at"]
    ended = is_known(created) & ~runs.categorical["status"].equals(RunStatus.RUNNING)
    templates = runs.categorical["workflow_template"]
    for code in np.unique(templates.codes[ended]).tolist():
        rows = np.flatnonzero(ended & (templates.codes == code))
        rows = rows[np.argsort(created[rows], kind="stable")]
        first = int(np.searchsorted(created[rows], since))
        if first == len(rows):
            continue
        start = max(0, first - BASELINE_RUNS)
        name = None if code == MISSING_CODE else templates.categories[code]
        yield _build_series(name, runs, agents, rows[start:], first - start)


def _build_series(
    template: str | None, runs: ColumnTable, agents: ColumnTable, rows: Integers, recent_from: int
) -> TemplateSeries:
    template_runs = runs.take(rows)
    agent_runs, run_positions = _select_agent_runs(template_runs.integers["key"], agents)
    values: dict[SeriesKey, Floats] = {}
    models: dict[str | None, CategoricalColumn] = {None: template_runs.categorical["model_used"]}
    phases = agent_runs.categorical["phase"]
    for code, phase in [(None, None), *enumerate(phases.categories)]:
        in_phase = np.full(len(agent_runs), True) if code is None else phases.codes == code
        if not in_phase.any():
            continue
        phase_agents, phase_positions = agent_runs.take(in_phase), run_positions[in_phase]
        measures = _phase_measures(phase_agents, phase_positions, len(rows))
        values |= {(phase, measure): by_run for measure, by_run in measures.items()}
        if phase is not None:
            models[phase] = _main_models(phase_agents, phase_positions, len(rows))
    values |= _run_measures(template_runs)
    return TemplateSeries(template, rows, template_runs.integers["created_at"], recent_from, values, models)


def _select_agent_runs(keys: Integers, agents: ColumnTable) -> tuple[ColumnTable, Integers]:
    """Return the agent runs of some runs, and the position of each agent run's run in the keys."""
    run_keys = agents.integers["workflow_key"]  # ascending
    starts, ends = np.searchsorted(run_keys, keys, "left"), np.searchsorted(run_keys, keys, "right")
    counts = ends - starts
    positions = np.repeat(np.arange(len(keys)), counts)
    row_offsets = np.repeat(starts - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
    rows = row_offsets + np.arange(len(positions))
    originals = agents.integers["is_copy"][rows] != 1  # the spending of a copy is counted in its original
    return agents.take(rows[originals]), positions[originals]


def _phase_measures(agents: ColumnTable, positions: Integers, run_count: int) -> dict[str, Floats]:
    """Sum the agent runs of each run; a sum with an unknown part is unknown."""
    integers, seconds = agents.integers, agents.floats["duration_seconds"]
    totals = {
        name: _sum_by_run(integers[name], is_known(integers[name]), positions, run_count)
        for name in (*_PROMPT_TOKENS, "turns", "tool_calls", "tool_errors")
    }
    cache_read, uncached, cache_written = (totals[name] for name in _PROMPT_TOKENS)
    priced = is_recorded(agents) & is_known(integers["cost"])
    outcomes = agents.categorical["outcome"]
    failed = np.logical_or.reduce([outcomes.equals(outcome) for outcome in FAILED_OUTCOMES])
    judged = failed | outcomes.equals(Outcome.SUCCESS)
    any_failed = np.bincount(positions, failed, run_count) > 0
    none_failed = _all_known(judged, positions, run_count)
    return {
        "cost": _sum_by_run(integers["cost"], priced, positions, run_count),
        "failures": np.where(any_failed, 1.0, np.where(none_failed, 0.0, np.nan)),
        "duration": _sum_by_run(seconds, is_known(seconds), positions, run_count),
        "turns": totals["turns"],
        "cache": _ratio(cache_read, cache_read + uncached + cache_written),
        "tool_errors": _ratio(totals["tool_errors"], totals["tool_calls"]),
    }


def _run_measures(runs: ColumnTable) -> dict[SeriesKey, Floats]:
    """Return the measures that a run itself reports: users see its own total, not the sum."""
    cost, status = runs.integers["total_cost"], runs.categorical["status"]
    failed, completed = status.equals(RunStatus.FAILED), status.equals(RunStatus.COMPLETED)
    return {
        (None, "cost"): np.where(is_recorded(runs) & is_known(cost), cost, np.nan),
        (None, "failures"): np.where(failed | completed, failed, np.nan),
        (None, "duration"): runs.floats["duration_seconds"],
    }


def is_recorded(rows: ColumnTable) -> Flags:
    """Return a mask of the rows with a completely recorded cost."""
    basis, lower_bounds = rows.categorical["cost_basis"], rows.integers["lower_bound_cost"]
    has_basis = np.logical_or.reduce([basis.equals(name) for name in RECORDED_BASES])
    recorded: Flags = has_basis & ~(is_known(lower_bounds) & (lower_bounds > 0))
    return recorded


def _sum_by_run(values: Integers | Floats, known: Flags, positions: Integers, run_count: int) -> Floats:
    sums = np.bincount(positions, np.where(known, values, 0), run_count)
    return np.where(_all_known(known, positions, run_count), sums, np.nan)


def _all_known(known: Flags, positions: Integers, run_count: int) -> Flags:
    """Return a mask of the runs that have parts, all of them known."""
    agent_counts = np.bincount(positions, minlength=run_count)
    unknown_counts = np.bincount(positions, ~known, run_count)
    complete: Flags = (agent_counts > 0) & (unknown_counts == 0)
    return complete


def _ratio(numerators: Floats, denominators: Floats) -> Floats:
    ratios: Floats = np.divide(
        numerators, denominators, out=np.full(len(numerators), np.nan), where=denominators > 0
    )
    return ratios


def _main_models(parts: ColumnTable, positions: Integers, run_count: int) -> CategoricalColumn:
    """Return each run's model in a phase: that of its most expensive agent run."""
    codes = np.full(run_count, MISSING_CODE, np.int32)
    cost, models = parts.integers["cost"], parts.categorical["model"]
    order = np.argsort(np.where(is_known(cost), cost, -1), kind="stable")
    codes[positions[order]] = models.codes[order]
    return CategoricalColumn(codes, models.categories)
