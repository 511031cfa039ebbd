"""Records of an explanation. Money is in US dollars, times in seconds; None is unknown, never 0."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field

JsonValue = str | float | int | bool | None


@dataclass(frozen=True, slots=True)
class Source:
    """Source location of a value."""

    path: str  # path of the file, absolute if the run's directory is known
    line: int | None  # line number, starting at 1; None for the whole file
    there: bool | None  # whether the file exists now; None if its content was overwritten or unknown
    says: str  # short description of the content at this location


@dataclass(frozen=True, slots=True)
class PriceTerm:
    """One term of a price calculation: units times a rate."""

    kind: str  # units: input, output, cache read, 5-minute cache write, 1-hour cache write, web search
    count: int  # number of tokens or web search requests
    rate: float | None  # rate at that time, USD per million units; None if not in the table
    cost: float | None  # count times rate, USD


@dataclass(frozen=True, slots=True)
class PriceCalculation:
    """Price calculation for one model: tokens times the rates of the date, by the installed price table."""

    model: str | None
    priced_at: str | None  # time whose prices apply, ISO 8601 UTC; None if unknown
    terms: tuple[PriceTerm, ...]
    total: float | None  # sum of the terms, USD; None if a rate or the model is unknown
    stored: float | None  # computed cost stored in the history, USD
    difference: float | None  # `total` minus `stored`, USD
    why: str | None  # reason for a missing total or a difference


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a value."""

    name: str
    value: JsonValue  # value of the component, in the unit of the explanation
    adds: bool  # whether the component is part of the sum
    rule: str  # rule behind the component, one sentence
    basis: str | None = None  # cost basis: reported, computed, lower_bound or unpriced
    weight: float | None = None  # weight of a score or similarity component
    inputs: dict[str, JsonValue] = dataclass_field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    arithmetic: tuple[PriceCalculation, ...] = ()  # price calculations, one for each model


@dataclass(frozen=True, slots=True)
class PriceVersions:
    """Price table versions of the stored cost and of this calculation."""

    stored: str | None  # price table version of the stored cost
    installed: str  # version of the installed price table
    same: bool  # whether both versions are equal


@dataclass(frozen=True, slots=True)
class Explanation:
    """Provenance of one value of a run."""

    id: str
    project: str
    field: str
    value: JsonValue  # stored value; None if unknown, see why_unknown
    unit: str | None  # unit: USD, tokens, seconds, count, score (0 to 100) or percent; None for text
    rule: str  # rule behind the value, one sentence
    why_unknown: str | None = None  # reason for an unknown value
    inputs: dict[str, JsonValue] = dataclass_field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    parts: tuple[Component, ...] = ()
    total: float | None = None  # sum of the components that add; None if the value is not a sum
    remainder: float | None = None  # `value` minus `total`; None if there is no sum
    at_least: bool = False  # whether the value is a lower bound
    unknown_parts: int = 0  # number of components with unknown spending, whose `value` is null
    prices: PriceVersions | None = None  # price table versions, if the value depends on prices
    notes: tuple[str, ...] = ()
    docs: str = "docs/provenance.md"
    of: tuple[Explanation, ...] = ()  # explanations of the fields of an overview
