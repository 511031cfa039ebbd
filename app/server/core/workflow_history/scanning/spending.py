"""Read of one run what it cost and when it was, and as little else as can be: files in, RunFacts out."""

from __future__ import annotations

from ..accounting.unique import shows_by_results
from ..models import StreamFacts
from ..streams import read_results
from .describe import RunFacts, gathered, named_in_run, stream_of
from .found import FoundFile, RunFolder, agent_name


def read_spending(folder: RunFolder) -> RunFacts:
    """Return what is needed for a run's costs and times; its request is not looked for.

    Streams whose results tell what they cost come without their messages and tools, and cost the same.
    """
    return gathered(folder, _streams(folder), prompts=False)


def _streams(folder: RunFolder) -> list[StreamFacts]:
    """Read results alone; where they do not tell all of one stream it is read whole, or all of them are."""
    by_results = {found: _by_results(found) for found in folder.streams}
    every = {found: facts or _whole(found) for found, facts in by_results.items()}
    streams = [facts for facts in every.values() if facts is not None]
    if len(streams) == 1 or shows_by_results(streams):
        return streams
    whole = (_whole(found) if by_results[found] else facts for found, facts in every.items())
    return [facts for facts in whole if facts is not None]


def _by_results(found: FoundFile) -> StreamFacts | None:
    facts = read_results(found.file, found.shown, agent_name(found.path), found)
    return None if facts is None else named_in_run(facts, found)


def _whole(found: FoundFile) -> StreamFacts | None:
    return stream_of(found).facts
