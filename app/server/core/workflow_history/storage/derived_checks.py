"""Compare derived data with the rows it was computed from; returns one message per difference."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, or_, select

from .column_cache.aggregates import verify_aggregates
from .column_cache.columns import verify_cache
from .column_cache.vectors import verify_vectors
from .tables.schema import similar_pairs, workflows
from .writing.message_claims import verify_units


def verify_derived(connection: Connection) -> list[str]:
    """Return differences in packed columns, total costs of runs, lists of similar runs, and message units."""
    wrong_blocks = verify_cache(connection) or verify_aggregates(
        connection
    )  # aggregates are computed from columns
    wrong_blocks += verify_vectors(connection)
    return [
        *(
            f"packed {family} of the runs from number {first}: not as in their rows"
            for family, first in wrong_blocks
        ),
        *_verify_total_costs(connection),
        *_verify_similar_lists(connection),
        *verify_units(connection),
    ]


def _verify_total_costs(connection: Connection) -> Iterator[str]:
    """Compare the total cost of each run with its recorded cost plus lower bound."""
    run = workflows.c
    recorded, lower_bound = run.recorded_cost_nanodollars, run.lower_bound_cost_nanodollars
    expected = func.coalesce(recorded + lower_bound, recorded, lower_bound)
    differs = or_(run.spent_nanodollars != expected, run.spent_nanodollars.is_(None) != expected.is_(None))
    query = select(run.project, run.id, run.spent_nanodollars, expected).where(differs).order_by(run.key)
    for project, run_id, stored, summed in connection.execute(query):
        yield f"{project}/{run_id}: spent {stored} nanodollars, recorded cost plus lower bound is {summed}"


def _verify_similar_lists(connection: Connection) -> Iterator[str]:
    """Find lists of similar runs with a gap, with the run itself, or with rising or invalid scores."""
    pair, previous = similar_pairs.alias(), similar_pairs.alias()
    is_invalid = or_(
        pair.c.similar_key == pair.c.workflow_key,
        ~pair.c.score.between(0, 1),
        (pair.c.rank > 1) & previous.c.workflow_key.is_(None),
        pair.c.rank < 1,
        previous.c.score < pair.c.score,
    )
    is_previous = (previous.c.workflow_key == pair.c.workflow_key) & (previous.c.rank == pair.c.rank - 1)
    query = (
        select(workflows.c.project, workflows.c.id, pair.c.rank)
        .join_from(pair, workflows, workflows.c.key == pair.c.workflow_key)
        .join(previous, is_previous, isouter=True)
        .where(is_invalid)
        .order_by(pair.c.workflow_key, pair.c.rank)
    )
    for project, run_id, rank in connection.execute(query):
        yield f"{project}/{run_id}: place {rank} of its list of similar runs is invalid"
