"""Timeline of a run's agent runs: bars with positions in percent of the width. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ...common.formatting.numbers import format_duration
from ...common.spending import number

Agent = Mapping[str, Any]

MIN_WIDTH: Final = 0.35  # percent; keeps very short agent runs visible
MIN_GAP: Final = 0.005  # share of the whole time; shorter gaps would be invisible
_STEPS: Final = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400,
)  # fmt: skip
_MOST_TICKS: Final = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """A time span; position and width are in percent of the whole."""

    x: float
    width: float
    seconds: float


@dataclass(frozen=True, slots=True)
class AgentLane:
    """An agent run and its bar; None if its time is unknown."""

    agent: Agent
    bar: Bar | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick on the time axis."""

    x: float  # percent of the whole
    words: str  # time since the start
    last: bool  # whether it is at the right end, so that its label goes to the left


@dataclass(frozen=True, slots=True)
class Timeline:
    """Agent runs in the order of their starts; those without a known time come last."""

    lanes: tuple[AgentLane, ...]
    idle: tuple[Bar, ...]  # gaps without a running agent that are long enough to see
    idle_seconds: float  # idle time of all gaps
    ticks: tuple[Tick, ...]
    seconds: float  # from the first start to the last end
    derived: bool  # whether some times are derived from file timestamps


def timeline(agents: Sequence[Agent]) -> Timeline | None:
    """Build the timeline of a run's agent runs; None if no time is known."""
    spans = [(agent, _span(agent)) for agent in agents]
    known = [span for _, span in spans if span is not None]
    if not known:
        return None
    start = min(begin for begin, _ in known)
    whole = max(end for _, end in known) - start or 1.0
    gaps = _gaps(known)
    ordered = sorted(spans, key=lambda pair: (pair[1] is None, pair[1] or (0.0, 0.0)))
    return Timeline(
        tuple(
            AgentLane(agent, None if span is None else _bar(span, start, whole)) for agent, span in ordered
        ),
        tuple(_bar(gap, start, whole) for gap in gaps if gap[1] - gap[0] >= MIN_GAP * whole),
        sum(end - begin for begin, end in gaps),
        _ticks(whole),
        whole,
        any(agent.get("time_basis") == "derived" for agent, span in spans if span is not None),
    )


def _span(agent: Agent) -> tuple[float, float] | None:
    """Return an agent run's start and end in Unix time; its duration replaces one of them if missing.

    None if a time is still missing or the end is before the start.
    """
    start, end = _seconds(agent.get("timestamp")), _seconds(agent.get("ended_at"))
    took = number(agent.get("duration_seconds"))
    if took is not None and took >= 0:
        start = end - took if start is None and end is not None else start
        end = start + took if end is None and start is not None else end
    if start is None or end is None or end < start:
        return None
    return start, end


def _seconds(iso: Any) -> float | None:
    try:
        when = datetime.fromisoformat(iso)
    except (TypeError, ValueError):
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() if 1 < when.year < 9999 else None


def _bar(span: tuple[float, float], start: float, whole: float) -> Bar:
    """Return a time span as a bar. A bar below the minimum width is widened.

    >>> _bar((30.0, 60.0), 0.0, 120.0)
    Bar(x=25.0, width=25.0, seconds=30.0)
    """
    width = max(100 * (span[1] - span[0]) / whole, MIN_WIDTH)
    x = min(100 * (span[0] - start) / whole, 100 - width)
    return Bar(round(x, 3), round(width, 3), span[1] - span[0])


def _gaps(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the gaps in which no agent was running.

    >>> _gaps([(0.0, 4.0), (1.0, 2.0), (5.0, 6.0)])
    [(4.0, 5.0)]
    """
    found, until = [], None
    for start, end in sorted(spans):
        if until is not None and start > until:
            found.append((until, start))
        until = end if until is None else max(until, end)
    return found


def _ticks(whole: float) -> tuple[Tick, ...]:
    """Return ticks at round times, at most seven.

    >>> [tick.words for tick in _ticks(130.0)]
    ['0s', '30s', '1m 00s', '1m 30s', '2m 00s']
    """
    step = next((step for step in _STEPS if whole / step <= _MOST_TICKS), whole / _MOST_TICKS)
    count = int(whole / step + 1e-9)
    places = [(place * step, 100 * place * step / whole) for place in range(count + 1)]
    return tuple(Tick(round(x, 3), format_duration(at), x > 92) for at, x in places)
