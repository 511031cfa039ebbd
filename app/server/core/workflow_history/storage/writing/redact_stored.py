"""Redact secrets, or all texts, in the stored tables, and count the changes.

Every row is decoded and encoded again, with the redaction of a new row. Data derived from the texts is
dropped as well: vectors, packed columns, and checkpoints.
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
from ...costs.accounting.message_claims import redact_claim
from ..column_cache.blocks import invalidate_blocks
from ..connection.engine import get_dialect
from ..rows.column_types import encode_extra, redacted_text
from ..rows.row_codec import AGENT_RUN, MODEL_USAGE, SYNC_RUN, WORKFLOW, Codec
from ..tables.schema import (
    agent_runs,
    claims,
    model_usage,
    occurrences,
    patterns,
    problems,
    similar_pairs,
    similarity_features,
    stream_checkpoints,
    sync_runs,
    unfinished,
    workflows,
)
from .bulk_insert import batched
from .message_claims import read_claims, replace_claims
from .pattern_totals import AGGREGATES, TOTAL_COLUMNS
from .similarity_rows import mark_stale

NO_TEXT_VARIABLE: Final = "WORKFLOW_HISTORY_NO_TEXT"

_ERASE_STEP: Final = "erase"
_BATCH_SIZE: Final = 1_000  # rows in memory at a time


class RedactionResult(NamedTuple):
    """Result of redacting a history."""

    rows: int  # number of changed rows in all tables
    secrets: dict[str, int]  # number of redacted secrets by kind
    keeps_text: bool  # whether texts are still stored


def text_storage_enabled(connection: Connection, *, no_text: bool) -> bool:
    """Return whether to store texts: a history continues as its newest run was stored.

    Raises WorkflowHistoryError if texts are not allowed, but the history has some.
    """
    forbidden = no_text or os.environ.get(NO_TEXT_VARIABLE, "") not in {"", "0"}
    stored = stores_text(connection)
    if forbidden and stored:
        raise WorkflowHistoryError(
            "This history contains texts of runs, and --no-text is set. Delete them with: workflow-history "
            "db redact --no-text, or choose another history with --db."
        )
    return not forbidden if stored is None else stored


def stores_text(connection: Connection) -> bool | None:
    """Return whether the newest run was stored with its texts, or None if there is no run."""
    newest = select(workflows.c.extra).where(
        workflows.c.key == select(func.max(workflows.c.key)).scalar_subquery()
    )
    row = connection.execute(newest).first()
    return None if row is None else (row[0] or {}).get(TEXT_FIELDS) is not False


def redact_all(connection: Connection, *, no_text: bool) -> RedactionResult:
    """Redact secrets, or all texts, in the caller's transaction; the files must be erased afterwards."""
    secrets: Counter[str] = Counter()
    rows = 0
    no_text = no_text or stores_text(connection) is False
    for table, codec in _CODED_TABLES:
        changed = _redact_table(connection, table, codec, secrets, no_text=no_text)
        rows += len(changed)
        if table is workflows:
            _drop_derived_data(connection, [key for (key,) in changed])
    rows += _redact_problems(connection, secrets, no_text=no_text)
    rows += _redact_patterns(connection, secrets, no_text=no_text)
    rows += _redact_claims(connection, no_text=no_text)
    connection.execute(delete(stream_checkpoints))
    pending = get_dialect(connection).insert(unfinished).values(step=_ERASE_STEP)
    connection.execute(pending.on_conflict_do_nothing())
    return RedactionResult(rows, dict(secrets), keeps_text=not no_text)


def erasure_pending(connection: Connection) -> bool:
    """Return whether the database files may still contain redacted text."""
    return connection.scalar(select(unfinished.c.step).where(unfinished.c.step == _ERASE_STEP)) is not None


def record_erasure(connection: Connection) -> None:
    """Record that the database files contain no redacted text any more."""
    connection.execute(delete(unfinished).where(unfinished.c.step == _ERASE_STEP))


_CODED_TABLES: Final = (
    (workflows, WORKFLOW),
    (agent_runs, AGENT_RUN),
    (model_usage, MODEL_USAGE),
    (sync_runs, SYNC_RUN),
)


def _redact_table(
    connection: Connection, table: Table, codec: Codec, secrets: Counter[str], *, no_text: bool
) -> list[tuple[Any, ...]]:
    """Redact the texts of a table and return the primary keys of the changed rows."""
    keys = list(table.primary_key.columns)
    names = [name for name in _text_columns(table) if table.c[name] not in keys]
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    statement = update(table).where(*(key == bindparam(f"of_{key.name}") for key in keys)).values(values)
    changed: list[tuple[Any, ...]] = []
    for rows in _row_batches(connection, table):
        changes = []
        for row in rows:
            new = _redacted_row(codec, row, no_text=no_text)
            if all(new[name] == row[name] for name in names):
                continue
            for name in names:
                secrets.update(count_redactions(str(new[name])) - count_redactions(str(row[name])))
            changes.append(
                {f"new_{name}": new[name] for name in names} | {f"of_{k.name}": row[k.name] for k in keys}
            )
            changed.append(tuple(row[key.name] for key in keys))
        if changes:
            connection.execute(statement, changes)
    return changed


def _text_columns(table: Table) -> list[str]:
    """Return the names of the columns with free text."""
    names = [
        c.name
        for c in table.columns
        if c.info.get("kind") in {"text", "dict", "list"} and not c.info.get("named")
    ]
    return [*names, "extra"] if "extra" in table.c else names


