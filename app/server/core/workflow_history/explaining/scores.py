"""Explain the scores: their parts, weights and evidence as they were stored. Pure."""

from __future__ import annotations

from math import fsum
from typing import Any

from ..evidence import number
from .known import Known, plain
from .shapes import Explanation, Part

DOCS = "docs/scores.md"


def score(known: Known, name: str) -> Explanation:
    """Explain one score: the weighted mean of the parts for which there was evidence."""
    stored = (known.run.get("score_parts") or {}).get(name) or {}
    weight = fsum(number(part.get("weight")) or 0.0 for part in stored.get("parts") or ())
    parts = tuple(_part(part, weight) for part in stored.get("parts") or ())
    missing = [str(each) for each in stored.get("missing") or ()]
    value = number(known.run.get(name))
    why = None
    if value is None:
        why = f"no evidence: {', '.join(missing)}" if missing else "the run was not scored"
    total = round(fsum(number(part.inputs.get("gave")) or 0.0 for part in parts), 1) if parts else None
    return known.told(
        name,
        "the weighted mean of its parts, 0 to 100; weights of missing parts are shared out",
        unit="score",
        docs=DOCS,
        inputs={"version": stored.get("version"), "coverage": stored.get("coverage")},
        parts=parts,
        total=total,
        remainder=None if total is None or value is None else round(value - total, 1),
        notes=_notes(value, total, missing),
        why_unknown=why,
    )


def _notes(value: float | None, total: float | None, missing: list[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    notes = [f"without evidence: {each}" for each in missing]
    if total is not None and value != total:
        notes.append("parts are stored with one decimal: what they add up to may be 0.1 off")
    return tuple(notes)


def _part(part: dict[str, Any], weights: float) -> Part:
    weight, value = number(part.get("weight")), number(part.get("value"))
    gave = None if weight is None or value is None or not weights else round(weight * value / weights, 2)
    evidence = {str(key): plain(each) for key, each in (part.get("inputs") or {}).items()}
    return Part(
        name=str(part.get("name")),
        value=value,
        adds=True,
        rule=str(part.get("reason") or ""),
        weight=weight,
        inputs={"gave": gave, **evidence},
    )
