"""Store the claims of runs (the cost of each attempt by itself), and find runs with common messages.

Runs in the caller's transaction. Rows of `claim_units` are derived from the claims and change with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, insert, select

from ...costs.accounting.deduplication import Unit
from ...costs.accounting.message_claims import (
    Claim,
    decode_claim,
    encode_claim,
    seen_more,
    to_replaced_claim,
    units_of,
)
from ..connection.engine import get_dialect
from ..rows.column_types import sanitize_text
from ..tables.schema import agent_runs, claim_units, claims
from .bulk_insert import batched, execute_many

_UNIT_BATCH_SIZE = 100_000
_COLUMNS = ("workflow_key", "path", "identity", "data")


def read_claims(connection: Connection, keys: Sequence[int]) -> dict[int, list[Claim]]:
    """Return the claims of runs by key, in the order of path and identity."""
    claims_by_run: dict[int, list[Claim]] = defaultdict(list)
    query = select(claims.c.workflow_key, claims.c.data)
    query = query.order_by(claims.c.workflow_key, claims.c.path, claims.c.identity)
    for batch in batched(keys):
        for key, data in connection.execute(query.where(claims.c.workflow_key.in_(batch))):
            claims_by_run[key].append(decode_claim(data))
    return claims_by_run


def save_claims(
    connection: Connection,
    claims_by_run: Mapping[int, Sequence[Claim]],
    *,
    new: AbstractSet[int] = frozenset(),
) -> None:
    """Store claims of runs whose agent runs are stored; claims of superseded attempts are kept.

    Of two claims of one attempt, the one that read more of it is kept. Runs in `new` have no claims yet.
    """
    stored_keys = [key for key in claims_by_run if key not in new]
    stored = read_claims(connection, stored_keys)
    attempts = _stored_attempts(connection, stored_keys)
    merged: dict[int, dict[tuple[str, str | None], Claim]] = {}
    for key, new_claims in claims_by_run.items():
        renamed = (_rename_superseded(claim, attempts[key]) for claim in stored.get(key, ()))
        by_attempt = {claim.name: claim for claim in renamed if _attempt_key(claim) in attempts[key]}
        for claim in new_claims:
            previous = by_attempt.get(claim.name)
            if previous is None or not seen_more(previous, claim):
                by_attempt[claim.name] = claim
        merged[key] = by_attempt
    replace_claims(connection, {key: list(by_attempt.values()) for key, by_attempt in merged.items()}, stored)


def replace_claims(
    connection: Connection,
    claims_by_run: Mapping[int, Sequence[Claim]],
    stored: Mapping[int, Sequence[Claim]] | None = None,
) -> None:
    """Replace the stored claims of these runs; `stored` are the stored ones, if the caller has read them."""
    old = read_claims(connection, list(claims_by_run)) if stored is None else stored
    for batch in batched([key for key in claims_by_run if old.get(key)]):
        connection.execute(delete(claims).where(claims.c.workflow_key.in_(batch)))
    rows = [
        (key, *_attempt_key(claim), encode_claim(claim))
        for key, run_claims in claims_by_run.items()
        for claim in run_claims
    ]
    execute_many(connection, insert(claims), _COLUMNS, rows)
    removed, added = [], []
    for key, run_claims in claims_by_run.items():
        old_units, new_units = units_of(old.get(key, ())), units_of(run_claims)
        removed += [(unit, key) for unit in old_units - new_units]
        added += [(unit, key) for unit in new_units - old_units]
    _delete_units(connection, removed)
    execute_many(connection, insert(claim_units), ("unit", "workflow_key"), sorted(added))


def delete_claims(connection: Connection, keys: Sequence[int]) -> None:
    """Delete the claims of runs that are about to be deleted."""
    replace_claims(connection, dict.fromkeys(keys, ()))


def runs_sharing(connection: Connection, units: Iterable[Unit]) -> set[int]:
    """Return the keys of the runs that share any of these units with another run."""
    sorted_units = sorted(units)
    keys: set[int] = set()
    for batch in batched(sorted_units, _UNIT_BATCH_SIZE):
        batch_rows = get_dialect(connection).integer_rows(batch)
        columns = claim_units.c
        shared = (
            select(columns.unit)
            .join_from(batch_rows, claim_units, columns.unit == batch_rows.c.value)
            .group_by(columns.unit)
            .having(func.count() > 1)
            .subquery()
        )
        query = select(columns.workflow_key).join(shared, shared.c.unit == columns.unit).distinct()
        keys.update(connection.scalars(query))
    return keys


def runs_with_units(connection: Connection, units: Iterable[Unit]) -> set[int]:
    """Return the keys of the runs that have any of these units."""
    keys: set[int] = set()
    for batch in batched(sorted(units), _UNIT_BATCH_SIZE):
        batch_rows = get_dialect(connection).integer_rows(batch)
        query = select(claim_units.c.workflow_key).join_from(
            batch_rows, claim_units, claim_units.c.unit == batch_rows.c.value
        )
        keys.update(connection.scalars(query.distinct()))
    return keys


def connected_claims(connection: Connection, keys: Iterable[int]) -> dict[int, list[Claim]]:
    """Return the claims of these runs and of all runs that share messages with them, also indirectly."""
    connected: dict[int, list[Claim]] = {}
    pending = set(keys)
    while pending:
        batch_claims = read_claims(connection, sorted(pending))
        connected |= {key: batch_claims.get(key, []) for key in pending}
        units = units_of(claim for run_claims in batch_claims.values() for claim in run_claims)
        pending = runs_sharing(connection, units) - connected.keys()
    return connected


def verify_units(connection: Connection) -> Iterator[str]:
    """Yield a message for each run whose number of rows in `claim_units` differs from its claims."""
    stored = select(claim_units.c.workflow_key, func.count()).group_by(claim_units.c.workflow_key)
    counts = {key: count for key, count in connection.execute(stored)}  # noqa: C416 - rows, not pairs
    keys = sorted({*counts, *connection.scalars(select(claims.c.workflow_key).distinct())})
    for batch in batched(keys):
        claims_by_run = read_claims(connection, batch)
        for key in batch:
            units = units_of(claims_by_run.get(key, ()))
            if len(units) != counts.get(key, 0):
                yield f"run number {key}: its messages are not listed as its streams have them"


def _rename_superseded(claim: Claim, attempts: AbstractSet[tuple[str, str]]) -> Claim:
    """Return a stored claim under the current name of its attempt, which changes if it is superseded."""
    earlier = to_replaced_claim(claim)
    return earlier if _attempt_key(earlier) in attempts else claim


def _stored_attempts(connection: Connection, keys: Sequence[int]) -> dict[int, set[tuple[str, str]]]:
    """Return path and identity of each stored agent run, by run key."""
    attempts: dict[int, set[tuple[str, str]]] = defaultdict(set)
    columns = agent_runs.c
    for batch in batched(keys):
        query = select(columns.workflow_key, columns.path, columns.identity).where(
            columns.workflow_key.in_(batch)
        )
        for key, path, identity in connection.execute(query):
            attempts[key].add((path or "", identity or ""))
    return attempts


def _attempt_key(claim: Claim) -> tuple[str, str]:
    return sanitize_text(claim.path), claim.identity or ""


def _delete_units(connection: Connection, rows: Sequence[tuple[Unit, int]]) -> None:
    if rows:
        columns = claim_units.c
        is_row = (columns.unit == bindparam("of", type_=BigInteger)) & (
            columns.workflow_key == bindparam("by")
        )
        connection.execute(delete(claim_units).where(is_row), [{"of": unit, "by": key} for unit, key in rows])
