"""Provenance of a value: an explanation in, renderables out; sums can be checked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from ...common.formatting.agents import short_model
from ...common.formatting.text import single_line
from ...common.spending import UNKNOWN
from ...presentation.explanation import (
    DELETED_FILE_NOTE,
    basis_label,
    component_label,
    describe_origin,
    describe_rule,
    field_label,
    format_contribution,
    format_explained_value,
    format_short,
    format_source,
    format_total,
    format_usd_exact,
    format_value,
    sum_price_terms,
)
from ...presentation.run_list import join_run_id
from .table import MAX_WIDTH, Column, DropColumn, build_table, fit_columns, label_grid, text_column
from .text import docs_hint, join_parts, section_rule, unbroken_text

if TYPE_CHECKING:
    from ...analysis.explanation.records import Explanation, Source

MIN_RULE_WIDTH, MIN_SOURCE_WIDTH = 24, 40  # cells
DROP_ORDER = (DropColumn("weight"), DropColumn("basis"))


def render_explanation(explanation: Explanation, width: int) -> RenderableType:
    """Render the value, its rule, its source files, its components and the arithmetic."""
    width = min(width, MAX_WIDTH)
    title = join_parts(
        [
            Text(join_run_id(explanation.project, explanation.id), "bold"),
            _title(explanation.field),
            Text(format_explained_value(explanation), "bold cyan"),
        ]
    )
    blocks: list[RenderableType] = [title, Text(single_line(explanation.rule), style="dim")]
    if explanation.why_unknown:
        blocks.append(Text(f"unknown: {single_line(explanation.why_unknown)}", style="magenta"))
    blocks.append(_input_grid(explanation.inputs))
    blocks += [_source(source, width) for source in explanation.sources]
    if explanation.of:
        blocks += ["", _overview_table(explanation.of, width)]
    if explanation.parts:
        blocks += ["", section_rule("Components", width), _part_table(explanation, width)]
        if total := format_total(explanation):
            blocks.append(Text(total, "bold magenta" if explanation.remainder else "bold"))
        # A shared source is printed once.
        if sources := {(each.path, each.line): each for part in explanation.parts for each in part.sources}:
            blocks += ["", section_rule("Sources", width)]
            blocks += [_source(source, width, bare=True) for source in sources.values()]
    blocks += _arithmetic(explanation, width)
    blocks += [Text(f"! {single_line(note)}", "magenta") for note in explanation.notes]
    blocks += ["", docs_hint(explanation.docs)]
    return Group(*blocks)


def render_explanation_line(explanation: Explanation) -> Text:
    """Return the value and its rule, or the reason why it is unknown, in one line."""
    return Text(
        f"{format_explained_value(explanation)}: {single_line(explanation.why_unknown or explanation.rule)}"
    )


def _title(key: str) -> Text:
    """Return the name of a field, with its key if that is another one."""
    label = field_label(key)
    is_key = label.replace(" ", "_") == key.replace(" ", "_")
    return Text(label if is_key else f"{label} ({single_line(key)})")


def _input_grid(inputs: dict[str, Any]) -> RenderableType:
    return label_grid(
        (field_label(name), _format_input(name, value)) for name, value in inputs.items() if value is not None
    )


def _format_input(name: str, value: Any) -> str:
    if name.endswith("_basis"):
        return basis_label(value)
    unit = {"cost": "USD", "seconds": "seconds"}.get(name.rpartition("_")[2])
    return format_value(value, unit)


def _source(source: Source, width: int, *, bare: bool = False) -> RenderableType:
    """Format a source as an unbroken path that can be opened, with its description unless `bare`."""
    path = unbroken_text(format_source(source))
    notes = [] if bare else [single_line(source.says)]
    if source.there is False:
        notes.append(DELETED_FILE_NOTE)
    note = Text("; ".join(notes), "dim")
    if not note:
        return path
    if path.cell_len + 2 + note.cell_len <= width:
        return path.append("  ").append_text(note)
    return Group(path, Padding(note, (0, 0, 0, 2)))


def _overview_table(fields: Sequence[Explanation], width: int) -> RenderableType:
    shown = [field for field in fields if field.value is not None or field.field != "lower_bound_cost"]
    origins = tuple(
        Text(describe_origin(field), style="magenta" if field.why_unknown else "") for field in shown
    )
    columns = [
        Column("field", "field", tuple(Text(field_label(field.field), "bold") for field in shown)),
        Column("key", "key", tuple(Text(field.field, "dim") for field in shown)),
        Column("value", "value", tuple(Text(format_short(field)) for field in shown), max_width=26),
        Column("rule", "source", origins, flexible=True, wraps=True),
    ]
    return build_table(fit_columns(columns, width, (DropColumn("key"),), MIN_SOURCE_WIDTH), width)


def _part_table(explanation: Explanation, width: int) -> RenderableType:
    """Build the table of components; a rule that several of them share is printed below, with a letter."""
    parts, unit = explanation.parts, explanation.unit
    values = tuple(
        Text(format_value(part.value, unit), style="" if part.adds or unit is None else "dim")
        for part in parts
    )
    columns = [
        Column(
            "name", "component", tuple(Text(component_label(part), "bold") for part in parts), max_width=28
        ),
        Column("value", "value", values, right=True),
    ]
    if any(part.weight is not None for part in parts):
        weights = [UNKNOWN if part.weight is None else f"{part.weight:g}" for part in parts]
        columns.append(text_column("weight", "weight", weights))
        columns.append(text_column("gave", "contribution", map(format_contribution, parts)))
    if any(part.basis for part in parts):
        columns.append(text_column("basis", "basis", [basis_label(part.basis) for part in parts]))
    rules = [Text(describe_rule(part)) for part in parts]
    distinct = dict.fromkeys(rule.plain for rule in rules)
    letters = {rule: ascii_lowercase[index % 26] for index, rule in enumerate(distinct)}
    if len(letters) == len(parts):
        columns.append(Column("rule", "rule", tuple(rules), flexible=True, wraps=True))
        return build_table(fit_columns(columns, width, DROP_ORDER, MIN_RULE_WIDTH), width)
    if len(letters) > 1:
        columns.append(text_column("rule", "rule", [letters[rule.plain] for rule in rules]))
    legend = [
        Text(f"{letter}: {rule}" if len(letters) > 1 else f"each: {rule}", "dim")
        for rule, letter in letters.items()
    ]
    return Group(build_table(fit_columns(columns, width, DROP_ORDER, MIN_RULE_WIDTH), width), *legend)


def _arithmetic(explanation: Explanation, width: int) -> list[RenderableType]:
    """Format tokens times rates, next to the stored sum."""
    sums = sum_price_terms(explanation)
    if sums is None:
        return []
    blocks: list[RenderableType] = [
        "",
        section_rule("Computed cost (tokens × price on the run's date)", width, sums.table),
    ]
    if sums.rows:
        columns = [
            text_column("model", "model", [short_model(row.model) for row in sums.rows]),
            text_column("kind", "kind", [row.kind for row in sums.rows]),
            text_column("count", "count", [f"{row.units:,}" for row in sums.rows], right=True),
            text_column("rate", "USD per 1M", [f"{row.rate:g}" for row in sums.rows], right=True),
            text_column("cost", "cost", [format_usd_exact(float(row.cost)) for row in sums.rows], right=True),
        ]
        blocks.append(build_table(columns, width))
    blocks += [unbroken_text(f"own price: {place}") for place in sums.own]
    return [*blocks, Text(sums.sums, "bold"), *(Text(f"! {doubt}", "magenta") for doubt in sums.doubts)]
