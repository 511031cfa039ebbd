"""Know each pattern by an id, what was decided about it, and its sums over all runs."""

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_SUMS = {
    "runs": ("runs that show it, count", "COUNT(*)"),
    "count": ("times seen in all of them, count", "COALESCE(SUM(count), 0)"),
    "successes": ("times it went well, count", "COALESCE(SUM(successes), 0)"),
    "failures": ("times it failed, count", "COALESCE(SUM(failures), 0)"),
    "cost_nanodollars": (
        "spent on it in the runs whose part is known, nanodollars (1e-9 USD)",
        "COALESCE(SUM(cost_nanodollars), 0)",
    ),
    "unpriced_runs": (
        "runs whose cost of it is unknown, count; in all of them: the cost is unknown",
        "COUNT(*) - COUNT(cost_nanodollars)",
    ),
    "milliseconds": (
        "time spent on it where that is known, each run's part rounded, milliseconds",
        "COALESCE(SUM(CAST(seconds * 1000 + 0.5 AS INTEGER)), 0)",
    ),
    "untimed_runs": (
        "runs whose time of it is unknown, count; in all of them: the time is unknown",
        "COUNT(*) - COUNT(seconds)",
    ),
}
_LESS = {
    "runs": "1",
    **{name: f"COALESCE(o.{name}, 0)" for name in ("count", "successes", "failures", "cost_nanodollars")},
    "unpriced_runs": "(o.cost_nanodollars IS NULL)",
    "milliseconds": "COALESCE(CAST(o.seconds * 1000 + 0.5 AS INTEGER), 0)",
    "untimed_runs": "(o.seconds IS NULL)",
}
_LESS_ON_POSTGRESQL = {  # its conditions are no numbers, and its casts round
    "unpriced_runs": "CAST(o.cost_nanodollars IS NULL AS integer)",
    "milliseconds": "COALESCE(CAST(trunc(o.seconds * 1000 + 0.5) AS bigint), 0)",
    "untimed_runs": "CAST(o.seconds IS NULL AS integer)",
}
_OLD_VIEW = """
        SELECT p.key, p.kind, p.signature, p.status, p.first_seen_at,
               COUNT(*) AS workflows,
               SUM(o.count) AS times,
               SUM(o.successes) * 1.0 / NULLIF(SUM(o.successes) + SUM(o.failures), 0) AS success_share,
               SUM(o.cost_nanodollars) / 1000000000.0 AS cost_usd,
               SUM(o.seconds) AS seconds
        FROM patterns AS p
        JOIN occurrences AS o ON o.pattern_key = p.key
        GROUP BY p.key, p.kind, p.signature, p.status, p.first_seen_at
        HAVING COUNT(*) >= 2
        ORDER BY workflows DESC, times DESC, p.kind, p.signature
    """
_VIEW = """
        SELECT p.key, p.id, p.kind, p.signature, p.status, p.note, p.first_seen_at,
               p.runs AS workflows,
               p.count AS times,
               p.successes * 1.0 / NULLIF(p.successes + p.failures, 0) AS success_share,
               CASE WHEN p.runs > p.unpriced_runs THEN p.cost_nanodollars / 1000000000.0 END AS cost_usd,
               CASE WHEN p.runs > p.untimed_runs THEN p.milliseconds / 1000.0 END AS seconds
        FROM patterns AS p
        WHERE p.runs > 1
        ORDER BY workflows DESC, times DESC, p.kind, p.signature
    """


def upgrade() -> None:
    """Add the columns, fill them from the occurrences, and have the sums kept when a run is deleted."""
    _text("id", "16 hexadecimal digits of kind and signature, the same in every history")
    _text("note", "why it was accepted or dismissed; null: nobody said")
    _text("decided_at", "when it was accepted or dismissed; null: it was not, ISO 8601 UTC with microseconds")
    for name, (comment, _) in _SUMS.items():
        column = sa.Column(name, sa.BigInteger(), nullable=False, server_default="0", comment=comment)
        op.add_column("patterns", column)
    _fill_ids()
    _fill_sums()
    op.create_index("ix_patterns_id", "patterns", ["id"], unique=True)
    recurring = sa.text("runs > 1")
    op.create_index(
        "ix_patterns_recurring", "patterns", ["key"], sqlite_where=recurring, postgresql_where=recurring
    )
    for statement in _keeping():
        op.execute(statement)
    op.execute("DROP VIEW recurring_patterns")
    op.execute(f"CREATE VIEW recurring_patterns AS {_VIEW}")


def downgrade() -> None:
    """Drop what `upgrade` made."""
    op.execute("DROP VIEW recurring_patterns")
    if _is_postgresql():
        op.execute("DROP TRIGGER pattern_sums_drop ON workflows")
        op.execute("DROP FUNCTION pattern_sums_less")
    else:
        op.execute("DROP TRIGGER pattern_sums_drop")
    for name in ("recurring", "id"):
        op.drop_index(f"ix_patterns_{name}", "patterns")
    for name in (*_SUMS, "decided_at", "note", "id"):
        op.drop_column("patterns", name)
    op.execute(f"CREATE VIEW recurring_patterns AS {_OLD_VIEW}")


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _keeping() -> tuple[str, ...]:
    whole = _LESS | _LESS_ON_POSTGRESQL if _is_postgresql() else _LESS
    changes = ", ".join(f"{name} = patterns.{name} - {less}" for name, less in whole.items())
    of_run = "o.workflow_key = old.key AND o.pattern_key = patterns.key"
    change = f"UPDATE patterns SET {changes} FROM occurrences AS o WHERE {of_run};"  # noqa: S608 - names, no values
    if not _is_postgresql():
        return (f"CREATE TRIGGER pattern_sums_drop BEFORE DELETE ON workflows BEGIN {change} END",)
    made = "CREATE FUNCTION pattern_sums_less() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT"
    call = "FOR EACH ROW EXECUTE FUNCTION pattern_sums_less()"
    return (
        f"{made} AS $$ BEGIN {change} RETURN old; END $$",
        f"CREATE TRIGGER pattern_sums_drop BEFORE DELETE ON workflows {call}",
    )


def _text(name: str, comment: str) -> None:
    op.add_column("patterns", sa.Column(name, _TEXT, comment=comment))


def _fill_ids() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT key, kind, signature FROM patterns ORDER BY key")).all()
    ids = [
        {"key": key, "id": sha256(f"{kind}\0{signature}".encode()).hexdigest()[:16]}
        for key, kind, signature in rows
    ]
    if ids:
        connection.execute(sa.text("UPDATE patterns SET id = :id WHERE key = :key"), ids)


def _fill_sums() -> None:
    names = ", ".join(_SUMS)
    summed_up = {name: summed for name, (_, summed) in _SUMS.items()}
    if _is_postgresql():  # its casts round
        summed_up["milliseconds"] = "COALESCE(SUM(CAST(trunc(seconds * 1000 + 0.5) AS bigint)), 0)"
    sums = ", ".join(f"{summed} AS {name}" for name, summed in summed_up.items())
    taken = ", ".join(f"s.{name}" for name in _SUMS)
    # One walk through the table as it lies; through the index of patterns each row would be looked up.
    grouped = f"SELECT +pattern_key AS pattern, {sums} FROM occurrences GROUP BY +pattern_key"  # noqa: S608 - names, no values
    change = f"UPDATE patterns SET ({names}) = ({taken}) FROM ({grouped}) AS s"  # noqa: S608 - likewise
    op.execute(f"{change} WHERE s.pattern = patterns.key")
