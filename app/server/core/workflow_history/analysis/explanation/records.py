"""What an explanation is made of. Money in US dollars, times in seconds; None: unknown, never 0."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as made

JsonValue = str | float | int | bool | None


@dataclass(frozen=True, slots=True)
class Source:
    """Where something stands."""

    path: str  # absolute where the run's folder is known
    line: int | None  # from 1; None: the whole file
    there: bool | None  # whether the file is there now; None: what stood there was overwritten, or not known
    says: str  # what it tells


@dataclass(frozen=True, slots=True)
class PriceTerm:
    """Units times a rate."""

    kind: str  # input, output, cache read, 5-minute cache write, 1-hour cache write, web search
    count: int  # tokens; requests of web searches
    rate: float | None  # USD per million units at that moment; None: the table gives none
    cost: float | None  # USD


@dataclass(frozen=True, slots=True)
class PriceCalculation:
    """One model's tokens times the rates of the day, by the installed price table."""

    model: str | None
    priced_at: str | None  # ISO 8601 UTC; None: no date is known
    terms: tuple[PriceTerm, ...]
    total: float | None  # USD, the terms' sum; None: a rate or the model is unknown
    stored: float | None  # USD, our own sum as the history holds it
    difference: float | None  # USD, `total` less `stored`
    why: str | None  # why there is no total, or a difference


@dataclass(frozen=True, slots=True)
class Component:
    """Something that a value is made of."""

    name: str
    value: JsonValue  # in the unit of the explanation
    adds: bool  # whether it is in the sum
    rule: str  # one sentence
    basis: str | None = None  # reported, computed, lower_bound, unpriced
    weight: float | None = None  # of a score's or a similarity's part
    inputs: dict[str, JsonValue] = made(default_factory=dict)
    sources: tuple[Source, ...] = ()
    arithmetic: tuple[PriceCalculation, ...] = ()  # one for each model


@dataclass(frozen=True, slots=True)
class PriceVersions:
    """Which price tables made the stored sum, and which one does the arithmetic here."""

    stored: str | None
    installed: str
    same: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where one value comes from."""

    id: str
    project: str
    field: str
    value: JsonValue  # None: unknown, see why_unknown
    unit: str | None  # USD, tokens, seconds, count, score (0 to 100), percent; None: a word
    rule: str  # one sentence
    why_unknown: str | None = None
    inputs: dict[str, JsonValue] = made(default_factory=dict)
    sources: tuple[Source, ...] = ()
    parts: tuple[Component, ...] = ()
    total: float | None = None  # sum of the parts that add; None: they are no sum
    remainder: float | None = None  # value less total; None: there is no sum; 0: it adds up
    at_least: bool = False  # more than the value was spent, or may have been
    unknown_parts: int = 0  # parts of which nothing shows what they spent; `value` of each is null
    prices: PriceVersions | None = None  # where prices are in it
    notes: tuple[str, ...] = ()
    docs: str = "docs/explaining.md"
    of: tuple[Explanation, ...] = ()  # of an overview: its fields
