"""SQL for costs on record, lower bounds and copies of runs.

An agent run's cost is a lower bound where its basis says so: what is added up must not mix the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, case, exists, func, literal_column, or_

from ...common.spending import ANOTHER_RUN
from ..tables.schema import agent_runs, workflows

_RECORDED: Final = ("reported", "computed")


def total_cost() -> ColumnElement[Any]:
    """Return a run's total cost as its dict has it: the lower bound where nothing is on record."""
    own = workflows.c
    only_bound = own.cost_basis == literal_column("'lower_bound'")
    bound = case((only_bound, own.lower_bound_cost_nanodollars))
    return func.coalesce(own.recorded_cost_nanodollars, bound)


def whole_duration() -> ColumnElement[Any]:
    """Return how long a run took; null where its length leaves out the work of some agent."""
    own = workflows.c
    is_bound = func.coalesce(own.duration_basis, literal_column("''")) == literal_column("'lower_bound'")
    return case((~is_bound, own.duration_seconds))


def repeats_another() -> ColumnElement[bool]:
    """Return whether another run counts some of a run's messages."""
    agents = agent_runs.alias().c
    other = or_(agents.duplicate_of.contains(ANOTHER_RUN), agents.extra["inherited"].as_string().is_not(None))
    return exists(literal_column("1")).where(agents.workflow_key == workflows.c.key, other)


def agent_cost_columns() -> Mapping[str, ColumnElement[Any]]:
    """Return what agent runs spent on record, and at least beyond, by the keys of their dicts."""
    own = agent_runs.c
    return costs_apart(own.cost_nanodollars, own.lower_bound_cost_nanodollars, own.cost_basis)


def costs_apart(
    cost: ColumnElement[Any], beyond: ColumnElement[Any], basis: ColumnElement[Any]
) -> Mapping[str, ColumnElement[Any]]:
    """Return the costs of a row that has a basis of its own, on record and at least beyond."""
    recorded = basis.in_(_RECORDED)
    return {
        "cost": case((recorded, cost)),
        "lower_bound_cost": case((recorded, beyond), else_=func.coalesce(cost + beyond, cost, beyond)),
    }
