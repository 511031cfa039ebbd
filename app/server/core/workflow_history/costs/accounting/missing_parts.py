"""Find the parts that a run lacks: agents without a stream and sub-agents without a transcript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...common.models import Problem, StreamFacts, Subagent
from ...common.phases import classify_phase

NATIVE = "claude_transcript"


def silent_agents(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the agents without a stream as agent runs of which at most the times are known.

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
    """Return the names of a run's agents, including those without a stream.

    >>> sorted(agent_names({"phase_costs": [{"agent": "planner"}], "agents_without_stream": ["reviewer"]}))
    ['planner', 'reviewer']
    """
    agents = [*_listed(run.get("phase_costs")), *silent_agents(run)]
    return {agent["agent"] for agent in agents if agent.get("agent")}


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _span(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the times of a phase that the state file contains."""
    return {
        key: told[key] for key in ("timestamp", "ended_at", "duration_seconds") if told.get(key) is not None
    }


def unseen_subagents(streams: Sequence[StreamFacts]) -> dict[str, list[Subagent]]:
    """Return the sub-agents whose transcripts are missing, by the stream that contains their answers.

    Only native transcripts matter: a result line includes the cost of sub-agents, but a native transcript has
    no result line, and each of its sub-agents has its own transcript.
    """
    seen = {name for stream in streams for name in (*stream.agent_ids, _named(stream))}
    unseen = {
        stream.path: [agent for agent in stream.subagents if _is_unseen(agent, stream, seen)]
        for stream in streams
        if stream.format == NATIVE
    }
    return {path: agents for path, agents in unseen.items() if agents}


def unseen_problem(agent: Subagent, shown: str) -> Problem:
    """Return the warning about a missing transcript; `shown` is the path of the stream with the answer."""
    name = f"sub-agent {agent.id}" if agent.id else "a sub-agent"
    used = f"used {agent.tokens:,} tokens or more" if agent.tokens else "worked"
    reason = f"{name} {used}, but its transcript is not there: the cost is a lower bound"
    return Problem(shown, reason, agent.line, "warning")


def _named(stream: StreamFacts) -> str:
    """Return the sub-agent's id in a file name such as `agent-1f2e3d.jsonl`."""
    return stream.path.rpartition("/")[2].removeprefix("agent-").removesuffix(".jsonl")


def _is_unseen(agent: Subagent, stream: StreamFacts, seen: set[str]) -> bool:
    return agent.id not in seen if agent.id else not stream.sidechains
