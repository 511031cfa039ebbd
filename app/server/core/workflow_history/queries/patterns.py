"""Find recurring patterns and estimate the savings of scripts: a filter in, ranked patterns out.

Used by the Python API, the CLI and REST.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np

from .. import database
from ..analysis.patterns.ranking import ScoredPattern, is_automatable, rank_patterns
from ..analysis.patterns.records import PatternTotals
from ..analysis.patterns.savings import DEFAULT_RESIDUAL_COST, known_cost
from ..common.column_data import MISSING_INT
from ..common.errors import InvalidValueError, PatternNotFoundError
from ..common.filters import RunFilter
from ..common.models import PatternKind, PatternStatus
from ..common.plausible_dates import from_microseconds, resolve_now
from ..common.spending import to_usd
from ..common.urls import files_folder
from ..storage.history import History
from ..storage.reading.patterns import PatternExample
from .check_names import matching_keys, resolve_pattern
from .implausible_dates import mask_implausible_dates
from .pattern_records import (
    ExampleRun,
    PatternDecision,
    PatternDetail,
    PatternReport,
    RunPeriod,
    to_ranked_pattern,
)

PATTERN_KINDS: Final[tuple[str, ...]] = tuple(PatternKind)
PATTERN_STATUSES: Final[tuple[str, ...]] = tuple(PatternStatus)
DEFAULT_STATUSES: Final[tuple[PatternStatus, ...]] = (PatternStatus.DETECTED, PatternStatus.ACCEPTED)
DEFAULT_EXAMPLES: Final = 5  # examples per pattern


def find_patterns(
    where: RunFilter | None = None,
    *,
    kinds: Sequence[str] | None = None,
    statuses: Sequence[str] = DEFAULT_STATUSES,
    limit: int | None = None,
    residual_cost: float = DEFAULT_RESIDUAL_COST,
    everything: bool = False,
) -> PatternReport:
    """Return the patterns in the runs of a filter, highest risk-adjusted savings first.

    Without `kinds` only scriptable patterns are returned: commands and their sequences. With `kinds` all
    patterns of these kinds are returned, also phases and tools that a script cannot replace. `everything`
    returns all kinds, including patterns covered by another one. `residual_cost` is the residual cost.
    Raises InvalidQueryError if a kind or status is unknown, the limit is below 1, or `residual_cost` is not
    within 0 and 1.
    """
    _check_choices("kind", kinds or (), PATTERN_KINDS)
    _check_choices("status", statuses, PATTERN_STATUSES)
    _check_numbers(limit, residual_cost)
    with database.open_if_exists() as history:
        patterns = [] if history is None else history.pattern_totals(where)
        span = RunPeriod(0, None, None) if history is None else _period_of(history, where)
    matching = [
        scored
        for scored in rank_patterns(patterns, residual_cost)
        if scored.pattern.status in statuses
        and (scored.pattern.kind in kinds if kinds else everything or scored.scriptable)
    ]
    visible = [scored for scored in matching if everything or not _is_covered(scored, kinds)]
    commands = [
        pattern for pattern in patterns if pattern.kind == PatternKind.OPERATION and is_automatable(pattern)
    ]
    costs = [cost for cost in map(known_cost, commands) if cost is not None]
    return PatternReport(
        span=span,
        residual_cost=residual_cost,
        found=len(visible),
        hidden=len(matching) - len(visible),
        commands_cost=to_usd(sum(costs)) if costs else None,
        commands_cost_is_lower_bound=any(pattern.unpriced_runs for pattern in commands),
        patterns=tuple(to_ranked_pattern(scored, span, residual_cost) for scored in visible[:limit]),
    )


def show_pattern(
    pattern_id: str,
    where: RunFilter | None = None,
    *,
    residual_cost: float = DEFAULT_RESIDUAL_COST,
    examples: int = DEFAULT_EXAMPLES,
) -> PatternDetail:
    """Return one pattern in the runs of a filter, with its newest examples.

    `pattern_id` is an id, a unique prefix of it with four digits or more, or a signature. Raises
    PatternNotFoundError, also if no run of the filter has the pattern, or AmbiguousPatternError.
    """
    _check_numbers(examples, residual_cost)
    with _existing_history() as history:
        pattern = resolve_pattern(history, pattern_id)
        patterns = _patterns_including(history, pattern, where)
        scored = next(
            (other for other in rank_patterns(patterns, residual_cost) if other.pattern.id == pattern.id),
            None,
        )
        if scored is None:
            raise PatternNotFoundError(
                f'No selected run has the pattern "{pattern.signature}". Use fewer filters.'
            )
        span = _period_of(history, where)
        pattern_examples = history.pattern_examples(pattern.id, examples, where)
    return PatternDetail(
        span=span,
        residual_cost=residual_cost,
        pattern=to_ranked_pattern(scored, span, residual_cost),
        examples=tuple(_to_example_run(place) for place in pattern_examples),
    )


def decide_pattern(pattern_id: str, status: str, note: str | None = None) -> PatternDecision:
    """Store the decision on a pattern: accepted, dismissed, or `detected` to undo it. Syncs keep it.

    `pattern_id` and errors are those of `show_pattern`; raises InvalidQueryError if the status is unknown.
    """
    _check_choices("status", (status,), PATTERN_STATUSES)
    with _existing_history() as history:
        before = resolve_pattern(history, pattern_id)
        history.decide_pattern(before.id, PatternStatus(status), note)
        after = resolve_pattern(history, before.id)
    return PatternDecision(
        after.id, after.kind, after.signature, after.status, before.status, after.note, after.decided_at
    )


@contextmanager
def _existing_history() -> Iterator[History]:
    with database.open_if_exists() as history:
        if history is None:
            raise PatternNotFoundError("No patterns yet.", "Find them with: workflow-history sync DIR")
        yield history


def _patterns_including(
    history: History, pattern: PatternTotals, where: RunFilter | None
) -> list[PatternTotals]:
    """Return the recurring patterns and `pattern`, even if it occurs in one run only.

    Most patterns do, so these are not read in general.
    """
    patterns = history.pattern_totals(where)
    if any(other.id == pattern.id for other in patterns):
        return patterns
    if where is None or where.is_empty:
        return [*patterns, pattern]
    return history.pattern_totals(where, min_runs=1)


def _is_covered(scored: ScoredPattern, kinds: Sequence[str] | None) -> bool:
    """Return whether another requested pattern already covers this one."""
    return scored.part_of is not None and (not kinds or scored.part_of.kind in kinds)


def _period_of(history: History, where: RunFilter | None) -> RunPeriod:
    runs = history.columns("runs", ("key", "created_at"))
    if where is not None and not where.is_empty:
        keys = matching_keys(history, where)
        runs = runs.take(np.isin(runs.integers["key"], keys))
    created = mask_implausible_dates(runs, resolve_now(None))[0].integers["created_at"]
    created = created[created != MISSING_INT]
    if not len(created):
        return RunPeriod(len(runs), None, None)
    return RunPeriod(len(runs), *(from_microseconds(int(end)) for end in (created.min(), created.max())))


def _to_example_run(example: PatternExample) -> ExampleRun:
    path = example.example_path
    return ExampleRun(
        run=example.id,
        project=example.project or None,
        created_at=example.created_at,
        occurrences=example.times,
        cost=to_usd(example.nanodollars),
        agents_dir=example.agents_dir,
        path=None if path is None else "/".join(filter(None, (files_folder(example._asdict()), path))),
        line=example.example_line,
    )


def _check_choices(name: str, values: Sequence[str], allowed: Sequence[str]) -> None:
    for value in values:
        if value not in allowed:
            raise InvalidValueError(name, value, f"Use one of: {', '.join(allowed)}.")


def _check_numbers(limit: object, residual_cost: object) -> None:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise InvalidValueError("limit", limit, "Use a whole number of 1 or more.")
    is_number = isinstance(residual_cost, int | float) and not isinstance(residual_cost, bool)
    if not is_number or not 0 <= residual_cost <= 1:  # type: ignore[operator]
        raise InvalidValueError("residual_cost", residual_cost, "Use a share from 0 to 1.")
