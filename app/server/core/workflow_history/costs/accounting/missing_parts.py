"""Find the parts that a run lacks: agents without a stream and sub-agents without a transcript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...common.models import Problem, Severity, StreamFacts, StreamFormat, Subagent
from ...common.phases import classify_phase

NATIVE = StreamFormat.CLAUDE_TRANSCRIPT

_TIME_KEYS = ("timestamp", "ended_at", "duration_seconds")
"""Times of a phase that a state file may contain."""


def silent_agents(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the agents without a stream as agent runs of which at most the times are known.

    >>> silent_agents({"agents_without_stream": ["sdlc_implementor"]})
    [{'agent': 'sdlc_implementor', 'phase': 'build', 'silent': True}]
    """
    phases = _as_sequence(run.get("phases_without_stream"))
    phase_by_agent = {
        phase["agent"]: phase for phase in phases if isinstance(phase, Mapping) and phase.get("agent")
    }
    agents = []
    for name in _as_sequence(run.get("agents_without_stream")):
        if isinstance(name, str):
            phase = phase_by_agent.get(name, {})
            times = {key: phase[key] for key in _TIME_KEYS if phase.get(key) is not None}
            agents.append({"agent": name, "phase": classify_phase(name), "silent": True, **times})
    return agents


def agent_names(run: Mapping[str, Any]) -> set[str]:
    """Return the names of a run's agents, including those without a stream.

    >>> sorted(agent_names({"phase_costs": [{"agent": "planner"}], "agents_without_stream": ["reviewer"]}))
    ['planner', 'reviewer']
    """
    agents = [*_as_sequence(run.get("phase_costs")), *silent_agents(run)]
    return {agent["agent"] for agent in agents if agent.get("agent")}


def _as_sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def unseen_subagents(streams: Sequence[StreamFacts]) -> dict[str, list[Subagent]]:
    """Return the sub-agents whose transcripts are missing, by the stream that contains their answers.

    Only native transcripts matter: a result line includes the cost of sub-agents, but a native transcript has
    no result line, and each of its sub-agents has its own transcript.
    """
    seen = {agent_id for stream in streams for agent_id in (*stream.agent_ids, _agent_id(stream))}
    unseen: dict[str, list[Subagent]] = {}
    for stream in streams:
        if stream.format != NATIVE:
            continue
        missing = [
            agent
            for agent in stream.subagents
            if (agent.id not in seen if agent.id else not stream.sidechains)
        ]
        if missing:
            unseen[stream.path] = missing
    return unseen


def unseen_problem(agent: Subagent, shown: str) -> Problem:
    """Return the warning about a missing transcript; `shown` is the path of the stream with the answer."""
    name = f"sub-agent {agent.id}" if agent.id else "a sub-agent"
    used = f"used {agent.tokens:,} tokens or more" if agent.tokens else "worked"
    reason = f"{name} {used}, but its transcript is not there: the cost is a lower bound"
    return Problem(shown, reason, agent.line, Severity.WARNING)


def _agent_id(stream: StreamFacts) -> str:
    """Return the sub-agent's id in a file name such as `agent-1f2e3d.jsonl`."""
    return stream.path.rpartition("/")[2].removeprefix("agent-").removesuffix(".jsonl")
