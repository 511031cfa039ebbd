"""Verify a history: the database's own checks and the invariants between rows; repairs nothing."""

from __future__ import annotations

from sqlalchemy import Connection, case, func, or_, select

from ..common.models import RECORDED_BASES, CostBasis
from .connection.engine import get_dialect
from .reading.cost_sql import total_cost
from .tables.schema import agent_runs, pruned_runs, workflows
from .writing.pattern_totals import verify_totals


def check_integrity(connection: Connection) -> list[str]:
    """Return one message per problem; an empty list if there is none."""
    from .derived_checks import verify_derived  # noqa: PLC0415 - numpy takes longer to import than most commands take

    if errors := get_dialect(connection).integrity_errors(connection):
        return errors  # further checks of damaged data are meaningless
    return [
        *_verify_costs(connection),
        *_verify_scores(connection),
        *_verify_pruned(connection),
        *verify_totals(connection),
        *verify_derived(connection),
    ]


def _verify_costs(connection: Connection) -> list[str]:
    """Compare each run's cost with the sum over its agent runs; each may be rounded by a nanodollar.

    Lower bounds are not part of a recorded cost; they are the total only if no cost is recorded.
    """
    cost, basis = agent_runs.c.cost_nanodollars, func.coalesce(agent_runs.c.cost_basis, CostBasis.REPORTED)
    bounds = (case((basis == CostBasis.LOWER_BOUND, cost)), agent_runs.c.lower_bound_cost_nanodollars)
    bound_sum = func.coalesce(bounds[0], 0) + func.coalesce(bounds[1], 0)
    bound = case((func.coalesce(*bounds).is_not(None), bound_sum))
    sums = (
        select(
            agent_runs.c.workflow_key,
            func.sum(case((basis.in_(RECORDED_BASES), cost))).label("recorded"),
            func.sum(bound).label("bounds"),
            func.count().label("parts"),
        )
        .group_by(agent_runs.c.workflow_key)
        .subquery()
    )
    total = total_cost()
    only_bounds = case((workflows.c.cost_basis == CostBasis.LOWER_BOUND, sums.c.bounds))
    expected = func.coalesce(sums.c.recorded, only_bounds)
    query = (
        select(workflows.c.project, workflows.c.id, total, expected)
        .join(sums, sums.c.workflow_key == workflows.c.key)
        .where(expected.is_not(None), or_(total.is_(None), func.abs(total - expected) > sums.c.parts))
        .order_by(workflows.c.key)
    )
    return [
        f"{project}/{run_id}: total cost is {stored} nanodollars, its agent runs add up to {summed}"
        for project, run_id, stored, summed in connection.execute(query)
    ]


def _verify_scores(connection: Connection) -> list[str]:
    """Find scores outside the range 0 to 100."""
    columns = [column for column in workflows.columns if column.name.endswith("_score")]
    messages = []
    for column in columns:
        query = select(workflows.c.project, workflows.c.id, column).where(~column.between(0, 100))
        messages += [
            f"{project}/{run_id}: {column.name} is {score}"
            for project, run_id, score in connection.execute(query)
        ]
    return messages


def _verify_pruned(connection: Connection) -> list[str]:
    """Find runs that are stored, but recorded as pruned."""
    is_same_run = (workflows.c.project == pruned_runs.c.project) & (workflows.c.id == pruned_runs.c.id)
    query = select(workflows.c.project, workflows.c.id).join(pruned_runs, is_same_run)
    return [
        f"{project}/{run_id}: it is there, and noted as pruned"
        for project, run_id in connection.execute(query.order_by(workflows.c.key))
    ]
