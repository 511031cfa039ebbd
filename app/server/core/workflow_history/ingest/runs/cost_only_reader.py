"""Read only the data of a run that its cost and times need."""

from __future__ import annotations

from ...common.models import StreamFacts
from ...costs.accounting.deduplication import dedupes_by_results
from ..streams import read_result_lines
from .build_run import RunFacts, read_side_files, read_stream, relative_to_run
from .records import RunFolder, ScannedFile, agent_name


def read_spending(folder: RunFolder) -> RunFacts:
    """Read the facts that a run's cost and times need, without its request.

    Streams whose result lines are sufficient are read without messages and tools; their cost is the same.
    """
    return read_side_files(folder, _streams(folder), prompts=False)


def _streams(folder: RunFolder) -> list[StreamFacts]:
    """Read only result lines if they are sufficient; otherwise read that stream, or all streams, whole."""
    by_results = {found: _by_results(found) for found in folder.streams}
    every = {found: facts or _whole(found) for found, facts in by_results.items()}
    streams = [facts for facts in every.values() if facts is not None]
    if len(streams) == 1 or dedupes_by_results(streams):
        return streams
    whole = (_whole(found) if by_results[found] else facts for found, facts in every.items())
    return [facts for facts in whole if facts is not None]


def _by_results(found: ScannedFile) -> StreamFacts | None:
    facts = read_result_lines(found.file, found.shown, agent_name(found.path), found)
    return None if facts is None else relative_to_run(facts, found)


def _whole(found: ScannedFile) -> StreamFacts | None:
    return read_stream(found).facts