def _redacted_row(codec: Codec, row: Mapping[str, Any], *, no_text: bool) -> dict[str, Any]:
    record = codec.decode(row)
    if no_text and codec is WORKFLOW:
        record = strip_texts(record)
    elif no_text and codec is not SYNC_RUN:
        record = strip_agent_texts(record)
    elif no_text:
        record = {**record, "errors": [_without_quotes(entry) for entry in record.get("errors") or ()]}
    values, extra = codec.encode(record)
    new_row = {}
    for field, value in zip(codec.fields.values(), values, strict=True):
        is_json = field.kind in {"dict", "list"} and value is not None
        new_row[field.column] = _DECODER.decode(value) if is_json else value
    return {**new_row, "extra": _DECODER.decode(encode_extra(extra)) if extra else None}


def _without_quotes(entry: Any) -> Any:
    if isinstance(entry, Mapping) and isinstance(entry.get("reason"), str):
        return {**entry, "reason": strip_quotes(entry["reason"])}
    return entry if isinstance(entry, Mapping) else None


_DECODER: Final = msgspec.json.Decoder()


def _row_batches(connection: Connection, table: Table) -> Iterator[list[Mapping[str, Any]]]:
    """Yield all rows in batches; all keys are listed first, as the caller changes rows meanwhile."""
    first, *_ = table.primary_key.columns
    for batch in batched(sorted(set(connection.scalars(select(first)))), _BATCH_SIZE):
        rows = connection.execute(select(table).where(first.in_(batch))).mappings().all()
        yield [dict(row) for row in rows]


def _drop_derived_data(connection: Connection, keys: list[int]) -> None:
    """Drop the data derived from the texts of these runs; the next sync compares and packs them again."""
    invalidate_blocks(connection, keys)
    for batch in batched(keys):
        vectors = update(similarity_features).where(similarity_features.c.workflow_key.in_(batch))
        connection.execute(vectors.values(text_vector=None))
        connection.execute(delete(similar_pairs).where(similar_pairs.c.workflow_key.in_(batch)))
    mark_stale(connection, keys)


def _redact_problems(connection: Connection, secrets: Counter[str], *, no_text: bool) -> int:
    number = 0
    for key, reason in connection.execute(select(problems.c.key, problems.c.reason)).all():
        new = redacted_text(strip_quotes(reason) if no_text else reason)
        if new != reason:
            connection.execute(update(problems).where(problems.c.key == key).values(reason=new))
            secrets.update(count_redactions(new) - count_redactions(reason))
            number += 1
    return number


def _redact_patterns(connection: Connection, secrets: Counter[str], *, no_text: bool) -> int:
    columns = patterns.c
    number = 0
    for key, kind, signature, note in connection.execute(
        select(columns.key, columns.kind, columns.signature, columns.note)
    ).all():
        if no_text and not has_no_text(kind, signature):
            connection.execute(delete(patterns).where(columns.key == key))  # also deletes its occurrences
            number += 1
            continue
        new = redacted_text(signature), None if note is None or no_text else redacted_text(note)
        if new != (signature, note):
            secrets.update(count_redactions(new[0]) - count_redactions(signature))
            _rename_pattern(connection, key, kind, new)
            number += 1
    return number


def _redact_claims(connection: Connection, *, no_text: bool) -> int:
    """Redact the claims of streams; their secrets are counted in the agent runs, which contain them, too."""
    number = 0
    for batch in batched(sorted(set(connection.scalars(select(claims.c.workflow_key)))), _BATCH_SIZE):
        before = read_claims(connection, batch)
        after = {
            key: [redact_claim(claim, keeps_text=not no_text) for claim in run_claims]
            for key, run_claims in before.items()
        }
        changed = {key: run_claims for key, run_claims in after.items() if run_claims != before[key]}
        replace_claims(connection, changed, before)
        number += sum(
            claim != previous
            for key, run_claims in changed.items()
            for claim, previous in zip(run_claims, before[key], strict=True)
        )
    return number


def _rename_pattern(connection: Connection, key: int, kind: str, new: tuple[str, str | None]) -> None:
    """Rename a pattern; if another pattern has the new name, move the occurrences to that one."""
    from ...analysis.patterns.detection import pattern_id  # noqa: PLC0415 - reading needs no detection

    columns, occurrence = patterns.c, occurrences.c
    signature, note = new
    same = select(columns.key).where(columns.kind == kind, columns.signature == signature, columns.key != key)
    other = connection.scalar(same)
    if other is None:
        values = {"signature": signature, "id": pattern_id(kind, signature), "note": note}
        connection.execute(update(patterns).where(columns.key == key).values(values))
        return
    runs_of_other = select(occurrence.workflow_key).where(occurrence.pattern_key == other).scalar_subquery()
    move = update(occurrences).where(
        occurrence.pattern_key == key, occurrence.workflow_key.not_in(runs_of_other)
    )
    connection.execute(move.values(pattern_key=other))
    connection.execute(delete(patterns).where(columns.key == key))
    totals = connection.execute(
        select(*(AGGREGATES[name] for name in TOTAL_COLUMNS)).where(occurrence.pattern_key == other)
    ).one()
    connection.execute(
        update(patterns).where(columns.key == other).values(dict(zip(TOTAL_COLUMNS, totals, strict=True)))
    )
