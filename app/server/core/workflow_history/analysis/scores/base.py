"""The shape of a score and its two curves: parts in, one weighted mean out. Reads no workflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum
from typing import Any

import msgspec

from .constants import SCORE_VERSION


class ScorePart(msgspec.Struct, frozen=True):
    """One reason for a score: what was measured, and how good that is."""

    name: str
    weight: float  # 0..1, before missing parts are left out
    value: float  # 0..100
    inputs: Mapping[str, float | int | str]  # the evidence, in the units of its name
    reason: str  # one sentence


class Score(msgspec.Struct, frozen=True):
    """A score with its reasons; `value` is None where the evidence that it cannot do without is missing.

    >>> weighted_mean([ScorePart("a", 0.5, 40.0, {}, "."), ScorePart("b", 0.25, 100.0, {}, ".")],
    ... missing=["c"]).value
    60.0
    """

    value: float | None  # 0..100, one decimal
    parts: tuple[ScorePart, ...] = ()
    missing: tuple[str, ...] = ()  # names of evidence that was not there

    @property
    def coverage(self) -> float:
        """The share, 0..1, of the score's full weight for which there was evidence."""
        return round(fsum(part.weight for part in self.parts), 6)

    def as_dict(self) -> dict[str, Any]:
        """Give the score in JSON's types, with the version of the formulas."""
        return {
            "version": SCORE_VERSION,
            "value": self.value,
            "coverage": self.coverage,
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
    """Take the weighted mean of the parts that are there; the others' weights are shared out."""
    present = tuple(part for part in parts if part is not None)
    weight = fsum(part.weight for part in present)
    if not weight:
        return no_score(*missing)
    value = fsum(part.weight * part.value for part in present) / weight
    return Score(round(min(100.0, max(0.0, value)), 1), present, tuple(missing))


def no_score(*missing: str) -> Score:
    """Give no score, and the names of the evidence that would have made one."""
    return Score(None, (), missing)


def decay_curve(amount: float, half: float) -> float:
    """Fall from 100 at nothing to 50 at `half` and towards 0 without end.

    >>> decay_curve(0, 2), decay_curve(2, 2), decay_curve(6, 2)
    (100.0, 50.0, 25.0)
    """
    return 100.0 * (half / (half + amount))


def saturation_curve(amount: float, half: float) -> float:
    """Rise from 0 at nothing to 50 at `half` and 75 at twice that: soon full, never over 100.

    >>> saturation_curve(0, 3), saturation_curve(3, 3), saturation_curve(6, 3)
    (0.0, 50.0, 75.0)
    """
    return 100.0 * float(1.0 - 2.0 ** (-amount / half))
