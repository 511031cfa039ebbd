"""Prepare patterns for a page: rows with bars and links, and facts with explanations. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from markupsafe import Markup

from ...common.formatting.numbers import format_duration, format_timestamp, pluralize
from ...common.formatting.text import single_line, truncate
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...presentation.patterns import format_estimate, format_minimum, format_savings, short_id
from ...queries.pattern_records import ExampleRun, PatternDetail, PatternRef, RankedPattern
from ..charts.axis_units import max_known
from ..charts.inline_charts import bar
from ..rendering import run_address, url_for


@dataclass(frozen=True, slots=True)
class PatternRow:
    """One pattern in the list."""

    id: str
    short: str
    name: str
    href: str
    runs: str  # URL of the runs with the pattern
    one: RankedPattern
    cost: str
    saved: str
    month: str
    worth: Markup  # bar of the risk-adjusted savings


@dataclass(frozen=True, slots=True)
class PatternFact:
    """One metric of a pattern, and its explanation."""

    name: str
    value: str
    more: str | None


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One example run of a pattern."""

    run: str
    href: str
    when: str
    times: str
    cost: str
    file: str | None


def rows(patterns: Sequence[RankedPattern], given: Mapping[str, Any], keep: str) -> list[PatternRow]:
    """Build the rows of ranked patterns; `keep` is the residual cost that links repeat, as typed."""
    most = max_known(one.worth for one in patterns)
    return [
        PatternRow(
            one.id,
            short_id(one.id),
            truncate(single_line(one.signature), 160),
            pattern_address(one.id, given, keep),
            url_for("/", {**given, "pattern": one.id}),
            one,
            format_minimum(one.cost, at_least=one.cost_at_least),
            format_minimum(one.saved, at_least=one.saved_at_least),
            format_minimum(one.saved_per_month, at_least=one.saved_at_least),
            bar(one.worth, most, f"worth {format_usd(one.worth)}"),
        )
        for one in patterns
    ]


def pattern_address(pattern_id: str, given: Mapping[str, Any], keep: str) -> str:
    """Return the URL of a pattern's page."""
    return url_for(f"/patterns/{pattern_id}", {**given, "keep": keep})


def facts(found: PatternDetail) -> list[PatternFact]:
    """Build the metrics of a pattern, each with an explanation."""
    one = found.pattern
    ended = one.successes + one.failures
    each = format_estimate(one.cost_per_time, at_least=one.cost_at_least)
    month = format_estimate(one.saved_per_month, at_least=one.saved_at_least)
    return [
        PatternFact(
            "Seen", pluralize(one.count, "time"), f"in {one.runs:,} of {pluralize(found.span.runs, 'run')}"
        ),
        PatternFact(
            "Cost",
            format_estimate(one.cost, at_least=one.cost_at_least),
            f"{each} each time{_work(one)}",
        ),
        PatternFact(
            "Ended well",
            format_fraction(one.success_rate),
            f"of {ended:,}; at least {format_fraction(one.success_at_least)}",
        ),
        PatternFact("Steady", format_fraction(one.stability), _steady(one)),
        PatternFact("Would have saved", format_savings(one), _kept(one)),
        PatternFact("A month", month, "a script that costs less to make and keep pays"),
        PatternFact("Worth", format_usd(one.worth), _formula(one)),
    ]  # fmt: skip


def example_rows(examples: Sequence[ExampleRun], zone: tzinfo | None = None) -> list[ExampleRow]:
    """Build the rows of example runs, newest first, with times in `zone`; None is the local zone."""
    return [
        ExampleRow(
            truncate(single_line(each.run), 32),
            run_address({"id": each.run, "project": each.project}),
            format_timestamp(each.created_at, zone),
            UNKNOWN if each.count is None else f"{each.count:,}",
            format_estimate(each.cost),
            _file_and_line(each),
        )
        for each in examples
    ]


def _file_and_line(example: ExampleRun) -> str | None:
    """Return an example's file and line, relative to its run's directory; the row already names the run."""
    if example.path is None:
        return None
    path = single_line(example.path.removeprefix(f"{example.run}/"))
    return f"{path}:{example.line}" if example.line else path


def related_patterns(
    found: Sequence[PatternRef], given: Mapping[str, Any], keep: str
) -> list[tuple[str, str, PatternRef]]:
    """Return related patterns as name, URL and reference."""
    return [
        (truncate(single_line(one.signature), 160), pattern_address(one.id, given, keep), one)
        for one in found
    ]


def _work(one: RankedPattern) -> str:
    sign = "≥" if one.seconds_at_least else "≈"
    return "" if one.seconds is None else f", {sign} {format_duration(one.seconds)} of work"


def _steady(one: RankedPattern) -> str | None:
    if one.stability is None:
        return None
    if one.kind == "operation":
        return f"{pluralize(one.runs, 'run')} by {pluralize(one.count, 'time')}; 100% is once in each run"
    return "of all times that its first step is done, so many go on to the end"


def _kept(one: RankedPattern) -> str:
    if one.kept_share is None:
        return "no script can do it: it is the agent's own work"
    call = one.kind == "sequence" and abs(one.kept_share * one.steps - 1) < 1e-9
    kept = f"one call of {one.steps}" if call else f"{format_fraction(one.kept_share)} of the cost"
    return f"assumed: {kept} stays, and what failed gets no cheaper"


def _formula(one: RankedPattern) -> str | None:
    if one.worth is None or one.cost is None or one.kept_share is None:
        return None
    factors = (
        format_usd(one.cost),
        f"{format_fraction(1 - one.kept_share)} not kept",
        f"{format_fraction(one.success_at_least)} well",
        f"{format_fraction(one.stability)} steady",
    )
    return " times ".join(factors)
