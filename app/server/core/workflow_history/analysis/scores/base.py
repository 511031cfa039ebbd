"""Score and component records, their weighted mean, and the two curves. Reads no workflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum
from typing import Any, Final

import msgspec

from .constants import SCORE_VERSION


class ScorePart(msgspec.Struct, frozen=True):
    """One component of a score: the evidence and its value."""

    name: str
    weight: float  # weight, 0 to 1, before missing components are dropped
    value: float  # value, 0 to 100
    inputs: Mapping[str, float | int | str]  # evidence by name, in the unit of the name
    reason: str  # reason, one sentence


class Score(msgspec.Struct, frozen=True):
    """A score with its components; `value` is None if required evidence is missing.

    >>> weighted_mean([ScorePart("a", 0.5, 40.0, {}, "."), ScorePart("b", 0.25, 100.0, {}, ".")],
    ... missing=["c"]).value
    60.0
    """

    value: float | None  # 0 to 100, one decimal
    parts: tuple[ScorePart, ...] = ()
    missing: tuple[str, ...] = ()  # names of missing evidence

    @property
    def completeness(self) -> float:
        """Share of the score's total weight for which there was evidence, 0 to 1."""
        return round(fsum(part.weight for part in self.parts), 6)

    def as_dict(self) -> dict[str, Any]:
        """Return the score as JSON types, with the version of the formulas."""
        return {
            "version": SCORE_VERSION,
            "value": self.value,
            "completeness": self.completeness,
            "parts": [
                {
                    "name": part.name,
                    "weight": part.weight,
                    "value": round(part.value, 1),
                    "inputs": dict(part.inputs),
                    "reason": part.reason,
                }
                for part in self.parts
            ],
            "missing": list(self.missing),
        }


def weighted_mean(parts: Iterable[ScorePart | None], missing: Iterable[str] = ()) -> Score:
    """Return the weighted mean of the present components; missing weights are redistributed."""
    present = tuple(part for part in parts if part is not None)
    weight = fsum(part.weight for part in present)
    if not weight:
        return no_score(*missing)
    value = fsum(part.weight * part.value for part in present) / weight
    return Score(round(min(100.0, max(0.0, value)), 1), present, tuple(missing))


def no_score(*missing: str) -> Score:
    """Return an empty score with the names of the missing evidence."""
    return Score(None, (), missing)


_EVIDENCE_LABELS: Final = {"nl_input": "request", "total_cost": "recorded cost"}


def evidence_label(name: str) -> str:
    """Return the display name of missing evidence, which may be the key of a field.

    >>> evidence_label("nl_input"), evidence_label("retry_cost")
    ('request', 'retry cost')
    """
    return _EVIDENCE_LABELS.get(name) or name.replace("_", " ")


def decay_curve(amount: float, half: float) -> float:
    """Return a value that falls from 100 at 0 to 50 at `half`, and towards 0.

    >>> decay_curve(0, 2), decay_curve(2, 2), decay_curve(6, 2)
    (100.0, 50.0, 25.0)
    """
    return 100.0 * (half / (half + amount))


def saturation_curve(amount: float, half: float) -> float:
    """Return a value that rises from 0 at 0 to 50 at `half` and 75 at twice that, up to 100.

    >>> saturation_curve(0, 3), saturation_curve(3, 3), saturation_curve(6, 3)
    (0.0, 50.0, 75.0)
    """
    return 100.0 * float(1.0 - 2.0 ** (-amount / half))
