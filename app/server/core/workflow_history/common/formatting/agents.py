"""Format model names and short notes about agent runs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..models import SourceState
from ..outcomes import Outcome
from ..spending import UNKNOWN, number, to_decimal
from .numbers import format_percent_change, pluralize
from .text import single_line

_MODEL_NAME = re.compile(
    r"(?:[\w.-]+/)*(?:[a-z]+\.)*(?:claude-)?(.+?)(?:[-@]\d{8})?(?:-v\d+:\d+)?(?:-latest)?"
)


def short_model(name: Any) -> str:
    """Return a model's name without its vendor, date and version, for tables.

    >>> short_model("claude-sonnet-4-5-20250929"), short_model("us.anthropic.claude-opus-4-5-20251101-v1:0")
    ('sonnet-4-5', 'opus-4-5')
    >>> short_model("gemini-2.5-pro")
    'gemini-2.5-pro'
    """
    if name is None:
        return UNKNOWN
    text = single_line(name)
    match = _MODEL_NAME.fullmatch(text)
    return match.group(1) if match else text


def agent_notes(agent: Mapping[str, Any], *, at_work: bool = False) -> list[str]:
    """Return short notes for an agent run's table row: outcome, retries, missing files, cost issues.

    >>> agent_notes({"outcome": "incomplete", "superseded": True, "retries": 1})
    ['interrupted', 'superseded']
    """
    outcome_notes = {
        Outcome.ERROR: "error",
        Outcome.FALSE_SUCCESS: "false success",
        Outcome.STOPPED: "stopped",
        Outcome.INCOMPLETE: "no result yet" if at_work else "interrupted",
        Outcome.EMPTY: "empty",
        Outcome.UNREADABLE: "unreadable",
    }
    notes = [outcome_notes[agent["outcome"]]] if agent.get("outcome") in outcome_notes else []
    if agent.get("silent"):
        notes.append("no transcript")
    restarts = int(number(agent.get("restarts")) or 0)
    repeated = agent.get("is_retry") or (number(agent.get("retries")) or 0) > restarts
    if repeated and not agent.get("superseded"):  # a retry follows every superseded attempt anyway
        notes.append("retry")
    if restarts:
        notes.append(pluralize(restarts, "restart"))
    if agent.get("superseded"):
        notes.append("superseded")
    elif agent.get("missing") or agent.get("source_state") == SourceState.MISSING:
        notes.append("file missing")
    if agent.get("duplicate_of"):
        notes.append(f"counted in {single_line(agent['duplicate_of'])}")
    notes += [
        f"{pluralize(other['messages'], 'message')} counted in {single_line(other['stream'])}"
        for other in agent.get("inherited") or ()
    ]
    if agent.get("cost_disputed"):
        notes.append(f"computed {format_percent_change(agent.get('cost_difference_percent'))}")
    if to_decimal(agent.get("unpriced_tokens")):
        notes.append("unpriced")
    return notes


def group_by_phase(agents: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Group agent runs by phase, in the order in which the phases started."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for agent in agents:
        groups.setdefault(single_line(agent.get("phase") or "other"), []).append(agent)
    return list(groups.items())
