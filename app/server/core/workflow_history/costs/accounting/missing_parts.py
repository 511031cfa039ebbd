"""Find the parts that a run lacks: agents without a stream and sub-agents without a transcript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from ...common.models import MessageUsage, Problem, Severity, StreamFacts, StreamFormat, Subagent
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
    """Return the sub-agents whose transcripts are missing or incomplete, by the stream that called them.

    Only native transcripts matter: a result line includes the cost of sub-agents, but a native transcript has
    no result line, and each of its sub-agents has its own transcript.
    """
    messages: dict[str, list[MessageUsage]] = {}  # by the id of a sub-agent in their stream
    for stream in streams:
        for agent_id in {*stream.agent_ids, _agent_id(stream)}:
            messages.setdefault(agent_id, []).extend(stream.messages)
    unnamed = _transcripts_without_answer(streams)
    unseen: dict[str, list[Subagent]] = {}
    for stream in streams:
        if stream.format != NATIVE:
            continue
        for agent in stream.subagents:
            if agent.id:
                found = _check_transcript(agent, messages.get(agent.id))
            else:
                found = None if stream.sidechains or _take_transcript(stream, unnamed) else agent
            if found is not None:
                unseen.setdefault(stream.path, []).append(found)
    return unseen


def _check_transcript(agent: Subagent, messages: Sequence[MessageUsage] | None) -> Subagent | None:
    """Return the sub-agent if its transcript is missing or shows less than its answer, else None.

    The answer has the tokens of the last request. If its parts are unknown, all messages are compared.
    """
    if messages is None:
        return agent
    found = sum(message.usage.total for message in messages)
    if agent.prompt_tokens is not None:
        prompts = (message.usage.total - message.usage.output for message in messages)
        is_complete = max(prompts, default=0) >= agent.prompt_tokens
    else:
        is_complete = found >= (agent.tokens or 0)
    return None if is_complete else replace(agent, found_tokens=found)


def _transcripts_without_answer(streams: Sequence[StreamFacts]) -> dict[str, list[str]]:
    """Return the ids of sub-agents that no answer names, by the sessions of their transcripts."""
    answered = {agent.id for stream in streams for agent in stream.subagents}
    ids: dict[str, list[str]] = {}
    for stream in streams:
        own_id = _agent_id(stream)
        own = {own_id} if stream.path.endswith(f"agent-{own_id}.jsonl") else set()
        for agent_id in sorted({*stream.agent_ids, *own} - answered):
            for session in stream.session_ids:
                ids.setdefault(session, []).append(agent_id)
    return ids


def _take_transcript(stream: StreamFacts, unnamed: Mapping[str, list[str]]) -> bool:
    """Return whether a transcript may be that of a sub-agent without a known id; each is taken once."""
    session = next((session for session in stream.session_ids if unnamed.get(session)), None)
    if session is None:
        return False
    taken = unnamed[session][0]
    for ids in unnamed.values():
        if taken in ids:
            ids.remove(taken)
    return True


def unseen_problem(agent: Subagent, shown: str) -> Problem:
    """Return the warning about a missing transcript; `shown` is the path of the stream that called it."""
    name = f"sub-agent {agent.id}" if agent.id else "a sub-agent"
    tokens = agent.tokens or agent.prompt_tokens
    used = f"used {tokens:,} tokens or more" if tokens else "worked"
    lack = (
        "its transcript is not there"
        if agent.found_tokens is None
        else f"its transcript shows only {agent.found_tokens:,}"
        if tokens and agent.found_tokens < tokens
        else "its transcript lacks the last request"
    )
    reason = f"{name} {used}, but {lack}: the cost is a lower bound"
    return Problem(shown, reason, agent.line, Severity.WARNING)


def _agent_id(stream: StreamFacts) -> str:
    """Return the sub-agent's id in a file name such as `agent-1f2e3d.jsonl`."""
    return stream.path.rpartition("/")[2].removeprefix("agent-").removesuffix(".jsonl")
