"""Write docs/cli.md from the command line's own help, so that page and program cannot drift apart."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typer.testing import CliRunner

from app.server.core.workflow_history.cli.app import COMMANDS, app
from app.server.core.workflow_history.common.formatting.text import UNKNOWN

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"

GROUPS = {
    "patterns": ("show", "accept", "dismiss", "reset"),
    "budget": ("check", "init"),
    "config": ("show",),
    "db": ("info", "path", "version", "verify", "backup", "restore", "prune", "vacuum", "redact"),
}
"""Commands that have commands of their own."""

TERMINAL = {"COLUMNS": "88", "NO_COLOR": "1", "TERM": "dumb"}
UNSET = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "LINES", "TERMINAL_WIDTH", "WORKFLOW_HISTORY_DB")

HEAD = f"""# The command line

Made from the program's own help by `python -m scripts.make_cli_docs`.

- Every command takes `--json` (a `schema_version` and the keys that the Python functions return; `show` adds
  `patterns` and `problems`; [export.md](export.md) tells of the schemas), `--db` (a file or a
  database URL, instead of `WORKFLOW_HISTORY_DB` or the file in your user data folder) and `--quiet` (no
  progress, summary or hints; `list` prints ids only).
- Exit codes: 0 done, 1 failed, 2 wrong usage (also: no such agents folder, an unknown sort key or name), 3
  synced but for runs or files that could not be read, which the next sync tries again, 130 stopped by Ctrl-C,
  143 told to end. A damaged line or file is reported and does not make a sync fail.
- A history that was named and is not there is an error, not an empty answer. One that cannot be written is
  read all the same; only what has to write says so.
- Errors are one line on standard error; a mistyped command or option is explained in a box.
- Colours and bars are for terminals only; `NO_COLOR` turns the colours off. A terminal that knows only ASCII
  gets a stand-in for each sign.
- Text from runs is shown without control codes.

| sign | meaning |
|---|---|
| `{UNKNOWN}` | unknown; never 0 |
| `≥` | at least: more was spent than is on record |
| `≈` | an estimate |
| `~` | the time is taken from the files |
| `?` | after a time: it was written without a time zone; as a status: unknown |
| `†` | the run's files are gone; only the history knows it |
| `✓` `✗` `◐` `●` `○` | ended well, failed, cut off, still running, left nothing |
"""


def page() -> str:
    """Return the whole page."""
    with _plain_terminal():
        sections = [_section("##"), *(_section("##", name) for name in COMMANDS)]
        sections += [_section("###", group, name) for group, names in GROUPS.items() for name in names]
    return "\n\n".join([HEAD.rstrip(), *sections]) + "\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def _section(level: str, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--help"], prog_name="workflow-history", env=TERMINAL)
    lines = [line.rstrip() for line in result.output.strip("\n").splitlines()]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    return f"{level} {' '.join(('workflow-history', *words))}\n\n```text\n{text}\n```"


@contextmanager
def _plain_terminal() -> Iterator[None]:
    """Take away what would change the help's look."""
    kept = {name: os.environ.pop(name) for name in UNSET if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


if __name__ == "__main__":
    main()
