"""Check spending against budgets: compute the status of each budget from columns of runs. Pure.

Money is in whole nanodollars, so that a budget is exceeded by the first nanodollar above it, not earlier.
Lower bounds count as spending. A run with an unknown cost is counted as unknown, never as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final, Literal, NamedTuple, get_args

import msgspec
import numpy as np

from ...common.column_data import ColumnTable, Flags, Integers, is_known
from .series import is_recorded

WARNING_THRESHOLD: Final = 0.8  # share of a budget from which it counts as near its limit
BUDGET_COLUMNS: Final = (
    "key", "project", "workflow_template", "cost_basis", "created_at", "total_cost", "lower_bound_cost",
    "is_copy",
)  # fmt: skip

Span = Literal["run", "day", "week", "month"]
SPANS: Final[tuple[Span, ...]] = get_args(Span)
Scope = Literal["all", "template", "project"]


class BudgetLevel(StrEnum):
    """How the spending compares with a budget."""

    WITHIN = "within"
    NEAR = "near"  # 80% of the limit and more
    EXCEEDED = "exceeded"


class Nanodollars(int):
    """Whole nanodollars; the settings file has US dollars."""


class BudgetLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Budgets of one scope; None means no budget."""

    run: Nanodollars | None = None  # for each single run
    day: Nanodollars | None = None
    week: Nanodollars | None = None
    month: Nanodollars | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no budget."""
        return all(getattr(self, span) is None for span in SPANS)


@dataclass(frozen=True, slots=True)
class Budgets:
    """All configured budgets."""

    overall: BudgetLimits = field(default_factory=BudgetLimits)
    templates: Mapping[str, BudgetLimits] = field(default_factory=dict)
    projects: Mapping[str, BudgetLimits] = field(default_factory=dict)

    @property
    def scopes(self) -> list[tuple[Scope, str | None, BudgetLimits]]:
        """All scopes, each with its name and limits."""
        return [
            ("all", None, self.overall),
            *(("template", name, limits) for name, limits in self.templates.items()),
            *(("project", name, limits) for name, limits in self.projects.items()),
        ]


class Period(NamedTuple):
    """A day, week or month; times in µs since 1970."""

    span: Literal["day", "week", "month"]
    start: int
    end: int  # exclusive


@dataclass(frozen=True, slots=True)
class BudgetState:
    """One budget and the spending counted against it."""

    scope: Scope
    name: str | None  # name of the template or project
    span: Span
    period: Period | None  # None for a per-run budget
    limit: int  # nanodollars
    spent: int  # nanodollars, a lower bound; for a per-run budget, by the most expensive run
    is_lower_bound: bool  # True if more may have been spent
    rows: Integers  # row numbers of the runs, most expensive first
    costs: Integers  # costs of these runs, nanodollars; 0 if unknown
    partial: Flags  # mask of the runs that cost more, or may have
    unknown: int  # number of runs with an unknown cost
    has_runs: bool  # whether the history has any runs of this scope

    @property
    def share(self) -> float:
        """Spending divided by the limit; 1 is the whole budget."""
        return self.spent / self.limit if self.limit else float(self.spent > 0)

    @property
    def state(self) -> BudgetLevel:
        """The budget status; spending exactly at the limit is not exceeded."""
        if self.spent > self.limit:
            return BudgetLevel.EXCEEDED
        return (
            BudgetLevel.NEAR
            if self.limit and self.spent >= WARNING_THRESHOLD * self.limit
            else BudgetLevel.WITHIN
        )


@dataclass(frozen=True, slots=True)
class _Spending:
    """Known spending of each run, and whether it is complete."""

    cost: Integers  # nanodollars, 0 if unknown
    unknown: Flags
    partial: Flags  # unknown, or not completely recorded


def evaluate_budgets(
    runs: ColumnTable, budgets: Budgets, periods: Sequence[Period], since: int
) -> list[BudgetState]:
    """Return the status of all budgets; budgets for one run apply to the runs created from `since` on."""
    spending, created = _run_spending(runs), runs.integers["created_at"]
    recent = is_known(created) & (created >= since)
    states = []
    for scope, name, limits in budgets.scopes:
        in_scope = _in_scope(runs, scope, name)
        state_of = partial(_budget_state, spending, scope=scope, name=name, has_runs=bool(in_scope.any()))
        if limits.run is not None:
            in_budget = recent & in_scope & ~_has_narrower_limit(runs, budgets, scope)
            states.append(state_of(in_budget, period=None, limit=limits.run))
        for period in periods:
            limit = getattr(limits, period.span)
            if limit is not None:
                in_budget = in_scope & (created >= period.start) & (created < period.end)
                states.append(state_of(in_budget, period=period, limit=limit))
    return states


def _run_spending(runs: ColumnTable) -> _Spending:
    total, lower_bound = runs.integers["total_cost"], runs.integers["lower_bound_cost"]
    cost = np.where(is_known(total), total, 0) + np.where(is_known(lower_bound), lower_bound, 0)
    unknown = ~is_known(total) & ~is_known(lower_bound)
    return _Spending(cost, unknown, unknown | ~is_recorded(runs))


def _in_scope(runs: ColumnTable, scope: Scope, name: str | None) -> Flags:
    if name is None:
        return np.full(len(runs), True)
    return runs.categorical["project" if scope == "project" else "workflow_template"].equals(name)


def _has_narrower_limit(runs: ColumnTable, budgets: Budgets, scope: Scope) -> Flags:
    """Return a mask of the runs to which a narrower per-run limit applies.

    A template's limit takes precedence over a project's, and a project's over that of all runs.
    """
    narrower: list[tuple[Scope, str]] = []
    if scope != "template":
        narrower += [
            ("template", name) for name, limits in budgets.templates.items() if limits.run is not None
        ]
    if scope == "all":
        narrower += [("project", name) for name, limits in budgets.projects.items() if limits.run is not None]
    narrowed = np.full(len(runs), False)
    for other_scope, name in narrower:
        narrowed |= _in_scope(runs, other_scope, name)
    return narrowed


def _budget_state(
    spending: _Spending,
    in_budget: Flags,
    *,
    scope: Scope,
    name: str | None,
    period: Period | None,
    limit: int,
    has_runs: bool,
) -> BudgetState:
    rows = np.flatnonzero(in_budget)
    rows = rows[np.argsort(-spending.cost[rows], kind="stable")]
    costs = spending.cost[rows]
    counted = rows if period is not None else rows[:1]
    return BudgetState(
        scope=scope,
        name=name,
        span="run" if period is None else period.span,
        period=period,
        limit=limit,
        spent=int(costs.sum() if period is not None else costs.max(initial=0)),
        is_lower_bound=bool(spending.partial[counted].any()),
        rows=rows,
        costs=costs,
        partial=spending.partial[rows],
        unknown=int(spending.unknown[rows].sum()),
        has_runs=has_runs,
    )
