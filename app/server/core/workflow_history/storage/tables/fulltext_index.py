"""SQL of the current full-text index over runs, for SQLite and PostgreSQL; triggers keep it up to date."""

from __future__ import annotations

from typing import Final

INDEXED_COLUMNS: Final = (
    "nl_input", "error_message", "branch_name", "plan_file", "id", "adw_id", "issue_number",
)  # fmt: skip
"""Columns of `workflows` that the full-text search covers."""

SEARCH_TABLE: Final = "run_search"

_TOKENS: Final = "unicode61 remove_diacritics 2"


def _sqlite_ddl() -> tuple[str, ...]:
    columns = ", ".join(INDEXED_COLUMNS)
    new, old = (", ".join(f"{row}.{name}" for name in INDEXED_COLUMNS) for row in ("new", "old"))
    changed = " OR ".join(f"old.{name} IS NOT new.{name}" for name in INDEXED_COLUMNS)
    add = f"INSERT INTO run_search (rowid, {columns}) VALUES (new.key, {new});"  # noqa: S608 - names, no values
    drop = f"INSERT INTO run_search (run_search, rowid, {columns}) VALUES ('delete', old.key, {old});"  # noqa: S608
    table = f"fts5({columns}, content='workflows', content_rowid='key', tokenize='{_TOKENS}')"
    changes = f"AFTER UPDATE OF {columns} ON workflows WHEN {changed}"
    return (
        f"CREATE VIRTUAL TABLE run_search USING {table}",
        f"CREATE TRIGGER run_search_add AFTER INSERT ON workflows BEGIN {add} END",
        f"CREATE TRIGGER run_search_drop AFTER DELETE ON workflows BEGIN {drop} END",
        f"CREATE TRIGGER run_search_change {changes} BEGIN {drop} {add} END",
    )


_MAX_WORD_LENGTH: Final = 200  # maximum length of an indexed word, characters; the rest is cut
_MAX_TEXT_LENGTH: Final = 250_000  # maximum indexed text per run, characters; a tsvector cannot store more
_ICU: Final = 'COLLATE "und-x-icu"'  # Unicode letters, independent of the database's own collation
_OPTIONS: Final = "LANGUAGE sql IMMUTABLE PARALLEL SAFE"  # not STRICT, so that the planner can inline them


def _postgresql_ddl() -> tuple[str, ...]:
    """Return the DDL: functions that split text into words as SQLite does, the word table and its triggers.

    PostgreSQL's own text parser would keep paths, addresses and signed numbers whole. A control character
    separates the texts of a run, so that no phrase matches across two texts.
    """
    texts = ", ".join(rf"translate(run.{name}, E'\x01', ' ')" for name in INDEXED_COLUMNS)
    changed = " OR ".join(f"old.{name} IS DISTINCT FROM new.{name}" for name in INDEXED_COLUMNS)
    script = rf"""
        CREATE FUNCTION run_search_text(input_text text) RETURNS text {_OPTIONS} COST 100 AS $$
            SELECT btrim(CASE WHEN octet_length(input_text) = length(input_text)
                THEN regexp_replace(lower(input_text COLLATE "C"), '[^a-z0-9\x01]+', ' ', 'g')
                ELSE regexp_replace(
                    normalize(regexp_replace(
                        normalize(lower(input_text {_ICU}), NFD), '([a-z])[\u0300-\u036F]+', '\1', 'g'
                    ), NFC) {_ICU}, '[^[:alnum:]\x01]+', ' ', 'g'
                ) COLLATE "C" END) $$

        CREATE FUNCTION run_search_line(run workflows) RETURNS text {_OPTIONS} COST 10000 AS $$
            SELECT ' ' || run_search_text(concat_ws(E' \x01 ', {texts})) || ' ' $$

        CREATE FUNCTION run_search_words(input_text text) RETURNS tsvector {_OPTIONS} COST 1000 AS $$
            SELECT coalesce(array_to_tsvector(array_agg(DISTINCT left(word, {_MAX_WORD_LENGTH}))), '')
            FROM unnest(string_to_array(left(input_text, {_MAX_TEXT_LENGTH}), ' ')) AS word
            WHERE btrim(word, E'\x01') <> '' $$

        CREATE FUNCTION run_search_query(input_text text, is_prefix boolean)
            RETURNS tsquery {_OPTIONS} COST 1000 AS $$
            SELECT string_agg(quote_literal(left(word, {_MAX_WORD_LENGTH}))
                || CASE WHEN is_prefix AND number = last_number THEN ':*' ELSE '' END, ' & ')::tsquery
            FROM (
                SELECT word, number, max(number) OVER () AS last_number
                FROM unnest(string_to_array(run_search_text(input_text), ' '))
                    WITH ORDINALITY AS split (word, number)
                WHERE word <> ''
            ) AS words $$

        CREATE TABLE run_search (
            workflow_key bigint PRIMARY KEY REFERENCES workflows (key) ON DELETE CASCADE,
            words tsvector NOT NULL)

        COMMENT ON TABLE run_search IS 'words of each run, for full-text search'

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

        CREATE TRIGGER run_search_change AFTER UPDATE OF {", ".join(INDEXED_COLUMNS)} ON workflows
            FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION run_search_keep()
    """  # noqa: S608 - names, no values
    return tuple(script.strip().split("\n\n"))


def _check_statements() -> tuple[str, ...]:
    columns = ", ".join(INDEXED_COLUMNS)
    return (
        f"CREATE VIRTUAL TABLE temp.fresh_search USING fts5({columns}, content='', tokenize='{_TOKENS}')",
        f"INSERT INTO temp.fresh_search (rowid, {columns}) SELECT key, {columns} FROM workflows",  # noqa: S608
        "CREATE VIRTUAL TABLE temp.fresh_terms USING fts5vocab(temp, fresh_search, col)",
        "CREATE VIRTUAL TABLE temp.stored_terms USING fts5vocab(main, run_search, col)",
    )


SEARCH_CHECK: Final = _check_statements()
"""SQLite statements that build a second, temporary index of all runs and list the terms of both indexes."""

_TERMS: Final = "SELECT term, col, doc, cnt FROM"
STALE_ENTRIES_SQL: Final = (
    "SELECT count(DISTINCT term) FROM ("  # noqa: S608 - names, no values
    f"SELECT * FROM ({_TERMS} fresh_terms EXCEPT {_TERMS} stored_terms) UNION ALL "
    f"SELECT * FROM ({_TERMS} stored_terms EXCEPT {_TERMS} fresh_terms))"
)

SEARCH_INDEX: Final = {"sqlite": _sqlite_ddl(), "postgresql": _postgresql_ddl()}
"""DDL of the index by dialect. Triggers update it, so code that writes runs cannot leave it stale."""
