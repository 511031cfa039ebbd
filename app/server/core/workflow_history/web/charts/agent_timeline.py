"""Timeline of a run's agent runs: bars with positions in percent of the width. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ...common.formatting.numbers import format_duration
from ...common.models import TimeBasis
from ...common.spending import number

Agent = Mapping[str, Any]

MIN_WIDTH: Final = 0.35  # percent; keeps very short agent runs visible
MIN_GAP: Final = 0.005  # share of the whole time; shorter gaps would be invisible
_TICK_STEPS: Final = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400,
)  # fmt: skip
_MAX_TICKS: Final = 6


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
    label: str  # time since the start
    is_last: bool  # whether it is at the right end, so that its label goes to the left


@dataclass(frozen=True, slots=True)
class Timeline:
    """Agent runs in the order of their starts; those without a known time come last."""

    lanes: tuple[AgentLane, ...]
    idle: tuple[Bar, ...]  # gaps without a running agent that are long enough to see
    idle_seconds: float  # idle time of all gaps
    ticks: tuple[Tick, ...]
    seconds: float  # from the first start to the last end
    has_derived_times: bool  # whether some times are derived from file timestamps


def timeline(agents: Sequence[Agent]) -> Timeline | None:
    """Build the timeline of a run's agent runs; None if no time is known."""
    spans = [(agent, _span(agent)) for agent in agents]
    known_spans = [span for _, span in spans if span is not None]
    if not known_spans:
        return None
    start = min(begin for begin, _ in known_spans)
    total = max(end for _, end in known_spans) - start or 1.0
    gaps = _gaps(known_spans)
    ordered = sorted(spans, key=lambda pair: (pair[1] is None, pair[1] or (0.0, 0.0)))
    return Timeline(
        tuple(
            AgentLane(agent, None if span is None else _bar(span, start, total)) for agent, span in ordered
        ),
        tuple(_bar(gap, start, total) for gap in gaps if gap[1] - gap[0] >= MIN_GAP * total),
        sum(end - begin for begin, end in gaps),
        _ticks(total),
        total,
        any(agent.get("time_basis") == TimeBasis.DERIVED for agent, span in spans if span is not None),
    )


def _span(agent: Agent) -> tuple[float, float] | None:
    """Return an agent run's start and end in Unix time; its duration replaces one of them if missing.

    None if a time is still missing or the end is before the start.
    """
    start, end = _seconds(agent.get("timestamp")), _seconds(agent.get("ended_at"))
    duration = number(agent.get("duration_seconds"))
    if duration is not None and duration >= 0:
        start = end - duration if start is None and end is not None else start
        end = start + duration if end is None and start is not None else end
    if start is None or end is None or end < start:
        return None
    return start, end


def _seconds(iso: Any) -> float | None:
    try:
        time = datetime.fromisoformat(iso)
    except (TypeError, ValueError):
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() if 1 < time.year < 9999 else None


def _bar(span: tuple[float, float], start: float, total: float) -> Bar:
    """Return a time span as a bar. A bar below the minimum width is widened.

    >>> _bar((30.0, 60.0), 0.0, 120.0)
    Bar(x=25.0, width=25.0, seconds=30.0)
    """
    width = max(100 * (span[1] - span[0]) / total, MIN_WIDTH)
    x = min(100 * (span[0] - start) / total, 100 - width)
    return Bar(round(x, 3), round(width, 3), span[1] - span[0])


def _gaps(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the gaps in which no agent was running.

    >>> _gaps([(0.0, 4.0), (1.0, 2.0), (5.0, 6.0)])
    [(4.0, 5.0)]
    """
    gaps, latest_end = [], None
    for start, end in sorted(spans):
        if latest_end is not None and start > latest_end:
            gaps.append((latest_end, start))
        latest_end = end if latest_end is None else max(latest_end, end)
    return gaps


def _ticks(total: float) -> tuple[Tick, ...]:
    """Return ticks at round times, at most seven.

    >>> [tick.label for tick in _ticks(130.0)]
    ['0s', '30s', '1m 00s', '1m 30s', '2m 00s']
    """
    step = next((step for step in _TICK_STEPS if total / step <= _MAX_TICKS), total / _MAX_TICKS)
    count = int(total / step + 1e-9)
    positions = [(index * step, 100 * index * step / total) for index in range(count + 1)]
    return tuple(Tick(round(x, 3), format_duration(at), x > 92) for at, x in positions)
