"""Insert the real output of commands into the console blocks of Markdown pages.

A block fenced as ```console contains lines that begin with "$ workflow-history" or "$ curl". Below each line
follows its output for the demo: 240 runs that end on 2026-03-31 at 18:00 UTC, 100 columns, no colours.
`| head -N` after a command keeps the first N lines. Run by `make docs`; a test compares the pages.
"""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from typer.testing import CliRunner

from app.server.core.workflow_history import demo, sync
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.ingest.config import config_file

from . import curl_docs

ROOT = Path(__file__).resolve().parents[1]
AGENTS, HISTORY = "demo-history/agents", "demo-history/history.db"
END = datetime(2026, 3, 31, 18, tzinfo=UTC)
SURROUNDINGS = {
    "TZ": "UTC",
    "COLUMNS": "100",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "WORKFLOW_HISTORY_DB": HISTORY,
}
UNSET = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "LINES", "TERMINAL_WIDTH", "WORKFLOW_HISTORY_AGENTS")

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CUT = re.compile(r"\|\s*head\s+-(\d+)$")


class ConsoleError(ValueError):
    """Raised if a block has no command, or one whose output can't be the same on every machine."""


def pages() -> list[Path]:
    """Return the pages that may contain console blocks."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def filled(text: str, folder: Path) -> str:
    """Return a page with the output of its commands, which are run in the demo's directory."""
    with inside(folder):
        Path(config_file.FILE_NAME).unlink(missing_ok=True)  # each page starts without a config file
        return _BLOCK.sub(lambda block: f"```console\n{_block(block[1], folder)}```", text)


def make_demo(folder: Path, runs: int = 240) -> None:
    """Create the demo and its history in a directory."""
    with inside(folder):
        demo.make_agents_folder(Path(AGENTS), runs=runs, seed=1, end=END)
        sync.sync_workflow_history(silent=True, agents_dir=AGENTS)
        _name_no_machine(Path(HISTORY))


def _name_no_machine(history: Path) -> None:
    """Replace the absolute agents directory stored in the history by one relative to the demo's directory."""
    with closing(sqlite3.connect(history)) as connection, connection:
        for table in ("workflows", "problems", "sync_runs"):
            connection.execute(f"UPDATE {table} SET agents_dir = ?", [AGENTS])  # noqa: S608 - constants


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Change to a directory, with environment variables that are the same on every machine."""
    with surroundings({**SURROUNDINGS, "HOME": str(folder)}), chdir(folder):
        for name in UNSET:
            os.environ.pop(name, None)
        yield


@contextmanager
def surroundings(given: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, including the time zone, inside the block."""
    kept = dict(os.environ)
    os.environ.update(given)
    time.tzset()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
        time.tzset()


def _block(text: str, folder: Path) -> str:
    commands = [line for line in text.splitlines() if line.startswith(("$ workflow-history ", "$ curl "))]
    if not commands:
        raise ConsoleError(f"a block without a command: {text[:60]!r}")
    return "\n".join(f"{line}\n{_output(line, folder)}" for line in commands)


def _output(line: str, folder: Path) -> str:
    """Return the output of a command line, followed by its exit code if it failed."""
    typed = line.removeprefix("$ ")
    cut = _CUT.search(typed)
    command = _CUT.sub("", typed)
    printed, code = (curl_docs.output(command), 0) if command.startswith("curl ") else _run(command, line)
    lines = [part.rstrip() for part in printed.strip("\n").splitlines()]
    lines = lines[: int(cut[1])] if cut else lines
    if code:
        lines.append(f"exit code {code}")
    if str(folder) in "\n".join(lines):
        raise ConsoleError(f"{line} shows where it ran; its output differs on every machine")
    return "".join(f"{part}\n" for part in lines)


def _run(command: str, line: str) -> tuple[str, int]:
    program, *words = shlex.split(command)
    if {"|", ">", "&&"} & set(words):
        raise ConsoleError(f"only workflow-history and `| head -N` can be run here: {line}")
    if "serve" in words[:1]:
        raise ConsoleError(f"it goes on until it is stopped; show it in a block without a language: {line}")
    result = CliRunner().invoke(app, words, prog_name=program, env=SURROUNDINGS)  # --db sets it per command
    return result.output, result.exit_code


def main() -> None:
    """Regenerate the console blocks of all pages."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_demo(folder)
        for page in pages():
            text = page.read_text(encoding="utf-8")
            page.write_text(filled(text, folder), encoding="utf-8")


if __name__ == "__main__":
    main()
