"""Subtract the totals of earlier streams from streams that resumed the same thread. Pure.

Codex resumes a thread by its id in a file of another agent or another run, and its totals continue to count
the whole thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from ...common.models import ReportedModelCost, ResultLine, StreamFacts, StreamFormat, TokenUsage

CUMULATIVE = StreamFormat.CODEX


class Total(NamedTuple):
    """Totals of a thread in one stream, after the stream's first turn and after its last one."""

    path: str
    first: TokenUsage
    last: TokenUsage


def thread_totals(streams: Iterable[StreamFacts]) -> dict[str, list[Total]]:
    """Return the totals of each thread by thread id."""
    totals: dict[str, list[Total]] = {}
    for stream in streams:
        if stream.format != CUMULATIVE:
            continue
        for thread, usages in _turn_usages(stream).items():
            totals.setdefault(thread, []).append(Total(stream.path, usages[0], usages[-1]))
    return totals


def subtract_earlier_totals(
    streams: Sequence[StreamFacts], elsewhere: Mapping[str, Sequence[Total]] | None = None
) -> list[StreamFacts]:
    """Return the streams with each thread's totals reduced by the parts that earlier streams count.

    `elsewhere` contains totals of the same threads in streams of other runs.
    """
    totals = thread_totals(streams)
    if not totals:
        return list(streams)
    before = {
        (thread, total.path): _earlier_total(total, [*own_totals, *(elsewhere or {}).get(thread, ())])
        for thread, own_totals in totals.items()
        for total in own_totals
    }
    return [_subtract_totals(stream, before) if stream.format == CUMULATIVE else stream for stream in streams]


def _turn_usages(stream: StreamFacts) -> dict[str, list[TokenUsage]]:
    """Return each thread's totals in the order of its turns, only from its first counter."""
    usages: dict[str, list[TokenUsage]] = {}
    counts: dict[str, int | None] = {}
    for result in stream.results:
        thread = result.session_id
        if thread and result.models and counts.setdefault(thread, result.process) == result.process:
            usages.setdefault(thread, []).append(sum([part.usage for part in result.models], TokenUsage()))
    return usages


def _earlier_total(total: Total, totals: Iterable[Total]) -> TokenUsage:
    """Return the thread's total when a stream resumed it: the highest total that another one ended with."""
    earlier = [
        other.last
        for other in totals
        if other.path != total.path
        and total.first.field_max(other.last) == total.first
        and (other.last != total.last or other.path < total.path)
    ]
    return max(earlier, key=lambda usage: usage.total, default=TokenUsage())


def _subtract_totals(stream: StreamFacts, before: Mapping[tuple[str, str], TokenUsage]) -> StreamFacts:
    counts: dict[str | None, int | None] = {}
    results = [
        _subtract_usage(result, before.get((result.session_id or "", stream.path)))
        if counts.setdefault(result.session_id, result.process) == result.process
        else result
        for result in stream.results
    ]
    return replace(stream, results=tuple(results))


def _subtract_usage(result: ResultLine, before: TokenUsage | None) -> ResultLine:
    if before is None or before == TokenUsage() or not result.models:
        return result
    first, *others = result.models  # the model of the first turn, which inherited the whole total
    own = ReportedModelCost(first.model, first.usage.less(before), first.cost)
    return replace(result, models=(own, *others))
