"""Give each question an index: full text, filters and sorts of lists, and figures packed by column."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_OLD_FIGURES = [
    "total_cost_nanodollars", "id", "project", "status", "model_used", "workflow_template", "cost_basis",
    "lower_bound_cost_nanodollars", "duration_seconds", "total_tokens", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_creation_tokens", "created_at", "started_at",
]  # fmt: skip
_FIGURES = [
    "created_at", "id", "project", "status", "workflow_template", "issue_class", "model_used",
    "total_cost_nanodollars", "total_tokens", "duration_seconds", "nl_clarity_score",
    "cost_efficiency_score", "performance_score", "quality_score", "source_state",
]  # fmt: skip
_SORTED = (
    "total_cost_nanodollars", "duration_seconds", "total_tokens", "model_used", "workflow_template",
    "nl_clarity_score", "cost_efficiency_score", "performance_score", "quality_score", "status",
)  # fmt: skip
_OF_AGENTS = ("phase", "agent", "model")
_SEARCHED = ("nl_input", "error_message", "branch_name", "plan_file", "id", "adw_id", "issue_number")
_WORD = 200  # letters of a word that the index holds
_LETTERS = 250_000  # of a run; the index of one cannot hold more
_ICU = 'COLLATE "und-x-icu"'  # whatever the database itself takes for letters


def upgrade() -> None:
    """Make the indexes and the table of packed columns; the next sync fills it."""
    op.drop_index("ix_workflows_created_at_id_project", "workflows")
    op.drop_index("ix_workflows_figures", "workflows")
    op.create_index("ix_workflows_figures", "workflows", _FIGURES)
    for name in _SORTED:
        op.create_index(f"ix_workflows_{name}_id_project", "workflows", [name, "id", "project"])
    with_error = sa.text("error_message <> ''")
    op.create_index(
        "ix_workflows_with_error", "workflows", ["key"], sqlite_where=with_error, postgresql_where=with_error
    )
    op.drop_index("ix_agent_runs_phase", "agent_runs")
    for name in _OF_AGENTS:
        op.create_index(f"ix_agent_runs_{name}_workflow_key", "agent_runs", [name, "workflow_key"])
    _column_blocks()
    _search()


def downgrade() -> None:
    """Drop what `upgrade` made, and make again what it dropped."""
    _drop_search()
    op.drop_table("column_blocks")
    for name in _OF_AGENTS:
        op.drop_index(f"ix_agent_runs_{name}_workflow_key", "agent_runs")
    op.create_index("ix_agent_runs_phase", "agent_runs", ["phase"])
    op.drop_index("ix_workflows_with_error", "workflows")
    for name in _SORTED:
        op.drop_index(f"ix_workflows_{name}_id_project", "workflows")
    op.drop_index("ix_workflows_figures", "workflows")
    op.create_index("ix_workflows_figures", "workflows", _OLD_FIGURES)
    op.create_index("ix_workflows_created_at_id_project", "workflows", ["created_at", "id", "project"])


def _column_blocks() -> None:
    op.create_table(
        "column_blocks",
        sa.Column("family", _TEXT, nullable=False, comment="runs, agent_runs or models"),
        sa.Column("name", _TEXT, nullable=False, comment="the column"),
        sa.Column("block", sa.Integer(), nullable=False, comment="runs with these keys, divided by 512"),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="the values of these runs, packed"),
        sa.PrimaryKeyConstraint("family", "name", "block", name=op.f("pk_column_blocks")),
        comment="figures packed by column, for sums over many runs; made of the other tables, may be emptied",
    )
    op.create_index("ix_column_blocks_block", "column_blocks", ["block"])


def _search() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in _postgresql():
            op.execute(statement.replace(":", "\\:"))
        op.execute(
            "INSERT INTO run_search SELECT w.key, run_search_words(run_search_line(w)) FROM workflows AS w"
        )
        return
    columns = ", ".join(_SEARCHED)
    new, old = (", ".join(f"{row}.{name}" for name in _SEARCHED) for row in ("new", "old"))
    changed = " OR ".join(f"old.{name} IS NOT new.{name}" for name in _SEARCHED)
    add = f"INSERT INTO run_search (rowid, {columns}) VALUES (new.key, {new});"  # noqa: S608 - names, no values
    drop = f"INSERT INTO run_search (run_search, rowid, {columns}) VALUES ('delete', old.key, {old});"  # noqa: S608
    op.execute(
        f"CREATE VIRTUAL TABLE run_search USING fts5({columns}, content='workflows', content_rowid='key',"
        " tokenize='unicode61 remove_diacritics 2')"
    )
    op.execute(f"CREATE TRIGGER run_search_add AFTER INSERT ON workflows BEGIN {add} END")
    op.execute(f"CREATE TRIGGER run_search_drop AFTER DELETE ON workflows BEGIN {drop} END")
    op.execute(
        f"CREATE TRIGGER run_search_change AFTER UPDATE OF {columns} ON workflows WHEN {changed}"
        f" BEGIN {drop} {add} END"
    )
    op.execute("INSERT INTO run_search (run_search) VALUES ('rebuild')")


def _drop_search() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for name in ("add", "change"):
            op.execute(f"DROP TRIGGER run_search_{name} ON workflows")
        for name in ("keep", "query", "words", "line", "text"):
            op.execute(f"DROP FUNCTION run_search_{name}")
    else:
        for name in ("add", "drop", "change"):
            op.execute(f"DROP TRIGGER run_search_{name}")
    op.execute("DROP TABLE run_search")


def _postgresql() -> tuple[str, ...]:
    """Return functions that read words as SQLite does, the table of each run's words, and what keeps it.

    PostgreSQL's own reader of text would keep paths, addresses and numbers with signs whole. A control
    character stands between the texts of a run, so that no phrase reaches from one to the next.
    """
    texts = ", ".join(rf"translate(run.{name}, E'\x01', ' ')" for name in _SEARCHED)
    changed = " OR ".join(f"old.{name} IS DISTINCT FROM new.{name}" for name in _SEARCHED)
    pure = "LANGUAGE sql IMMUTABLE PARALLEL SAFE"  # and not STRICT: so the planner writes them out
    script = rf"""
        CREATE FUNCTION run_search_text(said text) RETURNS text {pure} COST 100 AS $$
            SELECT btrim(CASE WHEN octet_length(said) = length(said)
                THEN regexp_replace(lower(said COLLATE "C"), '[^a-z0-9\x01]+', ' ', 'g')
                ELSE regexp_replace(
                    normalize(regexp_replace(
                        normalize(lower(said {_ICU}), NFD), '([a-z])[\u0300-\u036F]+', '\1', 'g'
                    ), NFC) {_ICU}, '[^[:alnum:]\x01]+', ' ', 'g'
                ) COLLATE "C" END) $$

        CREATE FUNCTION run_search_line(run workflows) RETURNS text {pure} COST 10000 AS $$
            SELECT ' ' || run_search_text(concat_ws(E' \x01 ', {texts})) || ' ' $$

        CREATE FUNCTION run_search_words(said text) RETURNS tsvector {pure} COST 1000 AS $$
            SELECT coalesce(array_to_tsvector(array_agg(DISTINCT left(word, {_WORD}))), '')
            FROM unnest(string_to_array(left(said, {_LETTERS}), ' ')) AS word
            WHERE btrim(word, E'\x01') <> '' $$

        CREATE FUNCTION run_search_query(said text, begins boolean) RETURNS tsquery {pure} COST 1000 AS $$
            SELECT string_agg(quote_literal(left(word, {_WORD}))
                || CASE WHEN begins AND place = most THEN ':*' ELSE '' END, ' & ')::tsquery
            FROM (
                SELECT word, place, max(place) OVER () AS most
                FROM unnest(string_to_array(run_search_text(said), ' '))
                    WITH ORDINALITY AS found (word, place)
                WHERE word <> ''
            ) AS words $$

        CREATE TABLE run_search (
            workflow_key bigint PRIMARY KEY REFERENCES workflows (key) ON DELETE CASCADE,
            words tsvector NOT NULL)

        COMMENT ON TABLE run_search IS 'the words of each run, for full-text search'

        CREATE INDEX ix_run_search_words ON run_search USING gin (words)

        CREATE FUNCTION run_search_keep() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
            BEGIN
                INSERT INTO run_search (workflow_key, words)
                VALUES (new.key, run_search_words(run_search_line(new)))
                ON CONFLICT (workflow_key) DO UPDATE SET words = excluded.words;
                RETURN NULL;
            END $$

        CREATE TRIGGER run_search_add AFTER INSERT ON workflows
            FOR EACH ROW EXECUTE FUNCTION run_search_keep()

        CREATE TRIGGER run_search_change AFTER UPDATE OF {", ".join(_SEARCHED)} ON workflows
            FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION run_search_keep()
    """  # noqa: S608 - names, no values
    return tuple(script.strip().split("\n\n"))
