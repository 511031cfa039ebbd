"""Create or upgrade the database schema, in one transaction; changes no stored run.

A new database is created directly from the schema, an old one by the migrations. A test checks that both
give the same tables.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
)

from ...common.errors import DatabaseTooNewError, WorkflowHistoryError
from ..connection.engine import VERSION_TABLE, get_dialect, read_transaction, write_transaction
from .schema import metadata
from .views import VIEW_SQL

LATEST_REVISION = "initial"  # the newest revision under migrations/versions; a test compares them

_UNRELEASED_REVISION = re.compile(r"00\d\d")
"""Pattern of the revisions of unreleased versions, from which no migration exists."""

_version_table = Table(  # same definition as in Alembic
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)


def ensure_schema(connection: Connection) -> None:
    """Create or upgrade the tables if needed.

    Raises DatabaseTooNewError if a newer version of the program has upgraded the database.
    """
    get_dialect(connection).on_connect(connection)
    with read_transaction(connection):
        if stored_revision(connection) == LATEST_REVISION:
            return
    with write_transaction(connection):
        # Check again with the write lock: another process may have upgraded the database in between.
        revision = stored_revision(connection)
        if revision is None:
            _check_no_foreign_tables(connection)
            create_tables(connection)
            _version_table.create(connection, checkfirst=True)
            connection.execute(insert(_version_table).values(version_num=LATEST_REVISION))
        elif revision != LATEST_REVISION:
            _upgrade(connection, revision)


def check_schema(connection: Connection) -> None:
    """Raise WorkflowHistoryError if a read-only database does not have the latest revision."""
    with read_transaction(connection):
        revision = stored_revision(connection)
    if revision != LATEST_REVISION:
        if revision is not None:
            reject_newer(connection, revision)
        raise WorkflowHistoryError(
            f"The history has another schema revision ({revision or 'none'}, needed: {LATEST_REVISION}) and "
            "cannot be upgraded, because the file or its directory is read-only. Use a copy of it with --db."
        )


def stored_revision(connection: Connection) -> str | None:
    """Return the schema revision stored in the database, or None if it has no tables of this program."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(_version_table.c.version_num))


def create_tables(connection: Connection) -> None:
    """Create all tables, indexes, triggers and views of the schema."""
    metadata.create_all(connection, checkfirst=False)
    for statement in get_dialect(connection).extra_ddl:
        connection.exec_driver_sql(statement)
    for name, query in VIEW_SQL.items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")


def _upgrade(connection: Connection, revision: str) -> None:
    # Imported here: importing Alembic takes longer than most commands take to run, and only an
    # old database needs it.
    from alembic import command  # noqa: PLC0415

    reject_newer(connection, revision)
    command.upgrade(alembic_config(connection), "head")


def reject_newer(connection: Connection, revision: str) -> None:
    """Raise DatabaseTooNewError for an unknown revision, and WorkflowHistoryError for an unreleased one."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see _upgrade

    scripts = ScriptDirectory.from_config(alembic_config(connection))
    if _UNRELEASED_REVISION.fullmatch(revision):
        raise WorkflowHistoryError(
            f"The history was created by an unreleased version (revision {revision}) and cannot be upgraded. "
            "Sync into a new one, or export its runs with the version that created it."
        )
    if revision not in {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseTooNewError(
            f"The database has revision {revision}, newer than {LATEST_REVISION} of this program. "
            "Upgrade the program."
        )


def _check_no_foreign_tables(connection: Connection) -> None:
    conflicts = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if conflicts:
        raise WorkflowHistoryError(
            f"The database has tables of another program ({', '.join(conflicts)}). Name another database."
        )


def alembic_config(connection: Connection) -> Any:
    """Return an Alembic config for an open connection and the scripts in `migrations/`."""
    from alembic.config import Config  # noqa: PLC0415 - see _upgrade

    scripts = Path(__file__).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(
        connection=connection, metadata=metadata, version_table=VERSION_TABLE, create_tables=create_tables
    )
    return config
