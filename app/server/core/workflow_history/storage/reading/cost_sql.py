"""Tell costs on record from lower bounds, as SQL over the stored rows; runs none of it.

Rows hold costs as dicts show them: where nothing of a run is on record, its `total_cost` is a lower bound,
and an agent run's `cost` is one where its basis says so. What is added up must not mix the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, exists, false, func, literal_column, null, or_, select

from ...common.spending import ANOTHER_RUN
from ..tables.schema import agent_runs, workflows

_RECORDED: Final = ("reported", "computed")


def has_only_lower_bound() -> ColumnElement[bool]:
    """Return whether nothing of a run is on record, so that its total is a lower bound."""
    own, agents = workflows.c, agent_runs.alias().c
    recorded = exists(literal_column("1")).where(
        agents.workflow_key == own.key, agents.cost_basis.in_(_RECORDED)
    )
    is_bound = and_(
        own.cost_basis == literal_column("'lower_bound'"), own.lower_bound_cost_nanodollars.is_(None)
    )
    return func.coalesce(and_(is_bound, ~recorded), false())


def is_copy() -> ColumnElement[bool]:
    """Return whether other runs count all that a run spent; an empty stream spent nothing."""
    own, copied, paid = workflows.c, agent_runs.alias().c, agent_runs.alias().c
    some = exists(literal_column("1")).where(copied.workflow_key == own.key, copied.duplicate_of.is_not(None))
    others = exists(literal_column("1")).where(
        paid.workflow_key == own.key,
        paid.duplicate_of.is_(None),
        func.coalesce(paid.outcome, literal_column("''")) != literal_column("'empty'"),
    )
    return and_(own.cost_basis.is_(None), some, ~others)


def repeats_another() -> ColumnElement[bool]:
    """Tell whether another run counts some of a run's messages."""
    agents = agent_runs.alias().c
    other = or_(agents.duplicate_of.contains(ANOTHER_RUN), agents.extra["inherited"].as_string().is_not(None))
    return exists(literal_column("1")).where(agents.workflow_key == workflows.c.key, other)


def original() -> ColumnElement[Any]:
    """Return the stream of another run that counts what a copy spent, as in `duplicate_of`; else null."""
    copied = agent_runs.alias().c
    first = select(func.min(copied.duplicate_of)).where(
        copied.workflow_key == workflows.c.key, copied.duplicate_of.contains(ANOTHER_RUN)
    )
    return case((is_copy(), first.scalar_subquery()))


def run_cost_columns() -> Mapping[str, ColumnElement[Any]]:
    """Return what runs spent on record, and at least beyond, by the keys of their dicts."""
    own, bound = workflows.c, has_only_lower_bound()
    return {
        "total_cost": case((bound, null()), else_=own.total_cost_nanodollars),
        "lower_bound_cost": case((bound, own.total_cost_nanodollars), else_=own.lower_bound_cost_nanodollars),
    }


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
