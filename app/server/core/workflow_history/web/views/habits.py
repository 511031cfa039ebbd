"""What to automate as a page shows it: ranked patterns in, rows with bars, links and commands out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from markupsafe import Markup

from ...amounts import UNKNOWN, money, share
from ...answers.pattern_shapes import Example, PatternPart, PatternStory, RankedPattern
from ...wording.numbers import counted, duration, moment
from ...wording.patterns import bounded, estimate, saved_of, short_id
from ...wording.text import cut, one_line
from ..charts.strips import bar
from ..charts.units import top_of
from ..rendering import address, run_address


@dataclass(frozen=True, slots=True)
class HabitRow:
    """One pattern in the list."""

    id: str
    short: str
    name: str
    href: str
    runs: str  # address of the runs that show it
    one: RankedPattern
    cost: str
    saved: str
    month: str
    worth: Markup  # a bar


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure of a pattern, and what it rests on."""

    name: str
    value: str
    more: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """One run that shows a pattern."""

    run: str
    href: str
    when: str
    times: str
    cost: str
    file: str | None


def rows(patterns: Sequence[RankedPattern], given: Mapping[str, Any], keep: str) -> list[HabitRow]:
    """Return the rows of a list, the worthiest first; `keep`: the assumption that links carry on."""
    most = top_of(one.worth for one in patterns)
    return [
        HabitRow(
            one.id,
            short_id(one.id),
            cut(one_line(one.signature), 160),
            pattern_address(one.id, given, keep),
            address("/", {**given, "pattern": one.id}),
            one,
            bounded(one.cost, at_least=one.cost_at_least),
            bounded(one.saved, at_least=one.saved_at_least),
            bounded(one.saved_per_month, at_least=one.saved_at_least),
            bar(one.worth, most, f"worth {money(one.worth)}"),
        )
        for one in patterns
    ]


def pattern_address(pattern_id: str, given: Mapping[str, Any], keep: str) -> str:
    """Return where a pattern's page is."""
    return address(f"/patterns/{pattern_id}", {**given, "keep": keep})


def facts(found: PatternStory) -> list[Fact]:
    """Return the figures of a pattern, each with what it means."""
    one = found.pattern
    ended = one.successes + one.failures
    each = estimate(one.cost_per_time, at_least=one.cost_at_least)
    month = estimate(one.saved_per_month, at_least=one.saved_at_least)
    return [
        Fact("Seen", counted(one.count, "time"), f"in {one.runs:,} of {counted(found.span.runs, 'run')}"),
        Fact("Cost", estimate(one.cost, at_least=one.cost_at_least), f"{each} each time{_work(one)}"),
        Fact("Ended well", share(one.success_rate), f"of {ended:,}; at least {share(one.success_at_least)}"),
        Fact("Steady", share(one.stability), _steady(one)),
        Fact("Would have saved", saved_of(one), _kept(one)),
        Fact("A month", month, "a script that costs less to make and keep pays"),
        Fact("Worth", money(one.worth), _formula(one)),
    ]  # fmt: skip


def places(examples: Sequence[Example], zone: tzinfo | None = None) -> list[Place]:
    """Return the runs that show a pattern, the newest first; times of a zone, None: this machine's."""
    return [
        Place(
            cut(one_line(each.run), 32),
            run_address({"id": each.run, "project": each.project}),
            moment(each.created_at, zone),
            UNKNOWN if each.count is None else f"{each.count:,}",
            estimate(each.cost),
            _file_and_line(each),
        )
        for each in examples
    ]


def _file_and_line(example: Example) -> str | None:
    """Return where an example stands, in its run's folder: the run is named beside it."""
    if example.path is None:
        return None
    path = one_line(example.path.removeprefix(f"{example.run}/"))
    return f"{path}:{example.line}" if example.line else path


def parts(
    found: Sequence[PatternPart], given: Mapping[str, Any], keep: str
) -> list[tuple[str, str, PatternPart]]:
    """Return other patterns: name, address and what is known of each."""
    return [(cut(one_line(one.signature), 160), pattern_address(one.id, given, keep), one) for one in found]


def _work(one: RankedPattern) -> str:
    sign = "≥" if one.seconds_at_least else "≈"
    return "" if one.seconds is None else f", {sign} {duration(one.seconds)} of work"


def _steady(one: RankedPattern) -> str | None:
    if one.stability is None:
        return None
    if one.kind == "operation":
        return f"{counted(one.runs, 'run')} by {counted(one.count, 'time')}; 100% is once in each run"
    return "of all times that its first step is done, so many go on to the end"


def _kept(one: RankedPattern) -> str:
    if one.kept_share is None:
        return "no script can do it: it is the agent's own work"
    call = one.kind == "sequence" and abs(one.kept_share * one.steps - 1) < 1e-9
    kept = f"one call of {one.steps}" if call else f"{share(one.kept_share)} of the cost"
    return f"assumed: {kept} stays, and what failed gets no cheaper"


def _formula(one: RankedPattern) -> str | None:
    if one.worth is None or one.cost is None or one.kept_share is None:
        return None
    factors = (money(one.cost), f"{share(1 - one.kept_share)} not kept",
               f"{share(one.success_at_least)} well", f"{share(one.stability)} steady")  # fmt: skip
    return " times ".join(factors)
