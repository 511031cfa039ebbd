"""Details of one pattern with example runs: a query result in, renderables out. Pure."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...common.formatting.numbers import format_duration, format_timestamp, pluralize
from ...common.formatting.text import single_line
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...common.urls import join_url
from ...presentation.patterns import format_estimate, format_saving, short_id
from ...queries.pattern_records import ExampleRun, PatternDetail, PatternRef, RankedPattern
from .patterns import STATUS_MARKS
from .table import Column, DropColumn, build_table, fit_columns, required_width
from .text import clean_text, join_parts, section_rule, whole

MOST_PARTS: Final = 8
_NARROWER: Final = (DropColumn("count"), DropColumn("when"), DropColumn("cost"))


def render_pattern_detail(found: PatternDetail, width: int, zone: tzinfo | None = None) -> RenderableType:
    """Render the pattern's facts, its estimated savings, the patterns it covers and example runs."""
    one = found.pattern
    blocks: list[RenderableType] = [_title(one), *_decided(one), "", _facts(found)]
    if one.parts:
        more = len(one.parts) - MOST_PARTS
        note = f"{more:,} more: --json" if more > 0 else ""
        blocks += [
            "",
            section_rule("Tells of these, too", width, note),
            _parts(one.parts[:MOST_PARTS], width),
        ]
    if found.examples:
        blocks += [
            "",
            section_rule("Seen in", width, "the newest runs"),
            *_examples(found.examples, width, zone),
        ]
    return Group(*blocks)


def render_pattern_line(found: PatternDetail) -> Text:
    """Format the pattern as one self-contained line."""
    one = found.pattern
    cost = format_estimate(one.cost, at_least=one.cost_at_least)
    return Text(
        f"{single_line(one.signature)}: {pluralize(one.count, 'time')}, cost {cost}, would save "
        f"{format_saving(one)}"
    )


def _title(one: RankedPattern) -> Text:
    return Text.assemble((single_line(one.signature), "bold"), "   ", (one.id, "dim"))


def _decided(one: RankedPattern) -> list[Text]:
    lines = []
    if one.status != "detected":
        sign, style = STATUS_MARKS[one.status]
        when = "" if one.decided_at is None else f" {format_timestamp(one.decided_at)}"
        note = "" if one.note is None else f": {single_line(one.note)}"
        lines.append(Text.assemble((f"{sign} {one.status}", style), f"{when}{note}"))
    if one.part_of is not None:
        whole = f"{single_line(one.part_of.signature)} ({short_id(one.part_of.id)})"
        lines.append(Text(f"most of it is told by {whole}", "magenta"))
    return lines


def _facts(found: PatternDetail) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    one = found.pattern
    rows = (
        ("seen", _seen(found)),
        ("cost", _cost(one)),
        ("well", _well(one)),
        ("steady", _steady(one)),
        ("script", _script(one)),
        ("worth", _worth(one)),
        ("pays", _pays(one)),
    )
    for label, value in rows:
        if value is not None:
            table.add_row(label, value)
    return table


def _seen(found: PatternDetail) -> Text:
    one = found.pattern
    kind = f"{one.kind} of {one.steps} steps" if one.kind == "sequence" else single_line(one.kind)
    runs = f"in {one.runs:,} of {pluralize(found.span.runs, 'run')}"
    return join_parts([Text.assemble((pluralize(one.count, "time"), "bold"), f" {runs}"), kind])


def _cost(one: RankedPattern) -> Text:
    if one.cost is None:
        return Text(f"{UNKNOWN} nothing shows what it cost")
    each = f"{format_estimate(one.cost_per_time, at_least=one.cost_at_least)} each time"
    sign = "≥" if one.seconds_at_least else "≈"
    time = None if one.seconds is None else f"{sign} {format_duration(one.seconds)} of work"
    return join_parts([Text(format_estimate(one.cost, at_least=one.cost_at_least), "bold"), each, time])


def _well(one: RankedPattern) -> Text:
    ended = one.successes + one.failures
    if one.success_rate is None:
        return Text(f"{UNKNOWN} of no time it is known how it ended")
    unknown = one.count - ended
    return join_parts([
        f"{format_fraction(one.success_rate)} of {ended:,} ended well",
        f"at least {format_fraction(one.success_at_least)}, as far as so many can tell",
        f"unknown of {unknown:,}" if unknown > 0 else None,
    ])  # fmt: skip


