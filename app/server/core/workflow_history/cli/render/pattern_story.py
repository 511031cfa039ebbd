"""One pattern with places to look at: an answer in, renderables out. Pure."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...addresses import below
from ...amounts import UNKNOWN, money, share
from ...answers.pattern_shapes import Example, PatternPart, PatternStory, RankedPattern
from ...wording.numbers import counted, duration, moment
from ...wording.patterns import estimate, saved_of, short_id
from ...wording.text import one_line
from .patterns import MARKS
from .story.section import section
from .table import Column, GiveWay, fit, grid, needed
from .text import joined, said, whole

MOST_PARTS: Final = 8
_NARROWER: Final = (GiveWay("count"), GiveWay("when"), GiveWay("cost"))


def pattern_story(found: PatternStory, width: int, zone: tzinfo | None = None) -> RenderableType:
    """Return what it costs, what a script would save, what belongs to it, and where to look at it."""
    one = found.pattern
    blocks: list[RenderableType] = [_title(one), *_decided(one), "", _facts(found)]
    if one.parts:
        more = len(one.parts) - MOST_PARTS
        note = f"{more:,} more: --json" if more > 0 else ""
        blocks += ["", section("Tells of these, too", width, note), _parts(one.parts[:MOST_PARTS], width)]
    if found.examples:
        blocks += ["", section("Seen in", width, "the newest runs"), *_examples(found.examples, width, zone)]
    return Group(*blocks)


def story_line(found: PatternStory) -> Text:
    """Return the pattern in a line that stands alone."""
    one = found.pattern
    cost = estimate(one.cost, at_least=one.cost_at_least)
    return Text(
        f"{one_line(one.signature)}: {counted(one.count, 'time')}, cost {cost}, would save {saved_of(one)}"
    )


def _title(one: RankedPattern) -> Text:
    return Text.assemble((one_line(one.signature), "bold"), "   ", (one.id, "dim"))


def _decided(one: RankedPattern) -> list[Text]:
    lines = []
    if one.status != "detected":
        sign, style = MARKS[one.status]
        when = "" if one.decided_at is None else f" {moment(one.decided_at)}"
        note = "" if one.note is None else f": {one_line(one.note)}"
        lines.append(Text.assemble((f"{sign} {one.status}", style), f"{when}{note}"))
    if one.part_of is not None:
        whole = f"{one_line(one.part_of.signature)} ({short_id(one.part_of.id)})"
        lines.append(Text(f"most of it is told by {whole}", "magenta"))
    return lines


def _facts(found: PatternStory) -> RenderableType:
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


def _seen(found: PatternStory) -> Text:
    one = found.pattern
    kind = f"{one.kind} of {one.steps} steps" if one.kind == "sequence" else one_line(one.kind)
    runs = f"in {one.runs:,} of {counted(found.span.runs, 'run')}"
    return joined([Text.assemble((counted(one.count, "time"), "bold"), f" {runs}"), kind])


def _cost(one: RankedPattern) -> Text:
    if one.cost is None:
        return Text(f"{UNKNOWN} nothing shows what it cost")
    each = f"{estimate(one.cost_per_time, at_least=one.cost_at_least)} each time"
    sign = "≥" if one.seconds_at_least else "≈"
    time = None if one.seconds is None else f"{sign} {duration(one.seconds)} of work"
    return joined([Text(estimate(one.cost, at_least=one.cost_at_least), "bold"), each, time])


def _well(one: RankedPattern) -> Text:
    ended = one.successes + one.failures
    if one.success_rate is None:
        return Text(f"{UNKNOWN} of no time it is known how it ended")
    unknown = one.count - ended
    return joined([
        f"{share(one.success_rate)} of {ended:,} ended well",
        f"at least {share(one.success_at_least)}, as far as so many can tell",
        f"unknown of {unknown:,}" if unknown > 0 else None,
    ])  # fmt: skip


def _steady(one: RankedPattern) -> Text | None:
    if one.stability is None:
        return None
    if one.kind == "operation":
        often = f"{counted(one.runs, 'run')} by {counted(one.count, 'time')}"
        return Text(f"{share(one.stability)}: {often}; 100% would be once in each run")
    gone_on = "of all times that its first step is done, so many go on to the end"
    return Text(f"{share(one.stability)}: {gone_on}")


def _script(one: RankedPattern) -> Text:
    if one.kept_share is None:
        return Text(
            "none can do it: it is the agent's own work" if one.kind == "operation" else "none can do it"
        )
    if one.saved is None:
        return Text(f"{UNKNOWN} unknown what it would have saved")
    call = one.kind == "sequence" and abs(one.kept_share * one.steps - 1) < 1e-9
    kept = f"one call of {one.steps}" if call else f"{share(one.kept_share)} of the cost"
    return joined([
        Text.assemble("would have saved ", (saved_of(one), "bold")),
        f"assumed: {kept} stays, and what failed gets no cheaper",
    ])  # fmt: skip


def _worth(one: RankedPattern) -> Text | None:
    if one.worth is None or one.cost is None or one.kept_share is None:
        return None
    factors = (
        f"{money(one.cost)} cost",
        f"{share(1 - one.kept_share)} not kept",
        f"{share(one.success_at_least)} well",
        f"{share(one.stability)} steady",
    )
    return Text(f"{money(one.worth)} = {', times '.join(factors)}")


def _pays(one: RankedPattern) -> Text | None:
    if one.saved_per_month is None:
        return None
    bound = "at least " if one.saved_at_least else ""
    return Text(
        f"where a script costs less than {bound}≈ {money(one.saved_per_month)} a month to make and to keep"
    )


def _parts(parts: tuple[PatternPart, ...], width: int) -> RenderableType:
    columns = [
        Column("id", "id", tuple(Text(short_id(part.id), "bold") for part in parts)),
        Column("signature", "pattern", tuple(said(part.signature) for part in parts), flexible=True, most=90),
        Column("count", "times", tuple(Text(f"{part.count:,}") for part in parts), right=True),
        Column("cost", "cost", tuple(Text(estimate(part.cost)) for part in parts), right=True),
    ]
    return grid(fit(columns, width, _NARROWER), width)


def _examples(examples: tuple[Example, ...], width: int, zone: tzinfo | None) -> list[RenderableType]:
    """Return the places; the folder that all of them lie in is said once."""
    folders = {one_line(each.agents_dir) for each in examples if each.agents_dir}
    columns = [
        Column("run", "run", tuple(said(each.run, "bold") for each in examples)),
        Column("when", "when", tuple(Text(moment(each.created_at, zone)) for each in examples)),
        Column("count", "times", tuple(Text(_times(each)) for each in examples), right=True),
        Column("cost", "cost", tuple(Text(estimate(each.cost)) for each in examples), right=True),
        Column(
            "place",
            "file and line",
            tuple(_place(each, in_full=len(folders) > 1) for each in examples),
            flexible=True,
            most=200,
            wraps=True,
        ),
    ]
    folder = [whole(f"in {folders.pop()}", "dim")] if len(folders) == 1 else []
    if needed(columns, columns[-1].natural) <= width:
        return [grid(columns, width), *folder]
    table = grid(fit(columns[:-1], width, _NARROWER), width)
    return [table, *columns[-1].cells, *folder]  # a place is never broken: it can be copied


def _times(each: Example) -> str:
    return UNKNOWN if each.count is None else f"{each.count:,}"


def _place(each: Example, *, in_full: bool) -> Text:
    if each.path is None:
        return Text(UNKNOWN)
    inside = one_line(each.path)
    path = below(one_line(each.agents_dir), inside) if in_full and each.agents_dir else inside
    return whole(f"{path}:{each.line}" if each.line else path)
