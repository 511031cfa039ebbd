"""SQL for recorded costs, lower bounds and copies of runs.

An agent run's cost is a lower bound if its basis is; sums must not mix lower bounds and recorded costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, case, exists, func, literal_column, or_

from ...common.spending import ANOTHER_RUN
from ..tables.schema import agent_runs, workflows

_RECORDED: Final = ("reported", "computed")


def total_cost() -> ColumnElement[Any]:
    """Return a run's total cost as in its dict: the lower bound if no cost is recorded."""
    own = workflows.c
    only_bound = own.cost_basis == literal_column("'lower_bound'")
    bound = case((only_bound, own.lower_bound_cost_nanodollars))
    return func.coalesce(own.recorded_cost_nanodollars, bound)


def whole_duration() -> ColumnElement[Any]:
    """Return the duration of a run in seconds; null if it excludes the work of some agent."""
    own = workflows.c
    is_bound = func.coalesce(own.duration_basis, literal_column("''")) == literal_column("'lower_bound'")
    return case((~is_bound, own.duration_seconds))


def repeats_another() -> ColumnElement[bool]:
    """Return the condition that another run counts some of a run's messages."""
    agents = agent_runs.alias().c
    other = or_(agents.duplicate_of.contains(ANOTHER_RUN), agents.extra["inherited"].as_string().is_not(None))
    return exists(literal_column("1")).where(agents.workflow_key == workflows.c.key, other)


def agent_cost_columns() -> Mapping[str, ColumnElement[Any]]:
    """Return recorded cost and additional lower bound of agent runs, by their dict keys."""
    own = agent_runs.c
    return costs_apart(own.cost_nanodollars, own.lower_bound_cost_nanodollars, own.cost_basis)


def costs_apart(
    cost: ColumnElement[Any], beyond: ColumnElement[Any], basis: ColumnElement[Any]
) -> Mapping[str, ColumnElement[Any]]:
    """Return recorded cost and additional lower bound of a row with its own cost basis."""
    recorded = basis.in_(_RECORDED)
    return {
        "cost": case((recorded, cost)),
        "lower_bound_cost": case((recorded, beyond), else_=func.coalesce(cost + beyond, cost, beyond)),
    }
