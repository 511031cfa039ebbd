"""Write a stream's spending down as record fields: exact amounts in, plain numbers out."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ..models import CostBasis
from .money import DISPUTED_PERCENT, percent_off, to_float, token_fields, total
from .shares import Share, usage_of
from .spending import Spending


def cost_fields(spent: Spending, main_model: str | None) -> dict[str, Any]:
    """Return the money and token fields of one stream; every one of them None where nothing is known."""
    everything = (*spent.shares, *spent.loose)
    on_record, loose = _by_model(spent.shares), _by_model(spent.loose)
    entries = [
        _model_entry(model, on_record.get(model), loose.get(model), spent) for model in on_record | loose
    ]
    return {
        "model": _costliest(entries) or main_model,
        "cost": to_float(spent.cost),
        "cost_basis": spent.basis,
        "lower_bound_cost": to_float(spent.beyond),
        **_comparison(spent),
        **token_fields(None if spent.basis is None else usage_of(everything)),
        "unpriced_tokens": sum([part.unpriced_tokens for part in everything]),
        "models": entries,
        "restarts": spent.restarts,
        "restart_cost": to_float(spent.restart_cost),
    }


def _by_model(shares: Iterable[Share]) -> dict[str | None, Share]:
    return {part.model: part for part in shares}


def _costliest(entries: list[dict[str, Any]]) -> str | None:
    known = [entry for entry in entries if entry["model"]]
    best = max(known, key=lambda entry: entry["cost"] or entry["lower_bound_cost"] or 0.0, default=None)
    return str(best["model"]) if best else None


def _comparison(spent: Spending) -> dict[str, Any]:
    """Return our own sum beside a reported cost, and whether the two are more than 1% apart."""
    percent, disputed = None, False
    claimed = spent.cost if spent.basis == "reported" else spent.claimed
    if claimed is not None and spent.own_sum is not None:
        percent = percent_off(spent.own_sum, claimed)
        disputed = percent is None or abs(percent) > DISPUTED_PERCENT
    return {
        "computed_cost": to_float(spent.own_sum),
        "cost_difference_percent": percent,
        "cost_disputed": disputed,
    }


def _model_entry(
    model: str | None, on_record: Share | None, loose: Share | None, spent: Spending
) -> dict[str, Any]:
    """Return one model's line: its part of the cost, and its part of what was spent beyond it."""
    parts = [part for part in (on_record, loose) if part is not None]
    covered = on_record is not None and spent.cost is not None
    cost = _part_of_cost(on_record) if covered and on_record else None
    beyond = total(
        [part.reported or part.priced_part for part in parts if not (covered and part is on_record)]
    )
    if any(part.unpriced for part in parts):
        basis: CostBasis | None = "unpriced"
    else:
        basis = spent.basis if covered else "lower_bound"
    return {
        "model": model,
        "cost": to_float(cost),
        "cost_basis": basis,
        "computed_cost": to_float(on_record.computed if on_record else None),
        "lower_bound_cost": to_float(beyond or None),
        **token_fields(usage_of(parts)),
        "unpriced_tokens": sum([part.unpriced_tokens for part in parts]),
    }


def _part_of_cost(part: Share) -> Decimal | None:
    """Return a model's cost: what the result says, else tokens x price; None where neither is known."""
    if part.unpriced:
        return None
    return part.computed if part.reported is None else part.reported
