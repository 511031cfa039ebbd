"""Detect one run's patterns with the built-in and the host's detector: a workflow in, rows out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ..analysis.patterns import PatternTally, agent_activities, operation_records, tally_patterns
from ..analysis.patterns.host_detector import Detector
from ..common.errors import WorkflowHistoryError
from ..common.models import StreamFacts, Workflow
from ..storage.rows.column_types import encode_json, redacted_text, to_text
from ..storage.rows.row_codec import Row
from ..storage.rows.run_rows import to_pattern_rows

BUILTIN = "builtin"
HOST = "host"


class DetectorFailedError(WorkflowHistoryError):
    """The host's detector raised an error for one workflow."""


def detect_patterns(
    workflow: Workflow, streams: Sequence[StreamFacts], detector: Detector | None
) -> dict[str, list[Row]]:
    """Return one run's patterns by detector, in the format of `to_pattern_rows`.

    A pattern that both detectors find belongs to the built-in one. Raises DetectorFailedError if the host's
    detector raises an error.
    """
    agent_runs = workflow.get("phase_costs") or ()
    built_in = tally_patterns(agent_activities(streams, agent_runs))
    rows = [_to_row(kind, signature, tally) for (kind, signature), tally in built_in.items()]
    if detector is None or getattr(detector, "is_built_in", False):
        return {BUILTIN: rows}
    host_patterns = _run_host_detector(
        detector, {**workflow, "operations": operation_records(streams, agent_runs)}
    )
    return {
        BUILTIN: rows,
        HOST: to_pattern_rows(p for p in host_patterns if (p["kind"], p["signature"]) not in built_in),
    }


def _to_row(kind: str, signature: str, tally: PatternTally) -> Row:
    return (
        kind,
        _cached_redaction(signature),
        tally.count,
        tally.successes,
        tally.failures,
        tally.cost_nanodollars,
        tally.seconds,
        _encode_names(tally.agents),
        None if tally.example_path is None else _cached_text(tally.example_path),
        tally.example_line,
    )


_cached_redaction = lru_cache(maxsize=8_192)(redacted_text)
_cached_text = lru_cache(maxsize=8_192)(to_text)  # the same few thousand texts recur in many runs


@lru_cache(maxsize=256)  # thousands of patterns come from a few sets of agents
def _encode_names(agents: tuple[str, ...]) -> str:
    return encode_json(sorted(agents))


def _run_host_detector(detector: Detector, workflow: Workflow) -> list[dict[str, Any]]:
    try:
        patterns = [dict(pattern) for pattern in detector(workflow) or ()]
        complete = [{"kind": HOST, "count": 1, **pattern} for pattern in patterns if pattern.get("signature")]
        return [{**p, "kind": str(p["kind"]), "signature": str(p["signature"])} for p in complete]
    except Exception as error:  # the host's code may raise anything
        raise DetectorFailedError(f"the pattern detector failed: {error!r}") from error
