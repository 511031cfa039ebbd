"""Where a figure comes from: an explanation in, renderables out; sums can be checked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from . import marks
from .numbers import counted, duration, exact, moment, number, percent
from .story.section import section
from .table import Column, GiveWay, fit, grid
from .text import UNKNOWN, cut, joined, lines_of, one_line

if TYPE_CHECKING:
    from ...explaining.shapes import Arithmetic, Explanation, Part, Source

MOST_WIDTH = 120  # cells
LEAST_RULE = 24  # cells
MOST_REQUEST = 300  # characters of a request
TIMES = {"created_at", "started_at", "completed_at", "gone_at", "first_seen_at", "last_changed_at"}
NARROWER = (GiveWay("weight"), GiveWay("basis"))


def explanation(found: Explanation, width: int) -> RenderableType:
    """Return the value, its rule, its places, its parts and the arithmetic."""
    within = min(width, MOST_WIDTH)
    blocks: list[RenderableType] = [_title(found), Text(one_line(found.rule), style="dim")]
    if found.why_unknown:
        blocks.append(Text(f"unknown: {one_line(found.why_unknown)}", style="magenta"))
    blocks += [_inputs(found.inputs), *(_place(source) for source in found.sources)]
    if found.of:
        blocks += ["", _overview(found.of, within)]
    if found.parts:
        blocks += ["", section("Parts", within), _parts(found, within), *_total(found)]
        blocks += _places(found.parts, within)
    blocks += [*_arithmetic(found, within), *(Text(f"! {one_line(note)}", "magenta") for note in found.notes)]
    blocks += ["", Text(f"more: {found.docs}", style="dim")]
    return Group(*blocks)


def in_a_line(found: Explanation) -> Text:
    """Return the value and its rule alone."""
    return Text(
        f"{_value(found.value, found.unit, found.field)}: {one_line(found.why_unknown or found.rule)}"
    )


def _title(found: Explanation) -> Text:
    name = f"{found.project}/{found.id}" if found.project else found.id
    value = _value(found.value, found.unit, found.field)
    return joined([Text(one_line(name), "bold"), Text(one_line(found.field)), Text(value, "bold cyan")])


def _value(value: Any, unit: str | None, field: str = "") -> str:
    """Return a value with all of its digits: an explanation is there to be checked."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if number(value) is None:
        return moment(value) if field in TIMES else cut(one_line(value), MOST_REQUEST)
    return _NUMBERS.get(unit or "", _plain)(value)


