"""Explain scores, similar runs and patterns of a run. Pure."""

from __future__ import annotations

from math import fsum
from typing import Any

from ...common.coercion import coerce_number
from ..scores.base import evidence_label
from ..similarity.scores import explain_similarity
from .context import ExplanationContext, to_plain
from .records import Component, Explanation, JsonValue

DOCS = "docs/scores.md"


def explain_score(context: ExplanationContext, name: str) -> Explanation:
    """Explain one score: the weighted mean of the components with evidence."""
    stored = (context.run.get("score_parts") or {}).get(name) or {}
    weight = fsum(coerce_number(part.get("weight")) or 0.0 for part in stored.get("parts") or ())
    parts = tuple(_score_part(part, weight) for part in stored.get("parts") or ())
    missing = [evidence_label(str(each)) for each in stored.get("missing") or ()]
    value = coerce_number(context.run.get(name))
    reason = None
    if value is None:
        reason = f"no evidence: {', '.join(missing)}" if missing else "the run was not scored"
    total = round(fsum(coerce_number(part.inputs.get("gave")) or 0.0 for part in parts), 1) if parts else None
    return context.explain_value(
        name,
        "weighted mean of its components, 0 to 100; the weight of a missing one goes to the others",
        unit="score",
        docs=DOCS,
        inputs={"version": stored.get("version"), "completeness": stored.get("completeness")},
        parts=parts,
        total=total,
        remainder=None if total is None or value is None else round(value - total, 1),
        notes=_score_notes(value, total, missing),
        why_unknown=reason,
    )


def _score_notes(value: float | None, total: float | None, missing: list[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    notes = [f"missing evidence: {name}" for name in missing]
    if total is not None and value != total:
        notes.append("components are stored with one decimal, so their sum may differ by 0.1")
    return tuple(notes)


def _score_part(part: dict[str, Any], total_weight: float) -> Component:
    weight, value = coerce_number(part.get("weight")), coerce_number(part.get("value"))
    contribution = (
        None
        if weight is None or value is None or not total_weight
        else round(weight * value / total_weight, 2)
    )
    evidence = {str(key): to_plain(item) for key, item in (part.get("inputs") or {}).items()}
    return Component(
        name=str(part.get("name")),
        value=value,
        adds=True,
        rule=str(part.get("reason") or ""),
        weight=weight,
        inputs={"gave": contribution, **evidence},
    )


def explain_similar_runs(context: ExplanationContext) -> Explanation:
    """Explain the similar runs: the score of each with its components."""
    parts = []
    for link, other in context.similar_links:
        inputs: dict[str, JsonValue] = {"project": link.get("project")}
        if other is not None:
            explained = explain_similarity(dict(context.run), dict(other))
            inputs |= {part["name"]: part["value"] for part in explained["parts"]}
        rule = "text 0.40, status, cost and duration 0.20 each, over the components that both runs have"
        parts.append(
            Component(str(link.get("id")), link.get("similarity_score"), adds=False, rule=rule, inputs=inputs)
        )
    return context.explain_value(
        "similar_workflows",
        "the five runs with the highest score, at least 0.5",
        docs="docs/similarity.md",
        parts=tuple(parts),
    )


def explain_patterns(context: ExplanationContext) -> Explanation:
    """Explain the patterns of the run: those that recur in other runs, with an example each."""
    parts = [
        Component(
            str(pattern.get("signature")),
            pattern.get("count"),
            adds=False,
            rule=f"{pattern.get('kind')}, in {pattern.get('workflows')} runs",
            inputs={"cost": pattern.get("cost"), "failures": pattern.get("failures")},
            sources=(context.source(pattern["example_path"], pattern.get("example_line"), "an example"),)
            if pattern.get("example_path")
            else (),
        )
        for pattern in context.patterns
    ]
    return context.explain_value(
        "pattern_count",
        "number of patterns in its tool calls; the components are those that recur in other runs",
        unit="count",
        docs="docs/automate.md",
        parts=tuple(parts),
    )
