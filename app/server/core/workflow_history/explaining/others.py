"""Explain what a run has in common with others: similar runs and patterns. Pure."""

from __future__ import annotations

from ..similarity import explain_similarity
from .known import Known
from .shapes import Explanation, Part, Plain


def similar_workflows(known: Known) -> Explanation:
    """Explain the similar runs: the score of each with its parts."""
    parts = []
    for link, other in known.likes:
        inputs: dict[str, Plain] = {"project": link.get("project")}
        if other is not None:
            explained = explain_similarity(dict(known.run), dict(other))
            inputs |= {part["name"]: part["value"] for part in explained["parts"]}
        rule = "text .40, status, cost and duration .20 each, over the parts that both have"
        parts.append(
            Part(str(link.get("id")), link.get("similarity_score"), adds=False, rule=rule, inputs=inputs)
        )
    return known.told(
        "similar_workflows",
        "the five runs of the highest score, from 0.5 on; similar ID shows the words that they share",
        docs="docs/similarity.md",
        parts=tuple(parts),
    )


def pattern_count(known: Known) -> Explanation:
    """Explain the patterns that the run shows: those that recur, with an example each."""
    parts = [
        Part(
            str(pattern.get("signature")),
            pattern.get("count"),
            adds=False,
            rule=f"{pattern.get('kind')}, shown by {pattern.get('workflows')} runs",
            inputs={"cost": pattern.get("cost"), "failures": pattern.get("failures")},
            sources=(known.source(pattern["example_path"], pattern.get("example_line"), "an example"),)
            if pattern.get("example_path")
            else (),
        )
        for pattern in known.patterns
    ]
    return known.told(
        "pattern_count",
        "how many patterns its agents' tool calls show; the parts are those that recur in other runs",
        unit="count",
        docs="docs/patterns.md",
        parts=tuple(parts),
    )
