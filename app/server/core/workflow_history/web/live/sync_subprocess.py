"""Entry point of the sync subprocess: reads orders from stdin, writes progress and results to stdout.

Both are JSON Lines. The process ends when stdin is closed, when the server ends, or when it is killed. The
history stays consistent in each case, and the next sync does the rest.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, Final

import msgspec

from ...common.errors import WorkflowHistoryError
from ...common.temporary_files import remove_leftovers
from ...ingest.files import FolderPath, to_path
from ...pipeline.sync_state import Progress
from ...pipeline.workers.process_pool import die_with_parent
from ...sync import sync_workflow_history

_TOLD_EVERY: Final = 0.25  # seconds between progress messages of one sync stage

SendMessage = Callable[[dict[str, Any]], None]


def main() -> None:
    """Process orders until stdin is closed."""
    die_with_parent()
    logging.getLogger("workflow_history").addHandler(logging.NullHandler())  # problems are part of the result
    remove_leftovers()
    with suppress(BrokenPipeError), _kept_stdout() as out:  # BrokenPipeError: the server was killed

        def tell(message: dict[str, Any]) -> None:
            out.write(msgspec.json.encode(message) + b"\n")
            out.flush()

        for line in sys.stdin.buffer:
            _sync(msgspec.json.decode(line), tell)


def _kept_stdout() -> BinaryIO:
    """Return a duplicate of stdout for messages only, and redirect all other output to stderr."""
    kept = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return kept


def _sync(order: dict[str, Any], tell: SendMessage) -> None:
    try:
        stats = sync_workflow_history(
            silent=True,
            agents_dir=_folders(order["folders"]),
            project=order["project"],
            progress=_report(tell),
        )
    except WorkflowHistoryError as error:
        tell({"error": str(error)})
    else:
        counts = {key: value for key, value in stats.items() if isinstance(value, int | float)}
        tell({"stats": {**counts, "problems": len(stats["errors"])}})


def _folders(named: list[str]) -> list[FolderPath]:
    """Return the existing directories, or the first one if none exists: the sync reports it as missing."""
    folders = [to_path(name) for name in named]
    return [folder for folder in folders if folder.is_dir()] or folders[:1]


def _report(tell: SendMessage) -> Progress:
    last: dict[str, float] = {}

    def report(phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - last.get(phase, 0.0) >= _TOLD_EVERY:
            last[phase] = now
            tell({"progress": [phase, done, total]})

    return report


if __name__ == "__main__":
    main()
