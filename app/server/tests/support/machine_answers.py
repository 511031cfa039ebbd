"""Sync a directory, run all queries and write the stored rows and results to a file. Run by test_machines.

python -m app.server.tests.support.machine_answers FOLDER HISTORY OUTPUT
"""

import json
import math
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.pipeline import batches
from app.server.core.workflow_history.queries.json.encoding import to_json
from app.server.core.workflow_history.queries.statistics import trend
from scripts import console_docs
from scripts.make_rest_examples import OF_THE_CLOCK, STORED_AT

TASK = "CSV export for suppliers"
QUESTIONS = (
    ("list", "--limit", "300"),
    ("show", "{run}"),
    ("explain", "{run}"),
    ("compare", "{run}", "{other}"),
    ("similar", "{run}", "--threshold", "0", "--limit", "50"),
    ("similar", "--text", TASK, "--threshold", "0", "--limit", "50"),
    ("stats",),
    *(("stats", "--by", by, "--tz", "UTC") for by in ("week", "hour", "template", "phase", "agent", "model")),
    ("stats", "--by", "phase", "--across", "status"),
    ("stats", "--waste"),
    ("anomalies", "--tz", "UTC"),
    ("anomalies", "--window", "90d", "--tz", "UTC"),
    ("patterns", "--all"),
    ("forecast", "--text", TASK, "--limit", "50"),
    ("forecast", "--workflow", "adw_sdlc_iso"),
    ("forecast", "{run}"),
    ("forecast", "--backtest", "--all"),
    ("db", "verify"),
)
"""Commands to run, each with --json."""

CLOCK = frozenset({*OF_THE_CLOCK, *STORED_AT})
COLUMNS_OF_THE_CLOCK = {
    "workflows": {"first_seen_at", "last_changed_at"},
    "sync_runs": {"started_at", "duration_seconds"},
    "patterns": {"first_seen_at"},
}
"""Columns by table that differ between two syncs of the same files, even on one machine."""


def stored(history: Path) -> dict[str, list[str]]:
    """Return all rows by table, as sorted texts without the columns that depend on the clock."""
    with closing(sqlite3.connect(history)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        found = {}
        for table in sorted(tables):
            cursor = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name from the database
            names = [column[0] for column in cursor.description]
            left_out = COLUMNS_OF_THE_CLOCK.get(table, set())
            found[table] = sorted(
                repr([value for name, value in zip(names, row, strict=True) if name not in left_out])
                for row in cursor
            )
        return found


def without_clock(given: Any) -> Any:
    """Return a result without the keys whose values depend on the clock."""
    if isinstance(given, list):
        return [without_clock(each) for each in given]
    if isinstance(given, dict):
        return {key: without_clock(each) for key, each in given.items() if key not in CLOCK}
    return given


def asked(*words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--json"], prog_name="workflow-history")
    assert result.exit_code == 0, (words, result.output)
    return without_clock(json.loads(result.stdout))


def main() -> None:
    folder, history, output = sys.argv[1:]
    os.environ["WORKFLOW_HISTORY_DB"] = history
    batches.MAX_BATCH_SECONDS = math.inf  # else the clock affects batches and thus pattern keys
    asked("sync", folder)
    ids = [run["id"] for run in asked("list", "--limit", "300", "--status", "completed")["workflows"]]
    named = {"{run}": ids[0], "{other}": ids[1]}
    answers = {}
    for question in QUESTIONS:
        words = [named.get(word, word) for word in question]
        answers[" ".join(words)] = asked(*words)
    answers["trend"] = to_json(trend(now=console_docs.END))
    Path(output).write_text(json.dumps({"stored": stored(Path(history)), "answers": answers}))


if __name__ == "__main__":
    main()
