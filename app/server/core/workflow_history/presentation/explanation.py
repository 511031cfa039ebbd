"""Provenance of a value in words: an explanation in, text out; values keep all their digits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ..analysis.explanation.records import Component, Explanation, PriceCalculation, Source
from ..common.formatting.costs import describe_prices
from ..common.formatting.numbers import format_duration, format_percent_change, format_timestamp, pluralize
from ..common.formatting.text import single_line, truncate
from ..common.models import RECORDED_BASES
from ..common.spending import UNKNOWN, number, to_decimal
from ..costs.accounting.money import TOKEN_FIELDS
from .comparison import COMPARISON_LABELS
from .run_list import first_line

MAX_REQUEST_CHARS: Final = 300  # characters; a longer request is cut
_SIMILARITY_PARTS: Final = frozenset({"text", "status", "cost", "duration"})
DELETED_FILE_NOTE: Final = "file missing; the value is in the history only"
_TIME_FIELDS: Final = frozenset(
    {"created_at", "started_at", "completed_at", "missing_since", "first_seen_at", "last_changed_at"}
)


_FIELD_LABELS: Final = {
    **COMPARISON_LABELS,
    "nl_input": "request",
    "nl_input_source": "request source",
    "total_cost": "recorded cost",
    "recorded_cost": "recorded cost",
    "cost_disputed": "cost discrepancy",
    "cost_difference_percent": "cost difference",
    "cache_creation_5m_tokens": "5-minute cache write tokens",
    "cache_creation_1h_tokens": "1-hour cache write tokens",
    "created_at": "created",
    "started_at": "started",
    "completed_at": "completed",
    "idle_time_seconds": "idle time",
    "bottleneck_phase": "longest phase",
    "similar_workflows": "similar runs",
    "pattern_count": "patterns",
    "completeness": "evidence completeness",
}


def field_label(key: str) -> str:
    """Return the display name of a field of a run; names of phases and agents stay as they are.

    >>> field_label("nl_input"), field_label("computed_cost"), field_label("phase build")
    ('request', 'computed cost', 'phase build')
    """
    if key.startswith(("phase ", "agent ")):
        return single_line(key)
    return _FIELD_LABELS.get(key) or single_line(key).replace("_", " ")


def component_label(part: Component) -> str:
    """Return the display name of a component: of tokens their kind, else its own name."""
    return field_label(part.name) if part.name in TOKEN_FIELDS else single_line(part.name)


def basis_label(basis: object) -> str:
    """Return the display name of a cost basis."""
    return single_line(basis).replace("_", " ") if basis else UNKNOWN


def format_value(value: Any, unit: str | None, field: str = "") -> str:
    """Format a value with all its digits, so that an explanation can be checked."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if number(value) is None:
        if field in _TIME_FIELDS:
            return format_timestamp(value)
        return truncate(single_line(value), MAX_REQUEST_CHARS)
    return _format_number(value, unit)


def _format_number(value: float, unit: str | None) -> str:
    if unit == "USD":
        return format_usd_exact(value)
    if unit == "percent":
        return format_percent_change(value)
    if unit == "seconds":
        return f"{value:,g} s ({format_duration(value)})" if value >= 60 else f"{value:,g} s"
    return f"{value:,.0f}" if value == round(value) else f"{value:,}" if value >= 1e6 else f"{value:,g}"


def format_usd_exact(value: float) -> str:
    """Format US dollars with all digits, down to nanodollars.

    >>> format_usd_exact(1.4841381), format_usd_exact(0.5), format_usd_exact(-2e-09)
    ('$1.4841381', '$0.50', '-$0.000000002')
    """
    amount = abs(to_decimal(value) or Decimal(0))
    dollars, _, decimals = f"{amount:,.9f}".rstrip("0").partition(".")
    return f"{'-' if value < 0 else ''}${dollars}.{decimals.ljust(2, '0')}"


def format_explained_value(explanation: Explanation) -> str:
    """Format an explained value with all its digits; `≥` if it is a lower bound."""
    value = format_value(explanation.value, explanation.unit, explanation.field)
    return f"≥ {value}" if explanation.is_lower_bound else value


def format_short(explanation: Explanation) -> str:
    """Format a value in one line; of a request only the first line."""
    request = (
        first_line(str(explanation.value)) if explanation.field == "nl_input" and explanation.value else None
    )
    return request or format_explained_value(explanation)


def format_total(explanation: Explanation) -> str | None:
    """Format the sum of the parts, with the remainder or the number of unknown parts.

    Returns None if the parts are not summed. `remainder`: the part of the value that they do not cover.
    """
    if explanation.total is None:
        return None
    unit = explanation.unit
    total = (
        f"{'at least ' if explanation.is_lower_bound else ''}{format_value(explanation.total, unit)} in total"
    )
    if explanation.remainder:
        return f"{total}; {format_value(explanation.remainder, unit)} is in no component"
    if explanation.unknown_parts:
        return f"{total}: {pluralize(explanation.unknown_parts, 'component is', 'components are')} unknown"
    return (
        f"{total}: the components add up to {'the known cost' if explanation.is_lower_bound else 'the value'}"
    )


