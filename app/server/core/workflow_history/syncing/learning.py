"""Find one run's patterns, by our own detection and by the host's: a workflow in, occurrences out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..accounting.money import to_float
from ..errors import WorkflowHistoryError
from ..models import StreamFacts, Workflow
from ..patterns import PatternOccurrence, detect, workflow_operations
from ..patterns.host import Detector

OURS = "builtin"
THEIRS = "host"


class DetectorFailedError(WorkflowHistoryError):
    """The host's detector raised an error for one workflow."""


def patterns_of(
    workflow: Workflow, streams: Sequence[StreamFacts], detector: Detector | None
) -> dict[str, list[dict[str, Any]]]:
    """Return the patterns of one run by detector; those that both find are ours.

    Raises DetectorFailedError where the host's detector does.
    """
    operations = workflow_operations(streams, workflow.get("phase_costs") or ())
    ours = [_plain(occurrence) for occurrence in detect(operations)]
    if detector is None or getattr(detector, "is_built_in", False):
        return {OURS: ours}
    known = {(pattern["kind"], pattern["signature"]) for pattern in ours}
    theirs = _answer(detector, {**workflow, "operations": operations})
    return {OURS: ours, THEIRS: [p for p in theirs if (p["kind"], p["signature"]) not in known]}


def _answer(detector: Detector, workflow: Workflow) -> list[dict[str, Any]]:
    try:
        found = [dict(pattern) for pattern in detector(workflow) or ()]
        named = [{"kind": THEIRS, "count": 1, **pattern} for pattern in found if pattern.get("signature")]
        return [{**p, "kind": str(p["kind"]), "signature": str(p["signature"])} for p in named]
    except Exception as error:  # the host's code may raise anything
        raise DetectorFailedError(f"the pattern detector failed: {error!r}") from error


def _plain(occurrence: PatternOccurrence) -> dict[str, Any]:
    return {
        "kind": occurrence.kind,
        "signature": occurrence.signature,
        "count": occurrence.count,
        "successes": occurrence.successes,
        "failures": occurrence.failures,
        "cost": to_float(occurrence.cost),
        "seconds": occurrence.seconds,
        "agents": list(occurrence.agents),
        "example_path": occurrence.example_path,
        "example_line": occurrence.example_line,
    }
