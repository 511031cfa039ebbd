"""SQL for recorded costs, lower bounds and copies of runs.

An agent run's cost is a lower bound if its basis is; sums must not mix lower bounds and recorded costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, literal_column, or_

from ...common.models import RECORDED_BASES
from ...common.spending import ANOTHER_RUN
from ..tables.schema import agent_runs, workflows


def total_cost() -> ColumnElement[Any]:
    """Return a run's total cost as in its dict: the lower bound if no cost is recorded."""
    run = workflows.c
    only_bound = run.cost_basis == literal_column("'lower_bound'")
    bound = case((only_bound, run.lower_bound_cost_nanodollars))
    return func.coalesce(run.recorded_cost_nanodollars, bound)


def whole_duration() -> ColumnElement[Any]:
    """Return the duration of a run in seconds; null if it excludes the work of some agent."""
    run = workflows.c
    is_bound = func.coalesce(run.duration_basis, literal_column("''")) == literal_column("'lower_bound'")
    return case((~is_bound, run.duration_seconds))


def repeats_other_run() -> ColumnElement[bool]:
    """Return the condition that another run counts some of a run's messages."""
    agent_run = agent_runs.alias().c
    is_repeated = or_(
        agent_run.duplicate_of.contains(ANOTHER_RUN), agent_run.extra["inherited"].as_string().is_not(None)
    )
    return exists(literal_column("1")).where(agent_run.workflow_key == workflows.c.key, is_repeated)


def agent_cost_columns() -> Mapping[str, ColumnElement[Any]]:
    """Return recorded cost and additional lower bound of agent runs, by their dict keys."""
    agent_run = agent_runs.c
    return split_costs(
        agent_run.cost_nanodollars, agent_run.lower_bound_cost_nanodollars, agent_run.cost_basis
    )


def split_costs(
    cost: ColumnElement[Any], lower_bound: ColumnElement[Any], basis: ColumnElement[Any]
) -> Mapping[str, ColumnElement[Any]]:
    """Return recorded cost and additional lower bound of a row with its own cost basis."""
    is_recorded = basis.in_(RECORDED_BASES)
    return {
        "cost": case((is_recorded, cost)),
        "lower_bound_cost": case(
            (is_recorded, lower_bound), else_=func.coalesce(cost + lower_bound, cost, lower_bound)
        ),
    }
