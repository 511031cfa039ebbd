"""Compare two runs: build one Comparison from two workflow dicts. Uses no file, clock or database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...common.coercion import moment_in_utc
from ...common.errors import PriceUnknownError
from ...common.models import RunStatus, TokenUsage
from ...common.spending import run_cost
from ...costs.pricing import price_breakdown
from ..similarity.scores import explain_similarity
from ..similarity.shared_words import missing_words, shared_words
from .figures import compare_facts, compare_figures
from .phases import attribute_cost, attribute_duration, compare_phases, model_changes
from .records import Comparison, LikenessPart, PriceChange, Request, RunRef

__all__ = ["Comparison", "compare"]

REQUEST_CHARACTERS = 2_000
_ONE_OF_EACH_KIND = TokenUsage(1, 1, 1, 1, 1, 1)

Run = Mapping[str, Any]


def compare(a: Run, b: Run) -> Comparison:
    """Compare two runs; all differences are B - A."""
    similarity = explain_similarity(dict(a), dict(b))
    phases = compare_phases(a, b)
    text_similarity = next(part["value"] for part in similarity["parts"] if part["name"] == "text")
    return Comparison(
        a=_run_ref(a),
        b=_run_ref(b),
        similarity=similarity["score"],
        similarity_parts=tuple(
            LikenessPart(part["name"], part["weight"], part["value"]) for part in similarity["parts"]
        ),
        request=_compare_requests(a.get("nl_input"), b.get("nl_input"), text_similarity),
        facts=compare_facts(a, b),
        figures=compare_figures(a, b),
        phases=phases,
        cost_from=attribute_cost(a, b, phases),
        duration_from=attribute_duration(phases),
        other_models=model_changes(phases),
        price_changes=_price_changes(a, b),
        notes=_notes(a, b),
    )


def _run_ref(run: Run) -> RunRef:
    return RunRef(
        id=str(run["id"]),
        project=str(run.get("project") or ""),
        created_at=run.get("created_at"),
        status=run.get("status"),
        status_reason=run.get("status_reason"),
    )


def _compare_requests(a: str | None, b: str | None, similarity: float | None) -> Request:
    shared = shared_words(a or "", b or "").shared
    return Request(
        a=a[:REQUEST_CHARACTERS] if a else None,
        b=b[:REQUEST_CHARACTERS] if b else None,
        same=a == b if a and b else None,
        likeness=similarity,
        shared=tuple(match.word for match in shared),
        only_a=missing_words(a or "", b or "") if a and b else (),
        only_b=missing_words(b or "", a or "") if a and b else (),
    )


def _price_changes(a: Run, b: Run) -> tuple[PriceChange, ...]:
    """Return the rates that differ between the dates of the two runs, for models that both used."""
    common_models = [model for model in _models(a) if model in _models(b)]
    changes: list[PriceChange] = []
    for model in common_models:
        a_rates, b_rates = _rates(model, a), _rates(model, b)
        changed = (kind for kind in a_rates.keys() & b_rates.keys() if a_rates[kind] != b_rates[kind])
        changes += [PriceChange(model, kind, a_rates[kind], b_rates[kind]) for kind in changed]
    return tuple(sorted(changes, key=lambda change: (change.model, change.kind)))


def _models(run: Run) -> list[str]:
    entries = (run.get("cost_data") or {}).get("models") or ()
    return [str(entry["model"]) for entry in entries if entry.get("model")]


def _rates(model: str, run: Run) -> dict[str, float]:
    """Return a model's base rates at a run's date, USD per million units; empty if unknown."""
    priced_at = moment_in_utc(run.get("started_at") or run.get("created_at"))
    try:
        units, _ = price_breakdown(model, _ONE_OF_EACH_KIND, priced_at)
    except PriceUnknownError:
        return {}
    return {unit.kind: float(unit.rate * 1_000_000) for unit in units if unit.rate is not None}


def _notes(a: Run, b: Run) -> tuple[str, ...]:
    """Return the caveats of the comparison."""
    notes = []
    for name, run in (("A", a), ("B", b)):
        cost = run_cost(run)
        if cost.minimum is None:
            notes.append(f"{name}'s cost is unknown, so the cost difference is unknown")
        elif not cost.complete:
            notes.append(f"{name}'s cost is a lower bound, so the cost difference is approximate")
        if run.get("status") == RunStatus.RUNNING:
            notes.append(f"{name} was still running at the last sync, so its values may increase")
    versions = a.get("price_version"), b.get("price_version")
    if None not in versions and versions[0] != versions[1]:
        notes.append(f"computed costs use different prices: {versions[0]} for A, {versions[1]} for B")
    return tuple(notes)
