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
  `patterns` and `problems`; see [export.md](export.md) for the schemas), `--db` (a file or a
  database URL, instead of `WORKFLOW_HISTORY_DB` or the file in your user data folder) and `--quiet` (no
  progress, summary or hints; `list` prints IDs only).
- Exit codes: 0 done, 1 failed, 2 wrong usage (also: no such agents directory, an unknown sort key or name), 3
  synced except for runs or files that could not be read, which the next sync tries again, 75 another sync is
  running, 130 interrupted by Ctrl-C, 143 terminated. A damaged line or file is reported and does
  not make a sync fail.
- A named history that does not exist is an error, not an empty result. A read-only history can be read;
  only commands that write fail.
- Errors are one line on standard error; a mistyped command or option is explained in a box.
- Former names of commands and options (such as `check`, `resync`, `--template`) still work.
- Colours and bars are for terminals only; `NO_COLOR` turns the colours off. An ASCII terminal gets a
  replacement for each sign.
- Text from runs is shown without control codes.

| sign | meaning |
|---|---|
| `{UNKNOWN}` | unknown; never 0 |
| `≥` | lower bound: some agent runs were interrupted |
| `≈` | estimate |
| `~` | time derived from file timestamps |
| `?` | after a time: recorded without a time zone; as a status: unknown |
| `†` | the run's files are missing; only the history has it |
| `✓` `✗` `◐` `●` `○` | succeeded, failed, interrupted, running, empty |
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
