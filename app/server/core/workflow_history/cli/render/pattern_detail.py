"""Details of one pattern with example runs: a query result in, renderables out. Pure."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import format_duration, format_timestamp, pluralize
from ...common.formatting.text import single_line
from ...common.models import PatternKind, PatternStatus
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...common.urls import join_url
from ...presentation.patterns import format_estimate, format_savings, short_id
from ...queries.pattern_records import ExampleRun, PatternDetail, PatternRef, RankedPattern
from .patterns import STATUS_MARKS
from .table import (
    Column,
    DropColumn,
    build_table,
    fit_columns,
    label_grid,
    number_column,
    required_width,
    text_column,
)
from .text import clean_text, join_parts, section_rule, unbroken_text

MAX_PARTS: Final = 8
_DROP_ORDER: Final = (DropColumn("count"), DropColumn("when"), DropColumn("cost"))


def render_pattern_detail(detail: PatternDetail, width: int, zone: tzinfo | None = None) -> RenderableType:
    """Render the pattern's facts, its estimated savings, the patterns it covers and example runs."""
    pattern = detail.pattern
    title = Text.assemble((single_line(pattern.signature), "bold"), "   ", (pattern.id, "dim"))
    facts = (
        ("occurrences", _occurrences(detail)),
        ("est. cost", _cost(pattern)),
        ("success rate", _success(pattern)),
        ("stability", _stability(pattern)),
        ("est. savings", _script(pattern)),
        ("risk-adjusted", _risk_adjusted_savings(pattern)),
        ("break-even", _break_even(pattern)),
    )
    grid = label_grid((label, fact) for label, fact in facts if fact is not None)
    blocks: list[RenderableType] = [title, *_decision(pattern), "", grid]
    if pattern.covers:
        more = len(pattern.covers) - MAX_PARTS
        rule = section_rule("Also covers", width, f"{more:,} more: --json" if more > 0 else "")
        blocks += ["", rule, _part_table(pattern.covers[:MAX_PARTS], width)]
    if detail.examples:
        rule = section_rule("Occurs in", width, "newest runs")
        blocks += ["", rule, *_examples(detail.examples, width, zone)]
    return Group(*blocks)


def render_pattern_line(detail: PatternDetail) -> Text:
    """Format the pattern as one self-contained line."""
    pattern = detail.pattern
    cost = format_estimate(pattern.cost, at_least=pattern.cost_is_lower_bound)
    return Text(
        f"{single_line(pattern.signature)}: {pluralize(pattern.occurrences, 'occurrence')}, cost {cost}, "
        f"est. savings {format_savings(pattern)}"
    )


def _decision(pattern: RankedPattern) -> list[Text]:
    """Return lines with the decision on the pattern and with the pattern that covers it, if there are any."""
    lines = []
    if pattern.status != PatternStatus.DETECTED:
        sign, style = STATUS_MARKS[pattern.status]
        when = "" if pattern.decided_at is None else f" {format_timestamp(pattern.decided_at)}"
        note = "" if pattern.note is None else f": {single_line(pattern.note)}"
        lines.append(Text.assemble((f"{sign} {pattern.status}", style), f"{when}{note}"))
    if pattern.covered_by is not None:
        covering = f"{single_line(pattern.covered_by.signature)} ({short_id(pattern.covered_by.id)})"
        lines.append(Text(f"mostly covered by {covering}", "magenta"))
    return lines


def _occurrences(detail: PatternDetail) -> Text:
    pattern = detail.pattern
    kind = (
        f"{pattern.kind} of {pattern.steps} steps"
        if pattern.kind == PatternKind.SEQUENCE
        else single_line(pattern.kind)
    )
    runs = f"in {pattern.runs:,} of {pluralize(detail.span.runs, 'run')}"
    return join_parts([Text.assemble((f"{pattern.occurrences:,}", "bold"), f" {runs}"), kind])


def _cost(pattern: RankedPattern) -> Text:
    if pattern.cost is None:
        return Text(f"{UNKNOWN} unknown")
    each = f"{format_estimate(pattern.cost_per_time, at_least=pattern.cost_is_lower_bound)} each"
    sign = "≥" if pattern.seconds_is_lower_bound else "≈"
    time = None if pattern.seconds is None else f"{sign} {format_duration(pattern.seconds)} in total"
    return join_parts(
        [Text(format_estimate(pattern.cost, at_least=pattern.cost_is_lower_bound), "bold"), each, time]
    )


