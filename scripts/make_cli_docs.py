"""Generate docs/cli.md from the help texts of the commands, so that it always matches the program."""

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
"""Subcommands by command."""

TERMINAL = {"COLUMNS": "88", "NO_COLOR": "1", "TERM": "dumb"}
UNSET = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "LINES", "TERMINAL_WIDTH", "WORKFLOW_HISTORY_DB")

HEAD = f"""\
# Command line

With this page you look up every command and option of `workflow-history`. It is generated from the program's
own help by `python -m scripts.make_cli_docs`.

Every command has these options:

- `--json` prints JSON: a `schema_version` and the keys that the Python functions return. `show` adds
  `patterns` and `problems`; [export.md](export.md) describes the schemas.
- `--db` selects the history, a file or a database URL. The default is `WORKFLOW_HISTORY_DB`, or the file in
  your user data directory.
- `--quiet` prints no progress, summary or hints; `list` prints only ids.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong usage; also: no such agents directory, an unknown sort key or name |
| 3 | synced, except for runs or files that could not be read; the next sync tries them again |
| 75 | another sync of the same directory is running, and `--no-wait` was given |
| 130 | interrupted by Ctrl-C |
| 143 | terminated |

| sign | meaning |
|---|---|
| `{UNKNOWN}` | unknown; never 0 |
| `≥` | lower bound: more was spent than is recorded |
| `≈` | estimate |
| `~` | the time is derived from the files |
| `?` | after a time: written without a time zone; as a status: unknown |
| `†` | the run's files are missing; only the history has it |
| `✓` `✗` `◐` `■` `●` `○` | success, failure, interrupted, stopped by the user, running, ended |
| `□` | empty or unreadable transcript |

- A damaged line or file is reported and does not make a sync fail.
- A history that you name must exist; otherwise the command ends with an error, not with an empty answer. A
  history that cannot be written can still be read; only commands that write report it.
- An error is one line on standard error: what happened, why, and what to do.
- Colors and bars appear only in terminals; `NO_COLOR` turns colors off. A terminal that supports only ASCII
  shows a replacement for each sign.
- Former names of commands and options, such as `check`, `resync` and `--template`, still work.
- Text from runs is shown without control characters.
"""


def page() -> str:
    """Format the whole page."""
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
    """Remove environment variables that change the format of help texts, inside the block."""
    kept = {name: os.environ.pop(name) for name in UNSET if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


if __name__ == "__main__":
    main()
