"""Entry point of the sync subprocess: reads sync jobs from stdin, writes progress and results to stdout.

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
from ...ingest.files import to_path
from ...pipeline.sync_state import Progress
from ...pipeline.workers.process_pool import die_with_parent
from ...sync import sync_workflow_history

_PROGRESS_INTERVAL: Final = 0.25  # seconds between progress messages of one sync stage

SendMessage = Callable[[dict[str, Any]], None]


def main() -> None:
    """Run sync jobs until stdin is closed."""
    die_with_parent()
    logging.getLogger("workflow_history").addHandler(logging.NullHandler())  # problems are part of the result
    remove_leftovers()
    with suppress(BrokenPipeError), _reserve_stdout() as out:  # BrokenPipeError: the server was killed

        def send(message: dict[str, Any]) -> None:
            out.write(msgspec.json.encode(message) + b"\n")
            out.flush()

        for line in sys.stdin.buffer:
            _sync(msgspec.json.decode(line), send)


def _reserve_stdout() -> BinaryIO:
    """Return a duplicate of stdout for messages only, and redirect all other output to stderr."""
    messages = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return messages


def _sync(job: dict[str, Any], send: SendMessage) -> None:
    folders = [to_path(name) for name in job["folders"]]
    # If no directory exists, the sync reports the first one as missing.
    existing = [folder for folder in folders if folder.is_dir()] or folders[:1]
    try:
        stats = sync_workflow_history(
            silent=True,
            agents_dir=existing,
            project=job["project"],
            progress=_progress_reporter(send),
        )
    except WorkflowHistoryError as error:
        send({"error": str(error)})
    else:
        counts = {key: value for key, value in stats.items() if isinstance(value, int | float)}
        send({"stats": {**counts, "problems": len(stats["errors"])}})


def _progress_reporter(send: SendMessage) -> Progress:
    last_sent: dict[str, float] = {}

    def report(phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - last_sent.get(phase, 0.0) >= _PROGRESS_INTERVAL:
            last_sent[phase] = now
            send({"progress": [phase, done, total]})

    return report


if __name__ == "__main__":
    main()
