"""What agents do again and again, and what a script would save: a filter in, ranked patterns out.

The one place that knows: Python, the command line and REST all ask here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

import numpy as np

from .. import database
from ..addresses import files_folder
from ..columns import UNKNOWN
from ..dating import clock
from ..errors import InvalidQueryError, PatternNotFoundError
from ..filters import RunFilter
from ..patterns.ranking import Habit, is_scriptable, rank
from ..patterns.recurring import PatternStatus, Recurring
from ..patterns.savings import KEEP_SHARE, known_cost
from ..store.history import History
from ..store.recurrence import PatternExample
from .misdated import dated
from .naming import matching, the_pattern
from .pattern_shapes import Example, PatternDecision, Patterns, PatternStory, Span, ranked, usd

Kind = Literal["operation", "sequence", "phases"]

KINDS: Final[tuple[str, ...]] = get_args(Kind)
STATUSES: Final[tuple[str, ...]] = get_args(PatternStatus)
USUAL_STATUSES: Final[tuple[PatternStatus, ...]] = ("detected", "accepted")
SHOWN_EXAMPLES: Final = 5  # of one pattern
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def find_patterns(
    where: RunFilter | None = None,
    *,
    kinds: Sequence[Kind] | None = None,
    statuses: Sequence[PatternStatus] = USUAL_STATUSES,
    limit: int | None = None,
    keep_share: float = KEEP_SHARE,
    everything: bool = False,
) -> Patterns:
    """Return what recurs in the runs of a filter, that first where a script is worth most.

    Without `kinds`: commands and sequences of them. With `kinds` all that is of these kinds: phases, and the
    tools that an agent thinks with, too. `everything`: all kinds, and what is folded under another pattern.
    Raises InvalidQueryError where a word, the limit (from 1) or `keep_share` (0 to 1) is not allowed.
    """
    _check_words("kind", kinds or (), KINDS)
    _check_words("status", statuses, STATUSES)
    _check_numbers(limit, keep_share)
    with database.existing() as history:
        patterns = [] if history is None else history.recurring(where)
        span = Span(0, None, None) if history is None else _span(history, where)
    asked = [
        habit
        for habit in rank(patterns, keep_share)
        if habit.pattern.status in statuses
        and (habit.pattern.kind in kinds if kinds else everything or habit.scriptable)
    ]
    shown = [habit for habit in asked if everything or not _is_told(habit, kinds)]
    commands = [one for one in patterns if one.kind == "operation" and is_scriptable(one)]
    costs = [cost for cost in map(known_cost, commands) if cost is not None]
    return Patterns(
        span=span,
        keep_share=keep_share,
        found=len(shown),
        folded=len(asked) - len(shown),
        commands_cost=usd(sum(costs)) if costs else None,
        commands_cost_at_least=any(one.unpriced_runs for one in commands),
        patterns=tuple(ranked(habit, span, keep_share) for habit in shown[:limit]),
    )


def show_pattern(
    pattern_id: str,
    where: RunFilter | None = None,
    *,
    keep_share: float = KEEP_SHARE,
    examples: int = SHOWN_EXAMPLES,
) -> PatternStory:
    """Return one pattern, over the runs of a filter, with the newest places that show it.

    `pattern_id`: an id, four digits or more that only it begins with, or its signature.
    Raises PatternNotFoundError, also where no run of the filter shows it, or AmbiguousPatternError.
    """
    _check_numbers(examples, keep_share)
    with _history() as history:
        known = the_pattern(history, pattern_id)
        patterns = _with(history, known, where)
        habit = next((one for one in rank(patterns, keep_share) if one.pattern.id == known.id), None)
        if habit is None:
            raise PatternNotFoundError(f"none of these runs shows {known.signature!r}; ask for other ones")
        span = _span(history, where)
        places = history.pattern_examples(known.id, examples, where)
    return PatternStory(
        span=span,
        keep_share=keep_share,
        pattern=ranked(habit, span, keep_share),
        examples=tuple(_example(place) for place in places),
    )


def decide_pattern(pattern_id: str, status: PatternStatus, note: str | None = None) -> PatternDecision:
    """Note that a pattern is accepted or dismissed, and why; `detected` takes that back. Syncs keep it.

    `pattern_id` and errors as in `show_pattern`; InvalidQueryError where there is no such status.
    """
    _check_words("status", (status,), STATUSES)
    with _history() as history:
        before = the_pattern(history, pattern_id)
        history.decide_pattern(before.id, status, note)
        now = the_pattern(history, before.id)
    return PatternDecision(
        now.id, now.kind, now.signature, now.status, before.status, now.note, now.decided_at
    )


@contextmanager
def _history() -> Iterator[History]:
    with database.existing() as history:
        if history is None:
            raise PatternNotFoundError("there are no patterns yet; workflow-history sync finds them")
        yield history


def _with(history: History, known: Recurring, where: RunFilter | None) -> list[Recurring]:
    """Return what recurs, with a pattern that may be seen in one run alone; most are, and are not read."""
    found = history.recurring(where)
    if any(one.id == known.id for one in found):
        return found
    if where is None or where.is_empty:
        return [*found, known]
    return history.recurring(where, least_runs=1)


def _is_told(habit: Habit, kinds: Sequence[Kind] | None) -> bool:
    """Tell whether another pattern that was asked for tells this one's work already."""
    return habit.part_of is not None and (not kinds or habit.part_of.kind in kinds)


def _span(history: History, where: RunFilter | None) -> Span:
    runs = history.columns("runs", ("key", "created_at"))
    if where is not None and not where.is_empty:
        keys = matching(history, where)
        runs = runs.take(np.isin(runs.whole["key"], keys))
    made = dated(runs, clock(None))[0].whole["created_at"]
    made = made[made != UNKNOWN]
    ends = (int(made.min()), int(made.max())) if len(made) else (None, None)
    return Span(len(runs), *(None if end is None else _EPOCH + timedelta(microseconds=end) for end in ends))


def _example(place: PatternExample) -> Example:
    path = place.example_path
    return Example(
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
