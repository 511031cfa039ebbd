"""Compare derived data with the rows it was computed from; returns one message per difference."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, or_, select

from .column_cache.aggregates import wrong_digests
from .column_cache.columns import verify_cache
from .column_cache.vectors import verify_vectors
from .tables.schema import similar_pairs, workflows
from .writing.message_claims import check_units


def verify_derived(connection: Connection) -> list[str]:
    """Return differences in packed columns, total costs of runs, lists of similar runs, and message units."""
    packed = verify_cache(connection) or wrong_digests(connection)  # aggregates are computed from columns
    packed += verify_vectors(connection)
    return [
        *(
            f"packed {family} of the runs from number {first}: not as in their rows"
            for family, first in packed
        ),
        *_wrong_spending(connection),
        *_wrong_lists(connection),
        *check_units(connection),
    ]


def _wrong_spending(connection: Connection) -> Iterator[str]:
    """Compare the total cost of each run with its recorded cost plus lower bound."""
    own = workflows.c
    total, beyond = own.recorded_cost_nanodollars, own.lower_bound_cost_nanodollars
    expected = func.coalesce(total + beyond, total, beyond)
    differs = or_(own.spent_nanodollars != expected, own.spent_nanodollars.is_(None) != expected.is_(None))
    query = select(own.project, own.id, own.spent_nanodollars, expected).where(differs).order_by(own.key)
    for project, run_id, stored, summed in connection.execute(query):
        yield f"{project}/{run_id}: spent {stored} nanodollars, its cost and what goes beyond are {summed}"


def _wrong_lists(connection: Connection) -> Iterator[str]:
    """Find lists of similar runs with a gap, with the run itself, or with rising or invalid scores."""
    own, before = similar_pairs.alias(), similar_pairs.alias()
    odd = or_(
        own.c.similar_key == own.c.workflow_key,
        ~own.c.score.between(0, 1),
        (own.c.rank > 1) & before.c.workflow_key.is_(None),
        own.c.rank < 1,
        before.c.score < own.c.score,
    )
    follows = (before.c.workflow_key == own.c.workflow_key) & (before.c.rank == own.c.rank - 1)
    query = (
        select(workflows.c.project, workflows.c.id, own.c.rank)
        .join_from(own, workflows, workflows.c.key == own.c.workflow_key)
        .join(before, follows, isouter=True)
        .where(odd)
        .order_by(own.c.workflow_key, own.c.rank)
    )
    for project, run_id, rank in connection.execute(query):
        yield f"{project}/{run_id}: place {rank} of its list of similar runs is no such place"
