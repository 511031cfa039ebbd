"""What runs add up to, what was spent in vain and what changed: questions in, typed answers out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .. import database
from ..columns import COLUMNS, Columns, Family, Floats, Integers, Words, known
from ..dating import NONE, Misdated, clock
from ..errors import InvalidQueryError
from ..filters import RunFilter, length_of
from ..summing.clock import DAY, offset_in
from ..summing.digests import Digest, digest_of, merged
from ..summing.entries import RUN_COLUMNS, RUN_NAMES, entries_of_runs
from ..summing.figures import figures_of, total_of
from ..summing.grouping import GROUPINGS, OF_A_PART, OF_TIME, Grouping, grouping_named, numbered, of_runs
from ..summing.packing import ALL, WASTE, Read, digest_named, parts_of
from ..summing.records import (
    Change,
    Figures,
    Overview,
    RunStatistics,
    Spread,
    Timeline,
    TokenSums,
    Trend,
    Waste,
    WasteKind,
    WastePlace,
)
from ..summing.trend import trend_of
from ..summing.waste import waste_of
from ..zones import LOCAL
from .misdated import with_plausible_times
from .naming import matching

if TYPE_CHECKING:
    from ..store.history import History

__all__ = [
    "GROUPINGS",
    "Change",
    "Figures",
    "Overview",
    "RunStatistics",
    "Spread",
    "Timeline",
    "TokenSums",
    "Trend",
    "Waste",
    "WasteKind",
    "WastePlace",
    "overview",
    "run_statistics",
    "timeline",
    "trend",
    "waste",
]

ALL_RUNS = RunFilter()
USUAL_PERIOD = timedelta(days=30)
UNITS: Final[Mapping[str, int]] = {"day": 45, "week": 400, "month": 400 * 366}
"""Units of a time line, and how many days of runs each is for."""

OF_MATTER: Final = tuple(name for name in GROUPINGS if name not in OF_TIME)
"""Groupings by something else than time."""


def run_statistics(
    by: str = "month",
    where: RunFilter = ALL_RUNS,
    *,
    across: str | None = None,
    tz: str = LOCAL,
    now: datetime | None = None,
) -> RunStatistics:
    """Return what runs add up to, grouped by one of GROUPINGS; `across`: by a second one within each.

    `tz` names the zone that days and hours are of, such as Europe/Berlin; "local" is this machine's.
    Raises InvalidQueryError where a grouping or zone is unknown, or more groups of time come out than 5,000.
    """
    with _asked(where, tz, now) as asked:
        return asked.statistics(by, across)


def timeline(
    where: RunFilter = ALL_RUNS,
    *,
    by: str | None = None,
    across: str | None = None,
    tz: str = LOCAL,
    period: timedelta | str = USUAL_PERIOD,
    now: datetime | None = None,
) -> Timeline:
    """Return runs over time, by one of UNITS; None: by that which gives some dozens.

    `across`: by a grouping of no time as well; `period` and `now`: as in `trend`. Raises InvalidQueryError.
    """
    if by not in (None, *UNITS):
        raise InvalidQueryError(f"no unit {by!r}; use one of: {', '.join(UNITS)}")
    length = length_of(period, "period")
    if across is not None and grouping_named(across) in OF_TIME:
        raise InvalidQueryError(f"{across} is a time already; use one of: {', '.join(OF_MATTER)}")
    with _asked(where, tz, now) as asked:
        unit = by or asked.unit()
        return Timeline(
            by=unit,
            whole=asked.statistics(unit),
            groups=asked.statistics(across) if across else None,
            crossed=asked.statistics(unit, across) if across else None,
            trend=None if where.has_dates else asked.trend(length),
        )


def waste(where: RunFilter = ALL_RUNS) -> Waste:
    """Return what was spent in vain: failed runs, retries, false successes, errors, cut-off streams."""
    with _asked(where) as asked:
        return asked.waste()


def trend(
    period: timedelta | str = USUAL_PERIOD, where: RunFilter = ALL_RUNS, *, now: datetime | None = None
) -> Trend:
    """Return how the runs of the period that ends now differ from those of the equally long one before.

    `period` is a timedelta, or text such as 36h, 30d or 4w. Raises InvalidQueryError.
    """
    length = length_of(period, "period")
    if where.has_dates:
        raise InvalidQueryError("a trend chooses its days itself: leave out the first and last day")
    with _asked(where, now=now) as asked:
        return asked.trend(length)


def overview(where: RunFilter = ALL_RUNS, *, tz: str = LOCAL, now: datetime | None = None) -> Overview:
    """Return the first look: totals, by week, template, model and phase, what was wasted, what changed."""
    with _asked(where, tz, now) as asked:
        weeks, templates, models, phases = (
            asked.statistics(by) for by in ("week", "template", "model", "phase")
        )
        return Overview(
            total=asked.total,
            weeks=weeks,
            templates=templates,
            models=models,
            phases=phases,
            waste=asked.waste(),
            trend=None if where.has_dates else asked.trend(USUAL_PERIOD),
        )


class _Asked:
    """The runs that were asked for: what is kept of all of them, else their columns."""

    def __init__(self, history: History | None, where: RunFilter, tz: str, now: datetime) -> None:
        self._history = history
        self._where = where
        self._tz = tz
        self._now = now

    def statistics(self, by: str, across: str | None = None) -> RunStatistics:
        """Return the figures by one thing, or by two."""
        names = [grouping_named(name) for name in (by, across) if name is not None]
        parts = [name for name in names if name in OF_A_PART]
        if len(parts) > 1 or len(set(names)) < len(names):
            raise InvalidQueryError(
                f"{names[0]} and {names[1]} cannot be crossed: one of {', '.join(OF_A_PART)} at most, and no "
                "grouping twice"
            )
        found = figures_of(self._digest(by)) if names == parts else self._figures(names, *parts)
        timely = any(name in OF_TIME for name in names)
        return RunStatistics(
            names[0],
            names[1] if across else None,
            self._tz if timely else None,
            self.total,
            tuple(found),
            self._placed(self._named_runs)[1] if timely else None,
        )

    @cached_property
    def total(self) -> Figures:
        """The figures of all these runs together."""
        return total_of(self._digest(ALL))

    def _figures(self, names: Sequence[str], part: str | None = None) -> list[Figures]:
        runs = self._runs if part is None else self._named_runs
        placed = self._placed(runs)[0] if set(OF_TIME) & set(names) else runs
        whole = {name: of_runs(placed, name, self._tz) for name in names if name != part}
        if part is None:
            entries = entries_of_runs(runs)
            digest = digest_of(entries, *numbered(*whole.values()), runs)
        else:
            digest = merged([self._crossed(names, part, whole, some) for some in self._spans(runs)])
        return figures_of(digest, *(whole.get(name) for name in names))

    def _crossed(self, names: Sequence[str], part: str, whole: Mapping[str, Grouping], some: _Span) -> Digest:
        entries, shared_out = parts_of(part, some.read)
        groupings = [
            shared_out if name == part else whole[name].take(some.places[entries.runs]) for name in names
        ]
        return digest_of(entries, *numbered(*groupings), some.read("runs", RUN_COLUMNS))

    def unit(self) -> str:
        """Return the unit of time that gives some dozens of groups."""
        made = self._placed(self._runs)[0].whole["created_at"]
        made = made[known(made)]
        days = (int(made.max()) - int(made.min())) / DAY if len(made) else 0.0
        return next((unit for unit, most in UNITS.items() if days <= most), "month")

    def waste(self) -> Waste:
        """Return what these runs spent in vain."""
        partial = bool(self.total.runs_costing_more or self.total.runs_without_cost)
        return waste_of(self._digest(WASTE), partial=partial)

    def trend(self, period: timedelta) -> Trend:
        """Return what changed with these runs."""
        runs, misdated = self._placed(self._runs)
        return trend_of(runs, period, self._now, misdated)

    def _placed(self, runs: Columns) -> tuple[Columns, Misdated]:
        """Return runs to put into time, and those that no time has."""
        return (runs, NONE) if self._history is None else with_plausible_times(self._history, runs, self._now)

    def _digest(self, name: str) -> Digest:
        """Return one of the digests that are kept; of some runs only it is made anew."""
        kept = self._history.digests(name) if self._history is not None and self._where.is_empty else []
        return merged(kept or [digest_named(name, some.read) for some in self._spans(self._runs)])

    def _spans(self, runs: Columns) -> Iterator[_Span]:
        """Yield these runs some at a time; without any, one span of none."""
        keys, spans = runs.whole["key"], [] if self._history is None else self._history.spans()
        found = [(span, np.arange(*np.searchsorted(keys, (span.start, span.stop)))) for span in spans]
        for span, places in [both for both in found if len(both[1])] or [(range(1), np.arange(0))]:
            yield _Span(places, partial(self._read, runs.take(places), span))

    @property
    def _named_runs(self) -> Columns:
        """What these runs are grouped by, and no more where that is read faster."""
        return self._columns("runs", RUN_NAMES) if self._where.is_empty else self._runs

    @cached_property
    def _runs(self) -> Columns:
        runs = self._columns("runs", RUN_COLUMNS)
        if self._history is None or self._where.is_empty:
            return runs
        return runs.take(np.isin(runs.whole["key"], matching(self._history, self._where)))

    def _read(self, runs: Columns, keys: range, family: Family, names: Sequence[str]) -> Columns:
        return runs if family == "runs" else self._columns(family, names, keys)

    def _columns(self, family: Family, names: Sequence[str], keys: range | None = None) -> Columns:
        if self._history is None:
            return _nothing(family, names)
        return self._history.columns(family, names, keys)


class _Span(NamedTuple):
    """Some of the runs that were asked for."""

    places: Integers  # among all of these
    read: Read


@contextmanager
def _asked(where: RunFilter, tz: str = LOCAL, now: datetime | None = None) -> Iterator[_Asked]:
    if not isinstance(where, RunFilter):
        raise InvalidQueryError(f"where={where!r} is not allowed; use a RunFilter")
    offset_in(tz)  # an unknown zone is one, also where there is no run
    moment = clock(now)
    with database.existing() as history:
        yield _Asked(history, where.at(moment), tz, moment)


def _nothing(family: Family, names: Sequence[str]) -> Columns:
    """Return the columns of no rows: no history is answered as an empty one is."""
    kinds = {name: COLUMNS[family][name] for name in names}
    words = {name: Words.of(()) for name, kind in kinds.items() if kind == "words"}
    real: dict[str, Floats] = {
        name: np.empty(0, np.float64) for name, kind in kinds.items() if kind == "real"
    }
    whole: dict[str, Integers] = {
        name: np.empty(0, np.int64) for name in kinds if name not in words and name not in real
    }
    return Columns(family, 0, words, whole, real)
