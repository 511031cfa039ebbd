"""Read of one run what it cost and when it was, and as little else as can be: files in, RunFacts out."""

from __future__ import annotations

from ...common.models import StreamFacts
from ...costs.accounting.deduplication import dedupes_by_results
from ..streams import read_result_lines
from .build_run import RunFacts, read_side_files, read_stream, relative_to_run
from .records import RunFolder, ScannedFile, agent_name


def read_spending(folder: RunFolder) -> RunFacts:
    """Return what is needed for a run's costs and times; its request is not looked for.

    Streams whose results tell what they cost come without their messages and tools, and cost the same.
    """
    return read_side_files(folder, _streams(folder), prompts=False)


def _streams(folder: RunFolder) -> list[StreamFacts]:
    """Read results alone; where they do not tell all of one stream it is read whole, or all of them are."""
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
