"""Tell what a run is known to lack: streams in, reasons out; a run in, its agents without a stream out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...common.models import Problem, StreamFacts, Subagent
from ...common.phases import classify_phase

NATIVE = "claude_transcript"


def silent_agents(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the agents that left no stream, each as an agent run of which at most its time is known.

    >>> silent_agents({"agents_without_stream": ["sdlc_implementor"]})
    [{'agent': 'sdlc_implementor', 'phase': 'build', 'silent': True}]
    """
    names, timed = (run.get(key) for key in ("agents_without_stream", "phases_without_stream"))
    times = {
        each["agent"]: each for each in _listed(timed) if isinstance(each, Mapping) and each.get("agent")
    }
    return [
        {"agent": name, "phase": classify_phase(name), "silent": True, **_span(times.get(name, {}))}
        for name in _listed(names)
        if isinstance(name, str)
    ]


def agent_names(run: Mapping[str, Any]) -> set[str]:
    """Return the names of a run's agents, those without a stream included.

    >>> sorted(agent_names({"phase_costs": [{"agent": "planner"}], "agents_without_stream": ["reviewer"]}))
    ['planner', 'reviewer']
    """
    agents = [*_listed(run.get("phase_costs")), *silent_agents(run)]
    return {agent["agent"] for agent in agents if agent.get("agent")}


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _span(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a state tells of when a phase was."""
    return {
        key: told[key] for key in ("timestamp", "ended_at", "duration_seconds") if told.get(key) is not None
    }


def unseen_subagents(streams: Sequence[StreamFacts]) -> dict[str, list[Subagent]]:
    """Return, by the stream they answered in, the sub-agents of which no transcript is there.

    A result counts what its sub-agents spent; a native transcript has none, and each of them its own.
    """
    seen = {name for stream in streams for name in (*stream.agent_ids, _named(stream))}
    unseen = {
        stream.path: [agent for agent in stream.subagents if _is_unseen(agent, stream, seen)]
        for stream in streams
        if stream.format == NATIVE
    }
    return {path: agents for path, agents in unseen.items() if agents}


def unseen_problem(agent: Subagent, shown: str) -> Problem:
    """Return the warning about a missing transcript; `shown`: path of the stream that it answered in."""
    name = f"sub-agent {agent.id}" if agent.id else "a sub-agent"
    used = f"used {agent.tokens:,} tokens or more" if agent.tokens else "worked"
    reason = f"{name} {used}, but its transcript is not there: the cost is a lower bound"
    return Problem(shown, reason, agent.line, "warning")


def _named(stream: StreamFacts) -> str:
    """Return the sub-agent that a file is named by, as in `agent-1f2e3d.jsonl`."""
    return stream.path.rpartition("/")[2].removeprefix("agent-").removesuffix(".jsonl")


def _is_unseen(agent: Subagent, stream: StreamFacts, seen: set[str]) -> bool:
    return agent.id not in seen if agent.id else not stream.sidechains
