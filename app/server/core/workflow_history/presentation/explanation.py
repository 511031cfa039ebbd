"""Provenance of a value in words: an explanation in, text out; values keep all their digits. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ..analysis.explanation.records import Component, Explanation, PriceCalculation, Source
from ..common.formatting.numbers import format_duration, format_percent_change, format_timestamp, pluralize
from ..common.formatting.text import non_empty_lines, single_line, truncate
from ..common.spending import RECORDED_BASES, UNKNOWN, number, to_decimal

MOST_REQUEST: Final = 300  # characters; a longer request is cut
DELETED_FILE_NOTE: Final = "the file is gone: only this history knows"
TIMES: Final = frozenset(
    {"created_at", "started_at", "completed_at", "gone_at", "first_seen_at", "last_changed_at"}
)


def format_value(value: Any, unit: str | None, field: str = "") -> str:
    """Format a value with all its digits, so that an explanation can be checked."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if number(value) is None:
        return format_timestamp(value) if field in TIMES else truncate(single_line(value), MOST_REQUEST)
    return _NUMBERS.get(unit or "", _plain)(value)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,}" if value >= 1e6 else f"{value:,g}"


def _seconds(value: float) -> str:
    return f"{value:,g} s ({format_duration(value)})" if value >= 60 else f"{value:,g} s"


def format_usd_exact(value: float) -> str:
    """Format US dollars with all digits, down to nanodollars.

    >>> format_usd_exact(1.4841381), format_usd_exact(0.5), format_usd_exact(-2e-09)
    ('$1.4841381', '$0.50', '-$0.000000002')
    """
    amount = abs(to_decimal(value) or Decimal(0))
    digits = f"{amount:,.9f}".rstrip("0")
    whole, _, rest = digits.partition(".")
    return f"{'-' if value < 0 else ''}${whole}.{rest.ljust(2, '0')}"


_NUMBERS: Final[dict[str, Callable[[float], str]]] = {
    "USD": format_usd_exact,
    "seconds": _seconds,
    "percent": format_percent_change,
}


def whole_words(found: Explanation) -> str:
    """Format an explained value with all its digits; `≥` if it is a lower bound."""
    value = format_value(found.value, found.unit, found.field)
    return f"≥ {value}" if found.at_least else value


def format_short(found: Explanation) -> str:
    """Format a value in one line; of a request only the first line."""
    lines = non_empty_lines(str(found.value)) if found.field == "nl_input" and found.value else None
    return single_line(lines[0]) if lines else whole_words(found)


def total_words(found: Explanation) -> str | None:
    """Format the sum of the parts, with the remainder or the number of unknown parts.

    Returns None if the parts are not summed. `remainder`: the part of the value that they do not cover.
    """
    if found.total is None:
        return None
    whole = f"{'at least ' if found.at_least else ''}{format_value(found.total, found.unit)} in all"
    if found.remainder:
        return f"{whole}; {format_value(found.remainder, found.unit)} is left over"
    if found.unknown_parts:
        return f"{whole}: {pluralize(found.unknown_parts, 'part is', 'parts are')} unknown"
    return f"{whole}: the parts make {'what is known' if found.at_least else 'the whole'}"


def describe_origin(found: Explanation) -> str:
    """Return a short description of a value's source; its own explanation has the details."""
    if found.why_unknown:
        return f"unknown: {single_line(found.why_unknown)}"
    told = found.inputs
    for basis, source in (("times_basis", "times_source"), ("duration_basis", "duration_source")):
        if told.get(source):
            how = "at least" if found.at_least else told.get(basis)
            return single_line(f"{how}: {told[source]}")
    for key in ("status_reason", "nl_input_source"):
        if told.get(key):
            return single_line(told[key])
    if any(part.weight is not None for part in found.parts):
        return " + ".join(f"{single_line(part.name)} {format_contribution(part)}" for part in found.parts)
    adding = [part for part in found.parts if part.adds]
    if found.total is not None:
        basis = f"{single_line(told['cost_basis'])}, " if told.get("cost_basis") else ""
        unknown = f", {found.unknown_parts:,} unknown" if found.unknown_parts else ""
        return f"{basis}{pluralize(len(adding), 'part')} added up{unknown}"
    return single_line(found.rule)


def format_contribution(part: Component) -> str:
    """Format a part's contribution to a score."""
    known = number(part.inputs.get("gave"))
    return UNKNOWN if known is None else f"{known:g}"


def describe_rule(part: Component) -> str:
    """Return a part's rule, or its own inputs if they differ between parts: times or similarities."""
    if "from" in part.inputs:
        begin, end = (format_timestamp(part.inputs[name]) for name in ("from", "to"))
        return f"{begin} to {end}, {single_line(part.rule)}"
    told = {key: value for key, value in part.inputs.items() if key in {"text", "status", "cost", "duration"}}
    if part.weight is None and "text" in told:
        return " · ".join(f"{key} {_alike(value)}" for key, value in told.items())
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

    table: str  # name and version of the price table
    rows: list[PriceRow]
    sums: str  # the total of the rows, next to the stored sum
    doubts: list[str]


def sum_price_terms(found: Explanation) -> PriceSums | None:
    """Sum tokens times rates over the parts by model, kind and rate; None if there are none."""
    every = [sum_ for part in found.parts if part.adds for sum_ in part.arithmetic]
    if not every or found.prices is None:
        return None
    tables = found.prices
    own, stored = (_sum([getattr(each, key) for each in every]) for key in ("total", "stored"))
    older = f"the history's was made with genai-prices {single_line(tables.stored or 'unknown')}"
    return PriceSums(
        f"genai-prices {single_line(tables.installed)}",
        _price_rows(every),
        f"{_usd(own)} by this table; {_usd(stored)} {_meaning(found)} in the history",
        [
            *([] if tables.same else [older]),
            *dict.fromkeys(single_line(each.why) for each in every if each.why),
        ],
    )


def _meaning(found: Explanation) -> str:
    """Return a phrase for the stored sum: a computed cost, a lower bound, or both."""
    recorded = [part.basis in RECORDED_BASES for part in found.parts if part.adds and part.arithmetic]
    if all(recorded):
        return "is our own sum"
    return (
        "is our own sum and what was spent at least" if any(recorded) else "was spent at least, as it stands"
    )


def _price_rows(every: Sequence[PriceCalculation]) -> list[PriceRow]:
    sums: dict[tuple[str | None, str, float], tuple[int, Decimal]] = {}
    for each in every:
        for term in each.terms:
            if term.rate is not None and term.cost is not None:
                key = (each.model, term.kind, term.rate)
                count, cost = sums.get(key, (0, Decimal(0)))
                sums[key] = (count + term.count, cost + Decimal(repr(term.cost)))
    return [PriceRow(*key, *value) for key, value in sums.items()]


def _sum(amounts: Sequence[float | None]) -> Decimal | None:
    known = [Decimal(repr(amount)) for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def _usd(amount: Decimal | None) -> str:
    return "an unknown amount" if amount is None else format_usd_exact(float(amount))


def _alike(value: Any) -> str:
    known = number(value)
    return "unknown" if known is None else f"{known:.2f}"
