"""Run syncs in a subprocess that is started on demand, and report progress and counts.

Requests stay fast during a big sync, and a killed sync doesn't stop the server.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from ... import database
from ...common.errors import WorkflowHistoryError
from ...common.formatting.text import single_line

_MODULE: Final = f"{__package__}.sync_subprocess"

ProgressCallback = Callable[[str, int, int], None]
"""Called with the name of a sync stage, its completed items, and its total as far as known."""


class SyncFailedError(WorkflowHistoryError):
    """A sync did not complete; the message contains the reason."""


class SyncProcess:
    """A subprocess that runs one sync at a time, and keeps its loaded modules and data between syncs."""

    def __init__(self) -> None:
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """Process id, or None if there is no process."""
        return None if self._process is None else self._process.pid

    async def run_sync(self, job: Mapping[str, Any], on_progress: ProgressCallback) -> dict[str, Any]:
        """Run one sync, report its progress, and return its counts. Raises SyncFailedError."""
        try:
            process = await self._ensure_started()
        except (OSError, WorkflowHistoryError) as error:  # for example, no file handles or processes left
            raise SyncFailedError(f"Cannot start the sync process: {single_line(str(error))}") from error
        try:
            return await self._exchange(process, job, on_progress)
        except OSError as error:
            raise self._ended_error(process, await process.wait()) from error

    async def stop(self) -> None:
        """Kill the process and its children at once. The next sync starts a new process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()  # until its pipes are closed

    async def _ensure_started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            url = database.current_url().render_as_string(hide_password=False)
            paths = os.pathsep.join(path or os.curdir for path in sys.path)
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", _MODULE),
                stdin=PIPE,
                stdout=PIPE,
                env={**os.environ, "PYTHONPATH": paths, "WORKFLOW_HISTORY_DB": url},
                start_new_session=True,  # only the server handles Ctrl-C
            )
        return self._process

    async def _exchange(
        self, process: Process, job: Mapping[str, Any], on_progress: ProgressCallback
    ) -> dict[str, Any]:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None  # noqa: S101 - a pipe, see _started
        assert stdout is not None  # noqa: S101
        stdin.write(msgspec.json.encode(job) + b"\n")
        await stdin.drain()
        async for line in stdout:
            message = _decode_message(line)
            if "progress" in message:
                on_progress(*message["progress"])
            elif "stats" in message:
                return dict(message["stats"])
            else:
                raise SyncFailedError(single_line(message["error"]))
        raise self._ended_error(process, await process.wait())

    def _ended_error(self, process: Process, code: int) -> SyncFailedError:
        if self._process is process:
            self._process = None
        outcome = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return SyncFailedError(f"The sync process {outcome}. Runs stored before are kept.")


def _decode_message(line: bytes) -> dict[str, Any]:
    try:
        return dict(msgspec.json.decode(line))
    except msgspec.DecodeError:  # the process was killed while writing
        return {"error": "The sync process was interrupted. Runs stored before are kept."}
