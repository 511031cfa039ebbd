"""Store the claims of runs (the cost of each attempt by itself), and find runs with common messages.

Runs in the caller's transaction. Rows of `claim_units` are derived from the claims and change with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, insert, select

from ...costs.accounting.deduplication import Unit
from ...costs.accounting.message_claims import Claim, as_earlier, packed, seen_more, units_of, unpacked
from ..connection.engine import get_backend
from ..rows.column_types import sanitize_text
from ..tables.schema import agent_runs, claim_units, claims
from .bulk_insert import batched, execute_many

_UNITS_AT_A_TIME = 100_000
_COLUMNS = ("workflow_key", "path", "identity", "data")


def claims_of(connection: Connection, keys: Sequence[int]) -> dict[int, list[Claim]]:
    """Return the claims of runs by key, in the order of path and identity."""
    found: dict[int, list[Claim]] = defaultdict(list)
    query = select(claims.c.workflow_key, claims.c.data)
    query = query.order_by(claims.c.workflow_key, claims.c.path, claims.c.identity)
    for some in batched(keys):
        for key, data in connection.execute(query.where(claims.c.workflow_key.in_(some))):
            found[key].append(unpacked(data))
    return found


def save_claims(
    connection: Connection, given: Mapping[int, Sequence[Claim]], *, new: AbstractSet[int] = frozenset()
) -> None:
    """Store claims of runs whose agent runs are stored; claims of superseded attempts are kept.

    Of two claims of one attempt, the one that read more of it is kept. Runs in `new` have no claims yet.
    """
    known = [key for key in given if key not in new]
    before = claims_of(connection, known)
    attempts = _attempts(connection, known)
    wanted: dict[int, dict[tuple[str, str | None], Claim]] = {}
    for key, own in given.items():
        former_ones = (_as_called_now(claim, attempts[key]) for claim in before.get(key, ()))
        kept = {claim.name: claim for claim in former_ones if _stored(claim) in attempts[key]}
        for claim in own:
            former = kept.get(claim.name)
            if former is None or not seen_more(former, claim):
                kept[claim.name] = claim
        wanted[key] = kept
    replace_claims(connection, {key: list(kept.values()) for key, kept in wanted.items()}, before)


def replace_claims(
    connection: Connection,
    wanted: Mapping[int, Sequence[Claim]],
    before: Mapping[int, Sequence[Claim]] | None = None,
) -> None:
    """Replace the stored claims of these runs; `before` are the stored ones, if the caller has read them."""
    old = claims_of(connection, list(wanted)) if before is None else before
    for some in batched([key for key in wanted if old.get(key)]):
        connection.execute(delete(claims).where(claims.c.workflow_key.in_(some)))
    rows = [(key, *_stored(claim), packed(claim)) for key, own in wanted.items() for claim in own]
    execute_many(connection, insert(claims), _COLUMNS, rows)
    gone, come = [], []
    for key, own in wanted.items():
        former, units = units_of(old.get(key, ())), units_of(own)
        gone += [(unit, key) for unit in former - units]
        come += [(unit, key) for unit in units - former]
    _forget_units(connection, gone)
    execute_many(connection, insert(claim_units), ("unit", "workflow_key"), sorted(come))


def forget_claims(connection: Connection, keys: Sequence[int]) -> None:
    """Delete the claims of runs that are about to be deleted."""
    replace_claims(connection, dict.fromkeys(keys, ()))


def sharing(connection: Connection, units: Iterable[Unit]) -> set[int]:
    """Return the keys of the runs that share any of these units with another run."""
    every = sorted(units)
    found: set[int] = set()
    for some in batched(every, _UNITS_AT_A_TIME):
        given = get_backend(connection).integer_rows(some)
        own = claim_units.c
        twice = (
            select(own.unit)
            .join_from(given, claim_units, own.unit == given.c.value)
            .group_by(own.unit)
            .having(func.count() > 1)
            .subquery()
        )
        query = select(own.workflow_key).join(twice, twice.c.unit == own.unit).distinct()
        found.update(connection.scalars(query))
    return found


def having(connection: Connection, units: Iterable[Unit]) -> set[int]:
    """Return the keys of the runs that have any of these units."""
    found: set[int] = set()
    for some in batched(sorted(units), _UNITS_AT_A_TIME):
        given = get_backend(connection).integer_rows(some)
        query = select(claim_units.c.workflow_key).join_from(
            given, claim_units, claim_units.c.unit == given.c.value
        )
        found.update(connection.scalars(query.distinct()))
    return found


def connected(connection: Connection, keys: Iterable[int]) -> dict[int, list[Claim]]:
    """Return the claims of these runs and of all runs that share messages with them, also indirectly."""
    found: dict[int, list[Claim]] = {}
    ahead = set(keys)
    while ahead:
        some = claims_of(connection, sorted(ahead))
        found |= {key: some.get(key, []) for key in ahead}
        units = units_of(claim for own in some.values() for claim in own)
        ahead = sharing(connection, units) - found.keys()
    return found


def wrong_units(connection: Connection) -> Iterator[str]:
    """Yield a message for each run whose number of rows in `claim_units` differs from its claims."""
    stored = select(claim_units.c.workflow_key, func.count()).group_by(claim_units.c.workflow_key)
    counts = {key: count for key, count in connection.execute(stored)}  # noqa: C416 - rows, not pairs
    keys = sorted({*counts, *connection.scalars(select(claims.c.workflow_key).distinct())})
    for some in batched(keys):
        own = claims_of(connection, some)
        for key in some:
            units = units_of(own.get(key, ()))
            if len(units) != counts.get(key, 0):
                yield f"run number {key}: its messages are not listed as its streams have them"


def _as_called_now(claim: Claim, attempts: AbstractSet[tuple[str, str]]) -> Claim:
    """Return a stored claim under the current name of its attempt, which changes if it is superseded."""
    earlier = as_earlier(claim)
    return earlier if _stored(earlier) in attempts else claim


def _attempts(connection: Connection, keys: Sequence[int]) -> dict[int, set[tuple[str, str]]]:
    """Return path and identity of each stored agent run, by run key."""
    found: dict[int, set[tuple[str, str]]] = defaultdict(set)
    own = agent_runs.c
    for some in batched(keys):
        query = select(own.workflow_key, own.path, own.identity).where(own.workflow_key.in_(some))
        for key, path, identity in connection.execute(query):
            found[key].add((path or "", identity or ""))
    return found


def _stored(claim: Claim) -> tuple[str, str]:
    return sanitize_text(claim.path), claim.identity or ""


def _forget_units(connection: Connection, rows: Sequence[tuple[Unit, int]]) -> None:
    if rows:
        own = claim_units.c
        mine = (own.unit == bindparam("of", type_=BigInteger)) & (own.workflow_key == bindparam("by"))
        connection.execute(delete(claim_units).where(mine), [{"of": unit, "by": key} for unit, key in rows])
