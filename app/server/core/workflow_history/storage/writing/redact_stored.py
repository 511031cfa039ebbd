"""Redact secrets, or all texts, in the stored tables, and count the changes.

Every row is decoded and encoded again, with the redaction of a new row. Data derived from the texts is
dropped as well: vectors, packed columns, and stream marks.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, bindparam, delete, func, select, update

from ...common.errors import WorkflowHistoryError
from ...common.redaction import (
    TEXT_FIELDS,
    count_redactions,
    has_no_text,
    strip_agent_texts,
    strip_quotes,
    strip_texts,
)
from ...costs.accounting.message_claims import cleaned
from ..column_cache.blocks import invalidate_blocks
from ..connection.engine import get_backend
from ..rows.column_types import encode_extra, redacted_text
from ..rows.row_codec import AGENT_RUN, MODEL_USAGE, SYNC_RUN, WORKFLOW, Codec
from ..tables.schema import (
    agent_runs,
    claims,
    likeness,
    model_usage,
    occurrences,
    patterns,
    problems,
    similar_pairs,
    stream_marks,
    sync_runs,
    unfinished,
    workflows,
)
from .bulk_insert import batched
from .message_claims import claims_of, replace_claims
from .pattern_totals import AGGREGATES, TOTAL_COLUMNS
from .similarity_rows import mark_stale

NO_TEXT_VARIABLE: Final = "WORKFLOW_HISTORY_NO_TEXT"

_ERASE: Final = "erase"
_MANY: Final = 1_000  # rows in memory at a time


class RedactionResult(NamedTuple):
    """Result of redacting a history."""

    rows: int  # number of changed rows in all tables
    secrets: dict[str, int]  # number of redacted secrets by kind
    keeps_text: bool  # whether texts are still stored


def text_storage_enabled(connection: Connection, *, no_text: bool) -> bool:
    """Return whether to store texts: a history continues as its newest run was stored.

    Raises WorkflowHistoryError if texts are not allowed, but the history has some.
    """
    none_wanted = no_text or os.environ.get(NO_TEXT_VARIABLE, "") not in {"", "0"}
    holds = stores_text(connection)
    if none_wanted and holds:
        raise WorkflowHistoryError(
            "this history holds texts of runs: workflow-history db scrub --no-text takes them out, "
            "or name another history with --db"
        )
    return not none_wanted if holds is None else holds


def stores_text(connection: Connection) -> bool | None:
    """Return whether the newest run was stored with its texts, or None if there is no run."""
    newest = select(workflows.c.extra).where(
        workflows.c.key == select(func.max(workflows.c.key)).scalar_subquery()
    )
    found = connection.execute(newest).first()
    return None if found is None else (found[0] or {}).get(TEXT_FIELDS) is not False


def redact_all(connection: Connection, *, no_text: bool) -> RedactionResult:
    """Redact secrets, or all texts, in the caller's transaction; the files must be erased afterwards."""
    secrets: Counter[str] = Counter()
    rows = 0
    no_text = no_text or stores_text(connection) is False
    for table, codec in _CODED:
        changed = _scrub_table(connection, table, codec, secrets, no_text=no_text)
        rows += len(changed)
        if table is workflows:
            _make_anew(connection, [key for (key,) in changed])
    rows += _scrub_problems(connection, secrets, no_text=no_text)
    rows += _scrub_patterns(connection, secrets, no_text=no_text)
    rows += _scrub_claims(connection, no_text=no_text)
    connection.execute(delete(stream_marks))
    mark = get_backend(connection).insert(unfinished).values(step=_ERASE)
    connection.execute(mark.on_conflict_do_nothing())
    return RedactionResult(rows, dict(secrets), keeps_text=not no_text)


def is_to_be_erased(connection: Connection) -> bool:
    """Return whether the database files may still contain redacted text."""
    return connection.scalar(select(unfinished.c.step).where(unfinished.c.step == _ERASE)) is not None


def note_erased(connection: Connection) -> None:
    """Record that the database files contain no redacted text any more."""
    connection.execute(delete(unfinished).where(unfinished.c.step == _ERASE))


_CODED: Final = (
    (workflows, WORKFLOW),
    (agent_runs, AGENT_RUN),
    (model_usage, MODEL_USAGE),
    (sync_runs, SYNC_RUN),
)


def _scrub_table(
    connection: Connection, table: Table, codec: Codec, secrets: Counter[str], *, no_text: bool
) -> list[tuple[Any, ...]]:
    """Redact the texts of a table and return the primary keys of the changed rows."""
    keys = list(table.primary_key.columns)
    names = [name for name in _texts(table) if table.c[name] not in keys]
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    change = update(table).where(*(key == bindparam(f"of_{key.name}") for key in keys)).values(values)
    changed: list[tuple[Any, ...]] = []
    for rows in _all_rows(connection, table):
        given = []
        for row in rows:
            new = _clean(codec, row, no_text=no_text)
            if all(new[name] == row[name] for name in names):
                continue
            secrets.update(_news(row, new, names))
            given.append(
                {f"new_{name}": new[name] for name in names} | {f"of_{k.name}": row[k.name] for k in keys}
            )
            changed.append(tuple(row[key.name] for key in keys))
        if given:
            connection.execute(change, given)
    return changed


def _texts(table: Table) -> list[str]:
    """Return the names of the columns with free text."""
    said = [
        c.name
        for c in table.columns
        if c.info.get("kind") in {"text", "dict", "list"} and not c.info.get("named")
    ]
    return [*said, "extra"] if "extra" in table.c else said


