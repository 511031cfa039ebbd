"""Where a figure comes from: an explanation in, renderables out; sums can be checked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...amounts import UNKNOWN
from ...wording.agents import short_model
from ...wording.explaining import (
    GONE,
    dollars,
    from_words,
    gave_word,
    place_words,
    price_sums,
    rule_words,
    short_words,
    total_words,
    value_words,
    whole_words,
)
from ...wording.text import one_line
from .story.section import section
from .table import Column, GiveWay, fit, grid
from .text import joined, whole

if TYPE_CHECKING:
    from ...explaining.shapes import Explanation, Part, Source

MOST_WIDTH = 120  # cells
LEAST_RULE = 24  # cells
NARROWER = (GiveWay("weight"), GiveWay("basis"))


def explanation(found: Explanation, width: int) -> RenderableType:
    """Return the value, its rule, its places, its parts and the arithmetic."""
    within = min(width, MOST_WIDTH)
    blocks: list[RenderableType] = [_title(found), Text(one_line(found.rule), style="dim")]
    if found.why_unknown:
        blocks.append(Text(f"unknown: {one_line(found.why_unknown)}", style="magenta"))
    blocks += [_inputs(found.inputs), *(_place(source, within) for source in found.sources)]
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
    return Text(f"{whole_words(found)}: {one_line(found.why_unknown or found.rule)}")


def _title(found: Explanation) -> Text:
    name = f"{found.project}/{found.id}" if found.project else found.id
    return joined(
        [Text(one_line(name), "bold"), Text(one_line(found.field)), Text(whole_words(found), "bold cyan")]
    )


def _inputs(inputs: dict[str, Any]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in inputs.items():
        if value is not None:
            unit = "USD" if name.endswith("_cost") else None
            table.add_row(one_line(name).replace("_", " "), value_words(value, unit))
    return Padding(table, 0)


def _place(source: Source, width: int, *, bare: bool = False) -> RenderableType:
    """Return a path that can be opened and never breaks, and what it tells; `bare`: without that."""
    path = whole(place_words(source))
    words = "; ".join(([] if bare else [one_line(source.says)]) + ([GONE] if source.there is False else []))
    notes = Text(words, "dim")
    if path.cell_len + 2 + notes.cell_len <= width:
        return path.append("  ").append_text(notes) if words else path
    return Group(path, Padding(notes, (0, 0, 0, 2))) if words else path


def _overview(fields: Sequence[Explanation], width: int) -> RenderableType:
    shown = [field for field in fields if field.value is not None or field.field != "lower_bound_cost"]
    columns = [
        Column("field", "field", tuple(Text(field.field, "bold") for field in shown)),
        Column("value", "value", tuple(Text(short_words(field)) for field in shown), most=26),
        Column("rule", "where from", tuple(_from(field) for field in shown), flexible=True, wraps=True),
    ]
    return grid(columns, width)


def _from(found: Explanation) -> Text:
    return Text(from_words(found), style="magenta" if found.why_unknown else "")


def _parts(found: Explanation, width: int) -> RenderableType:
    parts = found.parts
    weighted = any(part.weight is not None for part in parts)
    columns = [
        Column("name", "part", tuple(Text(one_line(part.name), "bold") for part in parts), most=28),
        Column("value", "value", tuple(_part_value(part, found.unit) for part in parts), right=True),
        *([_words("weight", "weight", [_weight(part) for part in parts])] if weighted else []),
        *([_words("gave", "gave", [gave_word(part) for part in parts])] if weighted else []),
    ]
    if any(part.basis for part in parts):
        columns.append(_words("basis", "basis", [part.basis or UNKNOWN for part in parts]))
    rules = [Text(rule_words(part)) for part in parts]
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
    return Text(value_words(part.value, unit), style="" if part.adds or unit is None else "dim")


def _weight(part: Part) -> str:
    return UNKNOWN if part.weight is None else f"{part.weight:g}"


def _total(found: Explanation) -> list[RenderableType]:
    words = total_words(found)
    return [] if words is None else [Text(words, "bold magenta" if found.remainder else "bold")]


def _places(parts: Sequence[Part], width: int) -> list[RenderableType]:
    """Return the file and line of each part; what parts share is said once."""
    sources = [source for part in parts for source in part.sources]
    if not sources:
        return []
    return ["", section("Read from", width), *(_place(source, width, bare=True) for source in _once(sources))]


def _once(sources: Sequence[Source]) -> list[Source]:
    return list({(source.path, source.line): source for source in sources}.values())


def _arithmetic(found: Explanation, width: int) -> list[RenderableType]:
    """Return tokens times rates, beside the stored sum."""
    told = price_sums(found)
    if told is None:
        return []
    blocks: list[RenderableType] = ["", section("Tokens times the price of the day", width, told.table)]
    if told.rows:
        columns = [
            _words("model", "model", [short_model(row.model) for row in told.rows]),
            _words("kind", "kind", [row.kind for row in told.rows]),
            _words("count", "count", [f"{row.units:,}" for row in told.rows], right=True),
            _words("rate", "USD a million", [f"{row.rate:g}" for row in told.rows], right=True),
            _words("cost", "cost", [dollars(float(row.cost)) for row in told.rows], right=True),
        ]
        blocks.append(grid(columns, width))
    return [*blocks, Text(told.sums, "bold"), *(Text(f"! {doubt}", "magenta") for doubt in told.doubts)]


def _words(key: str, title: str, cells: Sequence[str], *, right: bool = False) -> Column:
    return Column(key, title, tuple(Text(one_line(cell)) for cell in cells), right=right)
