"""Read only the data of a run that its cost and times need."""

from __future__ import annotations

from msgspec.structs import replace

from ...common.models import StreamFacts
from ...costs.accounting.deduplication import dedupes_by_results
from ..streams import read_result_lines
from .build_run import RunFacts, read_side_files, read_stream
from .records import RunFolder, ScannedFile, agent_name


def read_spending(folder: RunFolder) -> RunFacts:
    """Read the facts that a run's cost and times need, without its request.

    Streams whose result lines are sufficient are read without messages and tools; their cost is the same.
    """
    return read_side_files(folder, _read_streams(folder), prompts=False)


def _read_streams(folder: RunFolder) -> list[StreamFacts]:
    """Read only result lines if they are sufficient; otherwise read that stream, or all streams, whole."""
    from_results = {file: _read_from_results(file) for file in folder.streams}
    streams_by_file = {file: facts or _read_whole(file) for file, facts in from_results.items()}
    streams = [facts for facts in streams_by_file.values() if facts is not None]
    if len(streams) == 1 or dedupes_by_results(streams):
        return streams
    reread = (_read_whole(file) if from_results[file] else facts for file, facts in streams_by_file.items())
    return [facts for facts in reread if facts is not None]


def _read_from_results(file: ScannedFile) -> StreamFacts | None:
    facts = read_result_lines(file.file, file.shown, agent_name(file.path), file)
    return None if facts is None else replace(facts, path=file.path)


def _read_whole(file: ScannedFile) -> StreamFacts | None:
    return read_stream(file).facts
