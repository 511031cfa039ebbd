"""Find recurring patterns and estimate the savings of scripts: a filter in, ranked patterns out.

Used by the Python API, the CLI and REST.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

import numpy as np

from .. import database
from ..analysis.patterns.ranking import ScoredPattern, is_automatable, rank_patterns
from ..analysis.patterns.records import PatternStatus, PatternTotals
from ..analysis.patterns.savings import DEFAULT_REMAINING, known_cost
from ..common.column_data import MISSING_INT
from ..common.errors import InvalidQueryError, PatternNotFoundError
from ..common.filters import RunFilter
from ..common.plausible_dates import resolve_now
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
    usd,
)

PatternKind = Literal["operation", "sequence", "phases"]

PATTERN_KINDS: Final[tuple[str, ...]] = get_args(PatternKind)
PATTERN_STATUSES: Final[tuple[str, ...]] = get_args(PatternStatus)
DEFAULT_STATUSES: Final[tuple[PatternStatus, ...]] = ("detected", "accepted")
DEFAULT_EXAMPLES: Final = 5  # examples per pattern
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def find_patterns(
    where: RunFilter | None = None,
    *,
    kinds: Sequence[PatternKind] | None = None,
    statuses: Sequence[PatternStatus] = DEFAULT_STATUSES,
    limit: int | None = None,
    keep_share: float = DEFAULT_REMAINING,
    everything: bool = False,
) -> PatternReport:
    """Return the patterns in the runs of a filter, highest risk-adjusted savings first.

    Without `kinds` only scriptable patterns are returned: commands and their sequences. With `kinds` all
    patterns of these kinds are returned, also phases and tools that a script cannot replace. `everything`
    returns all kinds, including patterns covered by another one. `keep_share` is the residual cost.
    Raises InvalidQueryError if a kind or status is unknown, the limit is below 1, or `keep_share` is not
    within 0 and 1.
    """
    _check_words("kind", kinds or (), PATTERN_KINDS)
    _check_words("status", statuses, PATTERN_STATUSES)
    _check_numbers(limit, keep_share)
    with database.open_if_exists() as history:
        patterns = [] if history is None else history.pattern_totals(where)
        span = RunPeriod(0, None, None) if history is None else _span(history, where)
    asked = [
        habit
        for habit in rank_patterns(patterns, keep_share)
        if habit.pattern.status in statuses
        and (habit.pattern.kind in kinds if kinds else everything or habit.scriptable)
    ]
    shown = [habit for habit in asked if everything or not _is_told(habit, kinds)]
    commands = [one for one in patterns if one.kind == "operation" and is_automatable(one)]
    costs = [cost for cost in map(known_cost, commands) if cost is not None]
    return PatternReport(
        span=span,
        keep_share=keep_share,
        found=len(shown),
        folded=len(asked) - len(shown),
        commands_cost=usd(sum(costs)) if costs else None,
        commands_cost_at_least=any(one.unpriced_runs for one in commands),
        patterns=tuple(to_ranked_pattern(habit, span, keep_share) for habit in shown[:limit]),
    )


def show_pattern(
    pattern_id: str,
    where: RunFilter | None = None,
    *,
    keep_share: float = DEFAULT_REMAINING,
    examples: int = DEFAULT_EXAMPLES,
) -> PatternDetail:
    """Return one pattern in the runs of a filter, with its newest examples.

    `pattern_id` is an id, a unique prefix of it with four digits or more, or a signature. Raises
    PatternNotFoundError, also if no run of the filter has the pattern, or AmbiguousPatternError.
    """
    _check_numbers(examples, keep_share)
    with _history() as history:
        known = resolve_pattern(history, pattern_id)
        patterns = _with(history, known, where)
        habit = next((one for one in rank_patterns(patterns, keep_share) if one.pattern.id == known.id), None)
        if habit is None:
            raise PatternNotFoundError(f"none of these runs shows {known.signature!r}; ask for other ones")
        span = _span(history, where)
        places = history.pattern_examples(known.id, examples, where)
    return PatternDetail(
        span=span,
        keep_share=keep_share,
        pattern=to_ranked_pattern(habit, span, keep_share),
        examples=tuple(_example(place) for place in places),
    )


def decide_pattern(pattern_id: str, status: PatternStatus, note: str | None = None) -> PatternDecision:
    """Store the decision on a pattern: accepted, dismissed, or `detected` to undo it. Syncs keep it.

    `pattern_id` and errors are those of `show_pattern`; raises InvalidQueryError if the status is unknown.
    """
    _check_words("status", (status,), PATTERN_STATUSES)
    with _history() as history:
        before = resolve_pattern(history, pattern_id)
        history.decide_pattern(before.id, status, note)
        now = resolve_pattern(history, before.id)
    return PatternDecision(
        now.id, now.kind, now.signature, now.status, before.status, now.note, now.decided_at
    )


@contextmanager
def _history() -> Iterator[History]:
    with database.open_if_exists() as history:
        if history is None:
            raise PatternNotFoundError("there are no patterns yet; workflow-history sync finds them")
        yield history


def _with(history: History, known: PatternTotals, where: RunFilter | None) -> list[PatternTotals]:
    """Return the recurring patterns and `known`, even if it occurs in one run only.

    Most patterns do, so these are not read in general.
    """
    found = history.pattern_totals(where)
    if any(one.id == known.id for one in found):
        return found
    if where is None or where.is_empty:
        return [*found, known]
    return history.pattern_totals(where, min_runs=1)


def _is_told(habit: ScoredPattern, kinds: Sequence[PatternKind] | None) -> bool:
    """Return whether another requested pattern already covers this one."""
    return habit.part_of is not None and (not kinds or habit.part_of.kind in kinds)


def _span(history: History, where: RunFilter | None) -> RunPeriod:
    runs = history.columns("runs", ("key", "created_at"))
    if where is not None and not where.is_empty:
        keys = matching_keys(history, where)
        runs = runs.take(np.isin(runs.integers["key"], keys))
    made = mask_implausible_dates(runs, resolve_now(None))[0].integers["created_at"]
    made = made[made != MISSING_INT]
    ends = (int(made.min()), int(made.max())) if len(made) else (None, None)
    return RunPeriod(
        len(runs), *(None if end is None else _EPOCH + timedelta(microseconds=end) for end in ends)
    )


def _example(place: PatternExample) -> ExampleRun:
    path = place.example_path
    return ExampleRun(
        run=place.id,
        project=place.project or None,
        created_at=place.created_at,
        count=place.times,
        cost=usd(place.nanodollars),
        agents_dir=place.agents_dir,
        path=None if path is None else "/".join(filter(None, (files_folder(place._asdict()), path))),
        line=place.example_line,
    )


def _check_words(what: str, given: Sequence[str], allowed: Sequence[str]) -> None:
    for word in given:
        if word not in allowed:
            raise InvalidQueryError(f"no {what} {word!r}; use one of: {', '.join(allowed)}")


def _check_numbers(limit: object, keep_share: object) -> None:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise InvalidQueryError(f"limit={limit!r} is not allowed; use a whole number from 1")
    number = isinstance(keep_share, int | float) and not isinstance(keep_share, bool)
    if not number or not 0 <= keep_share <= 1:  # type: ignore[operator]
        raise InvalidQueryError(f"keep_share={keep_share!r} is not allowed; use a share from 0 to 1")