def _clean(codec: Codec, row: Mapping[str, Any], *, no_text: bool) -> dict[str, Any]:
    record = codec.decode(row)
    if no_text and codec is WORKFLOW:
        record = strip_texts(record)
    elif no_text and codec is not SYNC_RUN:
        record = strip_agent_texts(record)
    elif no_text:
        record = {**record, "errors": [_without_words(entry) for entry in record.get("errors") or ()]}
    values, extra = codec.encode(record)
    columns = [field.column for field in codec.fields.values()]
    found = dict(zip(columns, values, strict=True))
    for name, column in ((field.column, field) for field in codec.fields.values()):
        if column.kind in {"dict", "list"} and found[name] is not None:
            found[name] = _DECODER.decode(found[name])
    return {**found, "extra": _DECODER.decode(encode_extra(extra)) if extra else None}


def _without_words(entry: Any) -> Any:
    if isinstance(entry, Mapping) and isinstance(entry.get("reason"), str):
        return {**entry, "reason": strip_quotes(entry["reason"])}
    return entry if isinstance(entry, Mapping) else None


_DECODER: Final = msgspec.json.Decoder()


def _news(row: Mapping[str, Any], new: Mapping[str, Any], names: list[str]) -> Counter[str]:
    """Count the secrets, by kind, that are redacted in a new row but not in the old one."""
    found: Counter[str] = Counter()
    for name in names:
        found += count_redactions(str(new[name])) - count_redactions(str(row[name]))
    return found


def _all_rows(connection: Connection, table: Table) -> Iterator[list[Mapping[str, Any]]]:
    """Yield all rows in batches; all keys are listed first, as the caller changes rows meanwhile."""
    keys = list(table.primary_key.columns)
    first = keys[0]
    for some in batched(sorted(set(connection.scalars(select(first)))), _MANY):
        rows = connection.execute(select(table).where(first.in_(some))).mappings().all()
        yield [dict(row) for row in rows]


def _make_anew(connection: Connection, keys: list[int]) -> None:
    """Drop the data derived from the texts of these runs; the next sync compares and packs them again."""
    invalidate_blocks(connection, keys)
    for some in batched(keys):
        vectors = update(likeness).where(likeness.c.workflow_key.in_(some))
        connection.execute(vectors.values(text_vector=None))
        connection.execute(delete(similar_pairs).where(similar_pairs.c.workflow_key.in_(some)))
    mark_stale(connection, keys)


def _scrub_problems(connection: Connection, secrets: Counter[str], *, no_text: bool) -> int:
    number = 0
    for key, reason in connection.execute(select(problems.c.key, problems.c.reason)).all():
        new = redacted_text(strip_quotes(reason) if no_text else reason)
        if new != reason:
            connection.execute(update(problems).where(problems.c.key == key).values(reason=new))
            secrets.update(count_redactions(new) - count_redactions(reason))
            number += 1
    return number


def _scrub_patterns(connection: Connection, secrets: Counter[str], *, no_text: bool) -> int:
    own = patterns.c
    number = 0
    for key, kind, signature, note in connection.execute(
        select(own.key, own.kind, own.signature, own.note)
    ).all():
        if no_text and not has_no_text(kind, signature):
            connection.execute(delete(patterns).where(own.key == key))  # also deletes its occurrences
            number += 1
            continue
        new = redacted_text(signature), None if note is None or no_text else redacted_text(note)
        if new != (signature, note):
            secrets.update(count_redactions(new[0]) - count_redactions(signature))
            _rename_pattern(connection, key, kind, new)
            number += 1
    return number


def _scrub_claims(connection: Connection, *, no_text: bool) -> int:
    """Redact the claims of streams; their secrets are counted in the agent runs, which contain them, too."""
    number = 0
    for some in batched(sorted(set(connection.scalars(select(claims.c.workflow_key)))), _MANY):
        before = claims_of(connection, some)
        after = {key: [cleaned(one, keeps_text=not no_text) for one in own] for key, own in before.items()}
        changed = {key: own for key, own in after.items() if own != before[key]}
        replace_claims(connection, changed, before)
        number += sum(
            one != old for key, own in changed.items() for one, old in zip(own, before[key], strict=True)
        )
    return number


def _rename_pattern(connection: Connection, key: int, kind: str, new: tuple[str, str | None]) -> None:
    """Rename a pattern; if another pattern has the new name, move the occurrences to that one."""
    from ...analysis.patterns.detection import pattern_id  # noqa: PLC0415 - reading needs no detection

    own, seen = patterns.c, occurrences.c
    signature, note = new
    same = select(own.key).where(own.kind == kind, own.signature == signature, own.key != key)
    other = connection.scalar(same)
    if other is None:
        values = {"signature": signature, "id": pattern_id(kind, signature), "note": note}
        connection.execute(update(patterns).where(own.key == key).values(values))
        return
    known = select(seen.workflow_key).where(seen.pattern_key == other).scalar_subquery()
    moved = update(occurrences).where(seen.pattern_key == key, seen.workflow_key.not_in(known))
    connection.execute(moved.values(pattern_key=other))
    connection.execute(delete(patterns).where(own.key == key))
    sums = connection.execute(
        select(*(AGGREGATES[name] for name in TOTAL_COLUMNS)).where(seen.pattern_key == other)
    ).one()
    connection.execute(
        update(patterns).where(own.key == other).values(dict(zip(TOTAL_COLUMNS, sums, strict=True)))
    )
