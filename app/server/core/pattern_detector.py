"""The hook of the sync's stage 5: a workflow in, its patterns as JSON-able dicts out. Nothing is stored here.

It stands beside the package, and a host may put a detector of its own in its place.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .workflow_history.analysis.patterns import PatternOccurrence, detect_patterns, phases_only


def detect_patterns_in_workflow(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the patterns of one workflow.

    Its `operations` (see `operation_records`) tell everything; without them its `phase_costs` tell the
    phases, and a workflow with neither has no patterns.
    """
    runs = workflow.get("operations")
    if runs is None:
        runs = phases_only(workflow.get("phase_costs") or [])
    return [_plain(pattern) for pattern in detect_patterns(runs)]


detect_patterns_in_workflow.is_built_in = True  # type: ignore[attr-defined]
"""The sync has done the same already, and does not ask this one again; a host's own has no such mark."""


def _plain(pattern: PatternOccurrence) -> dict[str, Any]:
    """Return a pattern as JSON can hold it: its cost a number, its agents a list."""
    cost = None if pattern.cost is None else float(pattern.cost)
    return {**asdict(pattern), "cost": cost, "agents": list(pattern.agents)}
