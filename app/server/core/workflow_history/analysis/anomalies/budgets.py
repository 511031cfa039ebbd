"""Hold spending against budgets: columns of runs, limits and periods in, the state of each budget out.

Money is whole nanodollars, so that a budget is passed by the first nanodollar above it, and not before.
What was spent at least counts; a run whose cost is unknown is counted as unknown, and never as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np

from ...common.column_data import ColumnTable, Flags, Integers, is_known
from .series import is_recorded

WARNING_THRESHOLD: Final = 0.8  # share of a budget from which on it is said to be near its limit
BUDGET_COLUMNS: Final = (
    "key", "project", "workflow_template", "cost_basis", "created_at", "total_cost", "lower_bound_cost",
    "is_copy",
)  # fmt: skip

Span = Literal["run", "day", "week", "month"]
Scope = Literal["all", "template", "project"]
BudgetStateName = Literal["within", "near", "passed"]


class BudgetLimits(NamedTuple):
    """Budgets of one scope, nanodollars; None: no budget."""

    run: int | None = None  # for any one run
    day: int | None = None
    week: int | None = None
    month: int | None = None


@dataclass(frozen=True, slots=True)
class Budgets:
    """All budgets there are."""

    overall: BudgetLimits = field(default_factory=BudgetLimits)
    templates: Mapping[str, BudgetLimits] = field(default_factory=dict)
    projects: Mapping[str, BudgetLimits] = field(default_factory=dict)

    @property
    def scopes(self) -> list[tuple[Scope, str | None, BudgetLimits]]:
        """Every scope with its name and its limits."""
        return [
            ("all", None, self.overall),
            *(("template", name, limits) for name, limits in self.templates.items()),
            *(("project", name, limits) for name, limits in self.projects.items()),
        ]


class Period(NamedTuple):
    """A day, week or month, µs since 1970."""

    span: Literal["day", "week", "month"]
    start: int
    end: int  # the first moment after it


@dataclass(frozen=True, slots=True)
class BudgetState:
    """One budget and what was spent of it."""

    scope: Scope
    name: str | None  # of the template or project
    span: Span
    period: Period | None  # None: a budget for one run
    limit: int  # nanodollars
    spent: int  # nanodollars at least; of a budget for one run: by the costliest
    at_least: bool  # more may have been spent
    rows: Integers  # the runs of it, the costliest first
    costs: Integers  # theirs, nanodollars; 0 where unknown
    partial: Flags  # whether they cost more, or that may be
    unknown: int  # runs whose cost is unknown
    ever: bool  # the history has runs of this scope at all

    @property
    def share(self) -> float:
        """The part that is used, 1: all."""
        return self.spent / self.limit if self.limit else float(self.spent > 0)

    @property
    def state(self) -> BudgetStateName:
        """Whether it is passed; exactly at the limit is within."""
        if self.spent > self.limit:
            return "passed"
        return "near" if self.limit and self.spent >= WARNING_THRESHOLD * self.limit else "within"


@dataclass(frozen=True, slots=True)
class _Spent:
    """What each run spent at least, and how sure that is."""

    cost: Integers  # nanodollars, 0 where unknown
    unknown: Flags
    partial: Flags  # unknown, or not wholly on record


def evaluate(runs: ColumnTable, budgets: Budgets, periods: Sequence[Period], since: int) -> list[BudgetState]:
    """Return the state of every budget; budgets for one run are held against the runs made `since`."""
    spent, created = _spent(runs), runs.integers["created_at"]
    recent = is_known(created) & (created >= since)
    found = []
    for scope, name, limits in budgets.scopes:
        own = _of_scope(runs, scope, name)
        ever = bool(own.any())
        if limits.run is not None:
            judged = recent & own & ~_with_own_limit(runs, budgets, scope)
            found.append(
                _judged(spent, judged, scope=scope, name=name, period=None, limit=limits.run, ever=ever)
            )
        for period in periods:
            limit = getattr(limits, period.span)
            if limit is not None:
                inside = own & (created >= period.start) & (created < period.end)
                found.append(
                    _judged(spent, inside, scope=scope, name=name, period=period, limit=limit, ever=ever)
                )
    return found


def _spent(runs: ColumnTable) -> _Spent:
    total, beyond = runs.integers["total_cost"], runs.integers["lower_bound_cost"]
    amounts = [np.where(is_known(values), values, 0) for values in (total, beyond)]
    unknown = ~is_known(total) & ~is_known(beyond)
    return _Spent(amounts[0] + amounts[1], unknown, unknown | ~is_recorded(runs))


def _of_scope(runs: ColumnTable, scope: Scope, name: str | None) -> Flags:
    if name is None:
        return np.full(len(runs), True)
    return runs.categorical["project" if scope == "project" else "workflow_template"].equals(name)


def _with_own_limit(runs: ColumnTable, budgets: Budgets, scope: Scope) -> Flags:
    """Tell which runs a narrower limit holds for: a template's before a project's before that of all."""
    narrower: list[tuple[Scope, str]] = []
    if scope != "template":
        narrower += [
            ("template", name) for name, limits in budgets.templates.items() if limits.run is not None
        ]
    if scope == "all":
        narrower += [("project", name) for name, limits in budgets.projects.items() if limits.run is not None]
    found = np.full(len(runs), False)
    for other, name in narrower:
        found |= _of_scope(runs, other, name)
    return found


def _judged(
    spent: _Spent,
    inside: Flags,
    *,
    scope: Scope,
    name: str | None,
    period: Period | None,
    limit: int,
    ever: bool,
) -> BudgetState:
    rows = np.flatnonzero(inside)
    rows = rows[np.argsort(-spent.cost[rows], kind="stable")]
    costs = spent.cost[rows]
    counted = rows if period is not None else rows[:1]
    return BudgetState(
        scope=scope,
        name=name,
        span="run" if period is None else period.span,
        period=period,
        limit=limit,
        spent=int(costs.sum() if period is not None else costs.max(initial=0)),
        at_least=bool(spent.partial[counted].any()),
        rows=rows,
        costs=costs,
        partial=spent.partial[rows],
        unknown=int(spent.unknown[rows].sum()),
        ever=ever,
    )
