"""Provenance of a value: an explanation in, renderables out; sums can be checked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...common.formatting.agents import short_model
from ...common.formatting.text import single_line
from ...common.spending import UNKNOWN
from ...presentation.explanation import (
    DELETED_FILE_NOTE,
    describe_origin,
    describe_rule,
    format_contribution,
    format_short,
    format_source,
    format_usd_exact,
    format_value,
    sum_price_terms,
    total_words,
    whole_words,
)
from .table import Column, DropColumn, build_table, fit_columns
from .text import join_parts, section_rule, whole

if TYPE_CHECKING:
    from ...analysis.explanation.records import Component, Explanation, Source

MOST_WIDTH = 120  # cells
LEAST_RULE = 24  # cells
NARROWER = (DropColumn("weight"), DropColumn("basis"))


def render_explanation(found: Explanation, width: int) -> RenderableType:
    """Render the value, its rule, its source files, its components and the arithmetic."""
    within = min(width, MOST_WIDTH)
    blocks: list[RenderableType] = [_title(found), Text(single_line(found.rule), style="dim")]
    if found.why_unknown:
        blocks.append(Text(f"unknown: {single_line(found.why_unknown)}", style="magenta"))
    blocks += [_inputs(found.inputs), *(_place(source, within) for source in found.sources)]
    if found.of:
        blocks += ["", _overview(found.of, within)]
    if found.parts:
        blocks += ["", section_rule("Parts", within), _parts(found, within), *_total(found)]
        blocks += _places(found.parts, within)
    blocks += [
        *_arithmetic(found, within),
        *(Text(f"! {single_line(note)}", "magenta") for note in found.notes),
    ]
    blocks += ["", Text(f"more: {found.docs}", style="dim")]
    return Group(*blocks)


def render_explanation_line(found: Explanation) -> Text:
    """Return the value and its rule, or the reason why it is unknown, in one line."""
    return Text(f"{whole_words(found)}: {single_line(found.why_unknown or found.rule)}")


def _title(found: Explanation) -> Text:
    name = f"{found.project}/{found.id}" if found.project else found.id
    return join_parts(
        [
            Text(single_line(name), "bold"),
            Text(single_line(found.field)),
            Text(whole_words(found), "bold cyan"),
        ]
    )


def _inputs(inputs: dict[str, Any]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in inputs.items():
        if value is not None:
            unit = "USD" if name.endswith("_cost") else None
            table.add_row(single_line(name).replace("_", " "), format_value(value, unit))
    return Padding(table, 0)


def _place(source: Source, width: int, *, bare: bool = False) -> RenderableType:
    """Format a source as an unbroken path that can be opened, with its description unless `bare`."""
    path = whole(format_source(source))
    words = "; ".join(
        ([] if bare else [single_line(source.says)]) + ([DELETED_FILE_NOTE] if source.there is False else [])
    )
    notes = Text(words, "dim")
    if path.cell_len + 2 + notes.cell_len <= width:
        return path.append("  ").append_text(notes) if words else path
    return Group(path, Padding(notes, (0, 0, 0, 2))) if words else path


def _overview(fields: Sequence[Explanation], width: int) -> RenderableType:
    shown = [field for field in fields if field.value is not None or field.field != "lower_bound_cost"]
    columns = [
        Column("field", "field", tuple(Text(field.field, "bold") for field in shown)),
        Column("value", "value", tuple(Text(format_short(field)) for field in shown), max_width=26),
        Column("rule", "where from", tuple(_from(field) for field in shown), flexible=True, wraps=True),
    ]
    return build_table(columns, width)


def _from(found: Explanation) -> Text:
    return Text(describe_origin(found), style="magenta" if found.why_unknown else "")


def _parts(found: Explanation, width: int) -> RenderableType:
    parts = found.parts
    weighted = any(part.weight is not None for part in parts)
    columns = [
        Column("name", "part", tuple(Text(single_line(part.name), "bold") for part in parts), max_width=28),
        Column("value", "value", tuple(_part_value(part, found.unit) for part in parts), right=True),
        *([_words("weight", "weight", [_weight(part) for part in parts])] if weighted else []),
        *([_words("gave", "gave", [format_contribution(part) for part in parts])] if weighted else []),
    ]
    if any(part.basis for part in parts):
        columns.append(_words("basis", "basis", [part.basis or UNKNOWN for part in parts]))
    rules = [Text(describe_rule(part)) for part in parts]
    letters = _letters(rules)
    if len(letters) == len(parts):
        columns.append(Column("rule", "rule", tuple(rules), flexible=True, wraps=True))
        return build_table(fit_columns(columns, width, NARROWER, LEAST_RULE), width)
    if len(letters) > 1:
        columns.append(_words("rule", "rule", [letters[rule.plain] for rule in rules]))
    legend = [
        Text(f"{letter}: {rule}" if len(letters) > 1 else f"each: {rule}", "dim")
        for rule, letter in letters.items()
    ]
    return Group(build_table(fit_columns(columns, width, NARROWER, LEAST_RULE), width), *legend)


def _letters(rules: Sequence[Text]) -> dict[str, str]:
    """Map each distinct rule to a letter, so that a rule shared by many parts is printed once."""
    different = dict.fromkeys(rule.plain for rule in rules)
    return {rule: f"{ascii_lowercase[place % 26]}" for place, rule in enumerate(different)}


def _part_value(part: Component, unit: str | None) -> Text:
    return Text(format_value(part.value, unit), style="" if part.adds or unit is None else "dim")


def _weight(part: Component) -> str:
    return UNKNOWN if part.weight is None else f"{part.weight:g}"


def _total(found: Explanation) -> list[RenderableType]:
    words = total_words(found)
    return [] if words is None else [Text(words, "bold magenta" if found.remainder else "bold")]


def _places(parts: Sequence[Component], width: int) -> list[RenderableType]:
    """Return the file and line of each part; a shared source is printed once."""
    sources = [source for part in parts for source in part.sources]
    if not sources:
        return []
    return [
        "",
        section_rule("Read from", width),
        *(_place(source, width, bare=True) for source in _once(sources)),
    ]


def _once(sources: Sequence[Source]) -> list[Source]:
    return list({(source.path, source.line): source for source in sources}.values())


def _arithmetic(found: Explanation, width: int) -> list[RenderableType]:
    """Format tokens times rates, next to the stored sum."""
    told = sum_price_terms(found)
    if told is None:
        return []
    blocks: list[RenderableType] = ["", section_rule("Tokens times the price of the day", width, told.table)]
    if told.rows:
        columns = [
            _words("model", "model", [short_model(row.model) for row in told.rows]),
            _words("kind", "kind", [row.kind for row in told.rows]),
            _words("count", "count", [f"{row.units:,}" for row in told.rows], right=True),
            _words("rate", "USD a million", [f"{row.rate:g}" for row in told.rows], right=True),
            _words("cost", "cost", [format_usd_exact(float(row.cost)) for row in told.rows], right=True),
        ]
        blocks.append(build_table(columns, width))
    return [*blocks, Text(told.sums, "bold"), *(Text(f"! {doubt}", "magenta") for doubt in told.doubts)]


def _words(key: str, title: str, cells: Sequence[str], *, right: bool = False) -> Column:
    return Column(key, title, tuple(Text(single_line(cell)) for cell in cells), right=right)
