"""Statistics of runs in groups: columns and groupings in, records of figures out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..columns import Columns, Flags, Integers, Words, known
from .arithmetic import MEDIAN, NANODOLLARS, P90, Codes, Sum, counts, dollars, quantiles, sums
from .entries import TOKENS, Entries, entries_of_runs
from .grouping import Grouping, one_group
from .records import Figures, Spread, TokenSums

_PROMPT = ("input_tokens", "cache_read_tokens", "cache_creation_tokens")


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of some entries, by one thing or by two that are crossed."""

    by: Grouping
    across: Grouping | None = None

    def numbered(self) -> tuple[Codes, list[tuple[int, int]]]:
        """Return each entry's group, and the groups as places in both; crossed, only those that occur."""
        if self.across is None:
            return self.by.codes, [(place, 0) for place in range(len(self.by.names))]
        width = len(self.across.names)
        pairs, codes = np.unique(
            self.by.codes.astype(np.int64) * width + self.across.codes, return_inverse=True
        )
        return codes, [divmod(pair, width) for pair in pairs.tolist()]


def figures_of(entries: Entries, groups: Groups, statuses: Words) -> list[Figures]:
    """Return the figures of each group: times in their order, else the costliest first; unknown last."""
    codes, numbered = groups.numbered()
    columns = _Columns(entries, codes, len(numbered), statuses)
    found = [(pair, columns.figures(place, groups, *pair)) for place, pair in enumerate(numbered)]
    # Of time, what is empty is there too; but not a group of what is unknown.
    shown = [
        (pair, one) for pair, one in found if one.runs or (one.name is not None and groups.by.keeps_empty)
    ]
    return _in_order(shown, groups)


def all_of(runs: Columns) -> Figures:
    """Return the figures of all runs together."""
    [together] = figures_of(entries_of_runs(runs), Groups(one_group(len(runs))), runs.words["status"])
    return together


def _in_order(found: Sequence[tuple[tuple[int, int], Figures]], groups: Groups) -> list[Figures]:
    """Put groups in order, those of the second grouping within the first."""
    whole: dict[int, float] = defaultdict(float)
    for (place, _), figures in found:
        whole[place] += spent(figures)

    def key(item: tuple[tuple[int, int], Figures]) -> tuple[object, ...]:
        (place, second), figures = item
        across = groups.across
        return (
            figures.name is None,
            (place,) if groups.by.in_order else (-whole[place], figures.name or ""),
            across is not None and figures.across is None,
            (second,) if across is not None and across.in_order else (-spent(figures), figures.across or ""),
        )

    return [figures for _, figures in sorted(found, key=key)]


def spent(figures: Figures) -> float:
    """Return all that is known of what a group spent, US dollars."""
    return (figures.cost.total or 0.0) + (figures.lower_bound_cost or 0.0)


class _Columns:
    """Every figure of every group, a list by figure."""

    def __init__(self, entries: Entries, codes: Codes, groups: int, statuses: Words) -> None:
        known_cost = known(entries.cost) | known(entries.beyond)
        status = statuses.take(entries.runs)
        self.runs = counts(codes, groups)
        self.completed = counts(codes, groups, status.are("completed"))
        self.failed = counts(codes, groups, status.are("failed"))
        self.without_cost = counts(codes, groups, ~known_cost)
        self.more = counts(codes, groups, entries.more)
        self.cost = sums(entries.cost, codes, groups)
        self.cost_places = quantiles(entries.cost, codes, groups, [MEDIAN, P90], NANODOLLARS)
        self.beyond = sums(entries.beyond, codes, groups)
        self.tokens = {name: sums(values, codes, groups) for name, values in entries.tokens.items()}
        self.prompt = self._prompt(entries, codes, groups)
        self.seconds = sums(entries.duration, codes, groups)
        self.second_places = quantiles(entries.duration, codes, groups, [MEDIAN, P90])
        attempts = entries.attempts
        self.attempts = None if attempts is None else sums(attempts, codes, groups)

    def _prompt(self, entries: Entries, codes: Codes, groups: int) -> list[list[Sum]]:
        """Return the sums of all tokens read, where every kind of them is known."""
        kinds: list[Integers] = [entries.tokens[name] for name in _PROMPT]
        there: Flags = np.logical_and.reduce([known(kind) for kind in kinds])
        if there.all():
            return [self.tokens[name] for name in _PROMPT]
        return [sums(kind[there], codes[there], groups) for kind in kinds]

    def figures(self, place: int, groups: Groups, first: int, second: int) -> Figures:
        """Return the figures of one group."""
        runs, completed, failed = self.runs[place], self.completed[place], self.failed[place]
        return Figures(
            name=groups.by.names[first],
            across=groups.across.names[second] if groups.across else None,
            first_day=groups.by.days[first] if groups.by.days else None,
            runs=runs,
            agent_runs=None if self.attempts is None else int(self.attempts[place].total),
            completed=completed,
            failed=failed,
            success_rate=completed / (completed + failed) if completed + failed else None,
            cost=self._cost(place),
            lower_bound_cost=dollars(self.beyond[place].total) if self.beyond[place].known else None,
            runs_without_cost=self.without_cost[place],
            runs_costing_more=self.more[place],
            tokens=self._tokens(place),
            cache_hit_share=self._cache_hits(place),
            duration=self._duration(place),
        )

    def _cost(self, place: int) -> Spread:
        total, count = self.cost[place]
        median, p90 = (each[place] for each in self.cost_places)
        mean = total / (count * NANODOLLARS) if count else None
        return Spread(dollars(total) if count or not self.runs[place] else None, mean, median, p90, count)

    def _duration(self, place: int) -> Spread:
        total, count = self.seconds[place]
        median, p90 = (each[place] for each in self.second_places)
        mean = total / count if count else None
        return Spread(total if count or not self.runs[place] else None, mean, median, p90, count)

    def _tokens(self, place: int) -> TokenSums:
        empty = not self.runs[place]
        known_ones = {
            name: int(total) if count or empty else None
            for name, (total, count) in ((name, each[place]) for name, each in self.tokens.items())
        }
        fresh, output, read, written = (known_ones[name] for name in TOKENS)
        some = [count for count in (fresh, output, read, written) if count is not None]
        total = known_ones.get("total_tokens", sum(some) if some else None)
        return TokenSums(fresh, output, read, written, total)

    def _cache_hits(self, place: int) -> float | None:
        fresh, read, written = (each[place].total for each in self.prompt)
        prompt = fresh + read + written
        return read / prompt if prompt else None