def _plain(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"  # a count may have come as a float
    return f"{value:,}" if value >= 1e6 else f"{value:,g}"


def _seconds(value: float) -> str:
    return f"{value:,g} s ({duration(value)})" if value >= 60 else f"{value:,g} s"


def dollars(value: float) -> str:
    """Return US dollars to the last nano-dollar that is there.

    >>> dollars(1.4841381), dollars(0.5), dollars(-2e-09)
    ('$1.4841381', '$0.50', '-$0.000000002')
    """
    amount = abs(exact(value) or Decimal(0))
    digits = f"{amount:,.9f}".rstrip("0")
    whole, _, rest = digits.partition(".")
    return f"{'-' if value < 0 else ''}${whole}.{rest.ljust(2, '0')}"


_NUMBERS: dict[str, Callable[[float], str]] = {"USD": dollars, "seconds": _seconds, "percent": percent}


def _inputs(inputs: dict[str, Any]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in inputs.items():
        if value is not None:
            unit = "USD" if name.endswith("_cost") else None
            table.add_row(one_line(name).replace("_", " "), _value(value, unit))
    return Padding(table, 0)


def _place(source: Source, *, bare: bool = False) -> Text:
    """Return a path that can be opened; `bare`: without what it tells."""
    line = "" if source.line is None else f":{source.line}"
    text = Text(f"{one_line(source.path)}{line}", overflow="fold")
    notes = [] if bare else [one_line(source.says)]
    if source.there is False:
        notes.append("the file is gone: only this history knows")
    return text.append(f"  {'; '.join(notes)}" if notes else "", style="dim")


def _overview(fields: Sequence[Explanation], width: int) -> RenderableType:
    shown = [field for field in fields if field.value is not None or field.field != "lower_bound_cost"]
    columns = [
        Column("field", "field", tuple(Text(field.field, "bold") for field in shown)),
        Column("value", "value", tuple(Text(_short(field)) for field in shown), most=26),
        Column("rule", "where from", tuple(_from(field) for field in shown), flexible=True, wraps=True),
    ]
    return grid(columns, width)


def _short(found: Explanation) -> str:
    lines = lines_of(str(found.value)) if found.field == "nl_input" and found.value else None
    return one_line(lines[0]) if lines else _value(found.value, found.unit, found.field)


def _from(found: Explanation) -> Text:
    """Return in a few words where a figure is from; its own explanation says more."""
    if found.why_unknown:
        return Text(f"unknown: {one_line(found.why_unknown)}", style="magenta")
    told = found.inputs
    for basis, source in (("times_basis", "times_source"), ("duration_basis", "duration_source")):
        if told.get(source):
            return Text(one_line(f"{told.get(basis)}: {told[source]}"))
    for key in ("status_reason", "nl_input_source"):
        if told.get(key):
            return Text(one_line(told[key]))
    if any(part.weight is not None for part in found.parts):
        return Text(" + ".join(f"{one_line(part.name)} {_gave(part)}" for part in found.parts))
    adding = [part for part in found.parts if part.adds]
    if found.total is not None:
        basis = f"{one_line(told['cost_basis'])}, " if told.get("cost_basis") else ""
        return Text(f"{basis}{counted(len(adding), 'part')} added up")
    return Text(one_line(found.rule))


def _parts(found: Explanation, width: int) -> RenderableType:
    parts = found.parts
    weighted = any(part.weight is not None for part in parts)
    columns = [
        Column("name", "part", tuple(Text(one_line(part.name), "bold") for part in parts), most=28),
        Column("value", "value", tuple(_part_value(part, found.unit) for part in parts), right=True),
        *([_words("weight", "weight", [_weight(part) for part in parts])] if weighted else []),
        *([_words("gave", "gave", [_gave(part) for part in parts])] if weighted else []),
    ]
    if any(part.basis for part in parts):
        columns.append(_words("basis", "basis", [part.basis or UNKNOWN for part in parts]))
    rules = [_rule(part) for part in parts]
    letters = _letters(rules)
    if len(letters) == len(parts):
        columns.append(Column("rule", "rule", tuple(rules), flexible=True, wraps=True))
        return grid(fit(columns, width, NARROWER, LEAST_RULE), width)
    if len(letters) > 1:
        columns.append(_words("rule", "rule", [letters[rule.plain] for rule in rules]))
    legend = [
        Text(f"{letter}: {rule}" if len(letters) > 1 else f"each: {rule}", "dim")
        for rule, letter in letters.items()
    ]
    return Group(grid(fit(columns, width, NARROWER, LEAST_RULE), width), *legend)


def _letters(rules: Sequence[Text]) -> dict[str, str]:
    """Return each different rule with a letter: a rule that many parts have is said once."""
    different = dict.fromkeys(rule.plain for rule in rules)
    return {rule: f"{ascii_lowercase[place % 26]}" for place, rule in enumerate(different)}


def _part_value(part: Part, unit: str | None) -> Text:
    return Text(_value(part.value, unit), style="" if part.adds or unit is None else "dim")


def _weight(part: Part) -> str:
    return UNKNOWN if part.weight is None else f"{part.weight:g}"


def _gave(part: Part) -> str:
    known = number(part.inputs.get("gave"))
    return UNKNOWN if known is None else f"{known:g}"


def _rule(part: Part) -> Text:
    """Return a part's rule; what it was made of where that is not the same for all."""
    if "from" in part.inputs:
        return Text(f"{moment(part.inputs['from'])} to {moment(part.inputs['to'])}, {one_line(part.rule)}")
    told = {key: value for key, value in part.inputs.items() if key in {"text", "status", "cost", "duration"}}
    if part.weight is None and "text" in told:
        return Text(" · ".join(f"{key} {_alike(value)}" for key, value in told.items()))
    return Text(one_line(part.rule))


def _alike(value: Any) -> str:
    known = number(value)
    return "unknown" if known is None else f"{known:.2f}"


def _total(found: Explanation) -> list[RenderableType]:
    if found.total is None:
        return []
    line = f"{_value(found.total, found.unit)} in all"
    if not found.remainder:
        return [Text(f"{line}: the parts make the whole", "bold")]
    return [Text(f"{line}; {_value(found.remainder, found.unit)} is left over", "bold magenta")]


def _places(parts: Sequence[Part], width: int) -> list[RenderableType]:
    """Return the file and line of each part; what parts share is said once."""
    sources = [source for part in parts for source in part.sources]
    if not sources:
        return []
    return ["", section("Read from", width), *(_place(source, bare=True) for source in _once(sources))]


def _once(sources: Sequence[Source]) -> list[Source]:
    return list({(source.path, source.line): source for source in sources}.values())


def _arithmetic(found: Explanation, width: int) -> list[RenderableType]:
    """Return tokens times rates, summed over the parts by model, kind and rate, beside the stored sum."""
    every = [sum_ for part in found.parts if part.adds for sum_ in part.arithmetic]
    if not every or found.prices is None:
        return []
    rows = _terms(every)
    tables = found.prices
    note = f"genai-prices {one_line(tables.installed)}"
    blocks: list[RenderableType] = ["", section("Tokens times the price of the day", width, note)]
    if rows:
        columns = [
            _words("model", "model", [marks.short_model(model) for model, *_ in rows]),
            _words("kind", "kind", [kind for _, kind, *_ in rows]),
            _words("count", "count", [f"{count:,}" for *_, count, _ in rows], right=True),
            _words("rate", "USD a million", [f"{rate:g}" for _, _, rate, _, _ in rows], right=True),
            _words("cost", "cost", [dollars(float(cost)) for *_, cost in rows], right=True),
        ]
        blocks.append(grid(columns, width))
    own, stored = (_sum([getattr(each, key) for each in every]) for key in ("total", "stored"))
    blocks.append(Text(f"{_usd(own)} by this table; {_usd(stored)} is our own sum in the history", "bold"))
    if not tables.same:
        blocks.append(
            Text(
                f"! the history's was made with genai-prices {one_line(tables.stored or 'unknown')}",
                "magenta",
            )
        )
    whys = dict.fromkeys(one_line(each.why) for each in every if each.why)
    return [*blocks, *(Text(f"! {why}", "magenta") for why in whys)]


def _terms(every: Sequence[Arithmetic]) -> list[tuple[str | None, str, float, int, Decimal]]:
    sums: dict[tuple[str | None, str, float], tuple[int, Decimal]] = {}
    for each in every:
        for term in each.terms:
            if term.rate is not None and term.cost is not None:
                key = (each.model, term.kind, term.rate)
                count, cost = sums.get(key, (0, Decimal(0)))
                sums[key] = (count + term.count, cost + Decimal(repr(term.cost)))
    return [(*key, *value) for key, value in sums.items()]


def _sum(amounts: Sequence[float | None]) -> Decimal | None:
    known = [Decimal(repr(amount)) for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def _usd(amount: Decimal | None) -> str:
    return "an unknown amount" if amount is None else dollars(float(amount))


def _words(key: str, title: str, cells: Sequence[str], *, right: bool = False) -> Column:
    return Column(key, title, tuple(Text(one_line(cell)) for cell in cells), right=right)