def describe_origin(explanation: Explanation) -> str:
    """Return a short description of a value's source; its own explanation has the details."""
    if explanation.why_unknown:
        return f"unknown: {single_line(explanation.why_unknown)}"
    inputs = explanation.inputs
    for basis_key, source_key in (("times_basis", "times_source"), ("duration_basis", "duration_source")):
        if inputs.get(source_key):
            basis = "at least" if explanation.is_lower_bound else inputs.get(basis_key)
            return single_line(f"{basis}: {inputs[source_key]}")
    for key in ("status_reason", "nl_input_source"):
        if inputs.get(key):
            return single_line(inputs[key])
    if any(part.weight is not None for part in explanation.parts):
        return " + ".join(
            f"{single_line(part.name)} {format_contribution(part)}" for part in explanation.parts
        )
    if explanation.total is not None:
        cost_basis = f"{basis_label(inputs['cost_basis'])}, " if inputs.get("cost_basis") else ""
        unknown = f", {explanation.unknown_parts:,} unknown" if explanation.unknown_parts else ""
        count = pluralize(sum(part.adds for part in explanation.parts), "component")
        return f"{cost_basis}sum of {count}{unknown}"
    return single_line(explanation.rule)


def format_contribution(part: Component) -> str:
    """Format a part's contribution to a score."""
    contribution = number(part.inputs.get("gave"))
    return UNKNOWN if contribution is None else f"{contribution:g}"


def describe_rule(part: Component) -> str:
    """Return a part's rule, or its own inputs if they differ between parts: times or similarities."""
    if "from" in part.inputs:
        start, end = (format_timestamp(part.inputs[name]) for name in ("from", "to"))
        return f"{start} to {end}, {single_line(part.rule)}"
    if part.weight is None and "text" in part.inputs:
        similarities = {key: number(value) for key, value in part.inputs.items() if key in _SIMILARITY_PARTS}
        return " · ".join(
            f"{key} unknown" if value is None else f"{key} {value:.2f}" for key, value in similarities.items()
        )
    return single_line(part.rule)


def format_source(source: Source) -> str:
    """Format a source as a path that can be opened, with its line number."""
    line = "" if source.line is None else f":{source.line}"
    return f"{single_line(source.path)}{line}"


class PriceRow(NamedTuple):
    """Tokens of one kind and model, multiplied by their rate."""

    model: str | None
    kind: str
    rate: float  # USD per million units
    units: int
    cost: Decimal  # USD


class PriceSums(NamedTuple):
    """Tokens times the prices on the run's date, over all parts of a sum."""

    table: str  # name and version of the price table, and of own prices
    rows: list[PriceRow]
    sums: str  # the total of the rows, next to the stored sum
    own: list[str]  # config file and key of each own price in the rows
    doubts: list[str]


def sum_price_terms(explanation: Explanation) -> PriceSums | None:
    """Sum tokens times rates over the parts by model, kind and rate; None if there are none."""
    calculations = [calculation for part in explanation.parts if part.adds for calculation in part.arithmetic]
    prices = explanation.prices
    if not calculations or prices is None:
        return None
    computed = _format_sum([calculation.total for calculation in calculations])
    stored = _format_sum([calculation.stored for calculation in calculations])
    doubts = list(dict.fromkeys(single_line(each.why) for each in calculations if each.why))
    if not prices.same:
        stored_version = single_line(prices.stored or "unknown")
        doubts.insert(0, f"the stored cost was computed with {describe_prices(stored_version)}")
    return PriceSums(
        describe_prices(single_line(prices.installed)),
        _price_rows(calculations),
        f"{computed} with these prices; stored in the history: {stored}, {_describe_stored_sum(explanation)}",
        list(dict.fromkeys(single_line(each.own_price) for each in calculations if each.own_price)),
        doubts,
    )


def _describe_stored_sum(explanation: Explanation) -> str:
    """Return a phrase for the stored sum: a computed cost, a lower bound, or both."""
    recorded = [part.basis in RECORDED_BASES for part in explanation.parts if part.adds and part.arithmetic]
    if all(recorded):
        return "the computed cost"
    return "the computed cost and lower bounds" if any(recorded) else "a lower bound"


def _price_rows(calculations: Sequence[PriceCalculation]) -> list[PriceRow]:
    sums: dict[tuple[str | None, str, float], tuple[int, Decimal]] = {}
    for calculation in calculations:
        for term in calculation.terms:
            if term.rate is not None and term.cost is not None:
                key = (calculation.model, term.kind, term.rate)
                count, cost = sums.get(key, (0, Decimal(0)))
                sums[key] = (count + term.count, cost + Decimal(repr(term.cost)))
    return [PriceRow(*key, *value) for key, value in sums.items()]


def _format_sum(amounts: Sequence[float | None]) -> str:
    """Format the exact sum of the known amounts in US dollars."""
    known = [Decimal(repr(amount)) for amount in amounts if amount is not None]
    return format_usd_exact(float(sum(known, Decimal(0)))) if known else "an unknown amount"