def _success(pattern: RankedPattern) -> Text:
    ended = pattern.successes + pattern.failures
    if pattern.success_rate is None:
        return Text(f"{UNKNOWN} outcome of every occurrence unknown")
    unknown = pattern.occurrences - ended
    return join_parts([
        f"{format_fraction(pattern.success_rate)} ({pattern.successes:,} of {ended:,})",
        f"95% lower bound {format_fraction(pattern.success_rate_lower_bound)}",
        f"outcome of {unknown:,} unknown" if unknown > 0 else None,
    ])  # fmt: skip


def _stability(pattern: RankedPattern) -> Text | None:
    if pattern.stability is None:
        return None
    if pattern.kind == PatternKind.OPERATION:
        ratio = f"{pluralize(pattern.runs, 'run')} / {pluralize(pattern.occurrences, 'occurrence')}"
        explanation = f"({ratio}); 100% is once in each run"
    else:
        explanation = "of its starts run to the end"
    return Text(f"{format_fraction(pattern.stability)} {explanation}")


def _script(pattern: RankedPattern) -> Text:
    if pattern.residual_cost is None:
        return Text(
            "none: a script cannot replace this tool"
            if pattern.kind == PatternKind.OPERATION
            else "none: not scriptable"
        )
    if pattern.estimated_savings is None:
        return Text(f"{UNKNOWN} unknown")
    keeps_one_call = (
        pattern.kind == PatternKind.SEQUENCE and abs(pattern.residual_cost * pattern.steps - 1) < 1e-9
    )
    share = f"{format_fraction(pattern.residual_cost)} of the cost"
    kept = f"one of {pattern.steps} calls" if keeps_one_call else share
    return join_parts([
        Text(format_savings(pattern), "bold"),
        f"assumes that {kept} remains and failures save nothing",
    ])  # fmt: skip


def _risk_adjusted_savings(pattern: RankedPattern) -> Text | None:
    if pattern.risk_adjusted_savings is None or pattern.cost is None or pattern.residual_cost is None:
        return None
    factors = (
        f"{format_usd(pattern.cost)} cost",
        f"{format_fraction(1 - pattern.residual_cost)} avoidable",
        f"{format_fraction(pattern.success_rate_lower_bound)} success",
        f"{format_fraction(pattern.stability)} stability",
    )
    return Text(f"{format_usd(pattern.risk_adjusted_savings)} = {' × '.join(factors)}")


def _break_even(pattern: RankedPattern) -> Text | None:
    if pattern.savings_per_month is None:
        return None
    at_least = "at least " if pattern.estimated_savings_is_lower_bound else ""
    amount = f"{at_least}≈ {format_usd(pattern.savings_per_month)}"
    return Text(f"a script that costs less than {amount} a month to build and maintain")


def _part_table(parts: tuple[PatternRef, ...], width: int) -> RenderableType:
    signatures = tuple(clean_text(part.signature) for part in parts)
    columns = [
        Column("id", "ID", tuple(Text(short_id(part.id), "bold") for part in parts)),
        Column("signature", "pattern", signatures, flexible=True, max_width=90),
        number_column("count", "occurrences", [f"{part.occurrences:,}" for part in parts]),
        number_column("cost", "cost", [format_estimate(part.cost) for part in parts]),
    ]
    return build_table(fit_columns(columns, width, _DROP_ORDER), width)


def _examples(examples: tuple[ExampleRun, ...], width: int, zone: tzinfo | None) -> list[RenderableType]:
    """Render the example runs with file and line; a common agents directory is printed once."""
    folders = {single_line(each.agents_dir) for each in examples if each.agents_dir}
    counts = [UNKNOWN if each.occurrences is None else f"{each.occurrences:,}" for each in examples]
    columns = [
        Column("run", "run", tuple(clean_text(each.run, "bold") for each in examples)),
        text_column("when", "created", [format_timestamp(each.created_at, zone) for each in examples]),
        number_column("count", "occurrences", counts),
        number_column("cost", "cost", [format_estimate(each.cost) for each in examples]),
    ]
    files = tuple(_file_and_line(each, with_folder=len(folders) > 1) for each in examples)
    file_column = Column("place", "file and line", files, flexible=True, max_width=200, wraps=True)
    folder = [unbroken_text(f"in {folders.pop()}", "dim")] if len(folders) == 1 else []
    if required_width([*columns, file_column], file_column.natural_width) <= width:
        return [build_table([*columns, file_column], width), *folder]
    table = build_table(fit_columns(columns, width, _DROP_ORDER), width)
    return [table, *files, *folder]  # a path is never broken, so that it can be copied


def _file_and_line(example: ExampleRun, *, with_folder: bool) -> Text:
    if example.path is None:
        return Text(UNKNOWN)
    path = single_line(example.path)
    if with_folder and example.agents_dir:
        path = join_url(single_line(example.agents_dir), path)
    return unbroken_text(f"{path}:{example.line}" if example.line else path)
