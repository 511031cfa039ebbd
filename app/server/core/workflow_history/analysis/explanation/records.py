"""Records of an explanation. Money is in US dollars, times in seconds; None is unknown, never 0."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated

from ...common.field_docs import Doc
from ...common.shared_fields import LineNumber, RunId, RunProject

JsonValue = str | float | int | bool | None
RuleInputs = Annotated[dict[str, JsonValue], Doc("values that the rule uses, by key; null: unknown")]


@dataclass(frozen=True, slots=True)
class Source:
    """Source location of a value."""

    path: Annotated[str, Doc("path of the file, absolute if the run's directory is known")]
    line: LineNumber
    there: Annotated[bool | None, Doc("whether the file exists now; null: overwritten or unknown")]
    says: Annotated[str, Doc("short description of the content at this location")]


@dataclass(frozen=True, slots=True)
class PriceTerm:
    """One term of a price calculation: units times a rate."""

    kind: Annotated[str, Doc("input, output, cache read, 5-minute or 1-hour cache write, or web search")]
    count: Annotated[int, Doc("number of tokens or web search requests")]
    rate: Annotated[float | None, Doc("rate at that time, USD per million units; null: no rate")]
    cost: Annotated[float | None, Doc("count times rate, USD; null: no rate")]


@dataclass(frozen=True, slots=True)
class PriceCalculation:
    """Price calculation for one model: tokens times the rates of the date, by the current prices."""

    model: Annotated[str | None, Doc("name of the model; null: the transcript names none")]
    priced_at: Annotated[str | None, Doc("time whose prices apply, ISO 8601, UTC; null: unknown")]
    own_price: Annotated[
        str | None, Doc("config file and key of the own price behind the rates; null: list prices")
    ]
    terms: Annotated[tuple[PriceTerm, ...], Doc("terms of the sum, one for each kind of tokens with a count")]
    total: Annotated[float | None, Doc("sum of the terms, USD; null: a rate or the model is unknown")]
    stored: Annotated[float | None, Doc("computed cost in the history, USD; null: none")]
    difference: Annotated[float | None, Doc("`total` minus `stored`, USD; null: one is missing")]
    why: Annotated[str | None, Doc("reason for a missing total or a difference; null: neither")]


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a value."""

    name: Annotated[str, Doc("name of the component, such as an agent or a metric")]
    value: Annotated[JsonValue, Doc("value of the component, in the unit of the explanation; null: unknown")]
    adds: Annotated[bool, Doc("whether the component is part of the sum")]
    rule: Annotated[str, Doc("rule behind the component, one sentence")]
    basis: Annotated[
        str | None, Doc("cost basis: reported, computed, lower_bound or unpriced; null: not a cost")
    ] = None
    weight: Annotated[float | None, Doc("weight of a score or similarity component; null: none")] = None
    inputs: RuleInputs = dataclass_field(default_factory=dict)
    sources: Annotated[tuple[Source, ...], Doc("files and lines that contain the component")] = ()
    arithmetic: Annotated[tuple[PriceCalculation, ...], Doc("price calculations, one for each model")] = ()


@dataclass(frozen=True, slots=True)
class PriceVersions:
    """Price versions of the stored cost and of this calculation."""

    stored: Annotated[str | None, Doc("price version of the stored cost; null: unknown")]
    installed: Annotated[
        str, Doc("version of the installed price table; with own prices, +own. and their digest")
    ]
    same: Annotated[bool, Doc("whether both versions are equal")]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Provenance of one value of a run."""

    id: RunId
    project: RunProject
    field: Annotated[str, Doc("key of the explained value; overview: the most important ones")]
    value: Annotated[JsonValue, Doc("stored value; null: unknown, see why_unknown")]
    unit: Annotated[
        str | None, Doc("unit: USD, tokens, seconds, count, score (0 to 100) or percent; null: text")
    ]
    rule: Annotated[str, Doc("rule behind the value, one sentence")]
    why_unknown: Annotated[str | None, Doc("reason for an unknown value; null: it is known")] = None
    inputs: RuleInputs = dataclass_field(default_factory=dict)
    sources: Annotated[tuple[Source, ...], Doc("files and lines that contain the value")] = ()
    parts: Annotated[tuple[Component, ...], Doc("components of the value")] = ()
    total: Annotated[float | None, Doc("sum of the components that add; null: the value is not a sum")] = None
    remainder: Annotated[float | None, Doc("`value` minus `total`; null: there is no sum")] = None
    is_lower_bound: Annotated[bool, Doc("whether the value is a lower bound")] = False
    unknown_parts: Annotated[int, Doc("number of components of unknown cost, whose `value` is null")] = 0
    prices: Annotated[
        PriceVersions | None, Doc("price table versions; null: the value does not depend on prices")
    ] = None
    notes: Annotated[tuple[str, ...], Doc("caveats, one sentence each")] = ()
    docs: Annotated[str, Doc("documentation page about provenance")] = "docs/provenance.md"
    of: Annotated[tuple[Explanation, ...], Doc("explanations of the fields of an overview")] = ()
