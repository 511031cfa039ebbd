"""Tell what a run is known to lack: streams in, reasons out; a run in, its agents without a stream out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..models import Problem, StreamFacts, Subagent
from ..phases import phase_of

NATIVE = "claude_transcript"


def silent_agents(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the agents that left no stream, each as an agent run of which nothing else is known.

    >>> silent_agents({"agents_without_stream": ["sdlc_implementor"]})
    [{'agent': 'sdlc_implementor', 'phase': 'build', 'silent': True}]
    """
    names = run.get("agents_without_stream")
    told = names if isinstance(names, list | tuple) else ()
    return [
        {"agent": name, "phase": phase_of(name), "silent": True} for name in told if isinstance(name, str)
    ]


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