def _steady(one: RankedPattern) -> Text | None:
    if one.stability is None:
        return None
    if one.kind == "operation":
        often = f"{pluralize(one.runs, 'run')} by {pluralize(one.count, 'time')}"
        return Text(f"{format_fraction(one.stability)}: {often}; 100% would be once in each run")
    gone_on = "of all times that its first step is done, so many go on to the end"
    return Text(f"{format_fraction(one.stability)}: {gone_on}")


def _script(one: RankedPattern) -> Text:
    if one.kept_share is None:
        return Text(
            "none can do it: it is the agent's own work" if one.kind == "operation" else "none can do it"
        )
    if one.saved is None:
        return Text(f"{UNKNOWN} unknown what it would have saved")
    call = one.kind == "sequence" and abs(one.kept_share * one.steps - 1) < 1e-9
    kept = f"one call of {one.steps}" if call else f"{format_fraction(one.kept_share)} of the cost"
    return join_parts([
        Text.assemble("would have saved ", (format_saving(one), "bold")),
        f"assumed: {kept} stays, and what failed gets no cheaper",
    ])  # fmt: skip


def _worth(one: RankedPattern) -> Text | None:
    if one.worth is None or one.cost is None or one.kept_share is None:
        return None
    factors = (
        f"{format_usd(one.cost)} cost",
        f"{format_fraction(1 - one.kept_share)} not kept",
        f"{format_fraction(one.success_at_least)} well",
        f"{format_fraction(one.stability)} steady",
    )
    return Text(f"{format_usd(one.worth)} = {', times '.join(factors)}")


def _pays(one: RankedPattern) -> Text | None:
    if one.saved_per_month is None:
        return None
    bound = "at least " if one.saved_at_least else ""
    return Text(
        f"where a script costs less than {bound}≈ {format_usd(one.saved_per_month)} a month to make "
        f"and to keep"
    )


def _parts(parts: tuple[PatternRef, ...], width: int) -> RenderableType:
    columns = [
        Column("id", "id", tuple(Text(short_id(part.id), "bold") for part in parts)),
        Column(
            "signature",
            "pattern",
            tuple(clean_text(part.signature) for part in parts),
            flexible=True,
            max_width=90,
        ),
        Column("count", "times", tuple(Text(f"{part.count:,}") for part in parts), right=True),
        Column("cost", "cost", tuple(Text(format_estimate(part.cost)) for part in parts), right=True),
    ]
    return build_table(fit_columns(columns, width, _NARROWER), width)


def _examples(examples: tuple[ExampleRun, ...], width: int, zone: tzinfo | None) -> list[RenderableType]:
    """Render the example runs with file and line; a common agents directory is printed once."""
    folders = {single_line(each.agents_dir) for each in examples if each.agents_dir}
    columns = [
        Column("run", "run", tuple(clean_text(each.run, "bold") for each in examples)),
        Column("when", "when", tuple(Text(format_timestamp(each.created_at, zone)) for each in examples)),
        Column("count", "times", tuple(Text(_times(each)) for each in examples), right=True),
        Column("cost", "cost", tuple(Text(format_estimate(each.cost)) for each in examples), right=True),
        Column(
            "place",
            "file and line",
            tuple(_place(each, in_full=len(folders) > 1) for each in examples),
            flexible=True,
            max_width=200,
            wraps=True,
        ),
    ]
    folder = [whole(f"in {folders.pop()}", "dim")] if len(folders) == 1 else []
    if required_width(columns, columns[-1].natural_width) <= width:
        return [build_table(columns, width), *folder]
    table = build_table(fit_columns(columns[:-1], width, _NARROWER), width)
    return [table, *columns[-1].cells, *folder]  # a path is never broken, so that it can be copied


def _times(each: ExampleRun) -> str:
    return UNKNOWN if each.count is None else f"{each.count:,}"


def _place(each: ExampleRun, *, in_full: bool) -> Text:
    if each.path is None:
        return Text(UNKNOWN)
    inside = single_line(each.path)
    path = join_url(single_line(each.agents_dir), inside) if in_full and each.agents_dir else inside
    return whole(f"{path}:{each.line}" if each.line else path)
