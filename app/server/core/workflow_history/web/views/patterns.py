"""Prepare patterns for a page: rows with bars and links, and facts with explanations. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from markupsafe import Markup

from ...common.formatting.numbers import format_duration, format_timestamp, pluralize
from ...common.formatting.text import single_line, truncate
from ...common.models import PatternKind
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...presentation.patterns import format_estimate, format_minimum, format_savings, short_id
from ...queries.pattern_records import ExampleRun, PatternDetail, PatternRef, RankedPattern
from ..charts.axis_units import max_known
from ..charts.inline_charts import bar
from ..rendering import run_url, url_for


@dataclass(frozen=True, slots=True)
class PatternRow:
    """One pattern in the list."""

    id: str
    short: str
    name: str
    href: str
    runs_url: str  # URL of the runs with the pattern
    pattern: RankedPattern
    cost: str
    savings: str
    monthly_savings: str
    savings_bar: Markup  # bar of the risk-adjusted savings


@dataclass(frozen=True, slots=True)
class PatternFact:
    """One metric of a pattern, and its explanation."""

    name: str
    value: str
    explanation: str | None


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One example run of a pattern."""

    run: str
    href: str
    when: str
    occurrences: str
    cost: str
    file: str | None


def pattern_rows(
    patterns: Sequence[RankedPattern], filter_params: Mapping[str, Any], residual_cost: str
) -> list[PatternRow]:
    """Build the rows of ranked patterns; `residual_cost` is the one that links repeat, as typed."""
    largest = max_known(pattern.risk_adjusted_savings for pattern in patterns)
    return [
        PatternRow(
            pattern.id,
            short_id(pattern.id),
            truncate(single_line(pattern.signature), 160),
            pattern_url(pattern.id, filter_params, residual_cost),
            url_for("/", {**filter_params, "pattern": pattern.id}),
            pattern,
            format_minimum(pattern.cost, at_least=pattern.cost_is_lower_bound),
            format_minimum(pattern.estimated_savings, at_least=pattern.estimated_savings_is_lower_bound),
            format_minimum(pattern.savings_per_month, at_least=pattern.estimated_savings_is_lower_bound),
            bar(
                pattern.risk_adjusted_savings,
                largest,
                f"risk-adjusted savings {format_usd(pattern.risk_adjusted_savings)}",
            ),
        )
        for pattern in patterns
    ]


def pattern_url(pattern_id: str, filter_params: Mapping[str, Any], residual_cost: str) -> str:
    """Return the URL of a pattern's page."""
    return url_for(f"/patterns/{pattern_id}", {**filter_params, "residual_cost": residual_cost})


def pattern_facts(detail: PatternDetail) -> list[PatternFact]:
    """Build the metrics of a pattern, each with an explanation."""
    pattern = detail.pattern
    ended = pattern.successes + pattern.failures
    cost_per_time = format_estimate(pattern.cost_per_time, at_least=pattern.cost_is_lower_bound)
    sign = "≥" if pattern.seconds_is_lower_bound else "≈"
    work = "" if pattern.seconds is None else f", {sign} {format_duration(pattern.seconds)} of work time"
    monthly_savings = format_estimate(
        pattern.savings_per_month, at_least=pattern.estimated_savings_is_lower_bound
    )
    return [
        PatternFact(
            "Occurrences",
            f"{pattern.occurrences:,}",
            f"in {pattern.runs:,} of {pluralize(detail.span.runs, 'run')}",
        ),
        PatternFact(
            "Cost",
            format_estimate(pattern.cost, at_least=pattern.cost_is_lower_bound),
            f"{cost_per_time} per occurrence{work}",
        ),
        PatternFact(
            "Success rate",
            format_fraction(pattern.success_rate),
            f"{pattern.successes:,} of {ended:,}, 95% lower bound "
            f"{format_fraction(pattern.success_rate_lower_bound)}"
            if ended
            else "no occurrence with a known outcome",
        ),
        PatternFact("Stability", format_fraction(pattern.stability), _explain_stability(pattern)),
        PatternFact("Estimated savings", format_savings(pattern), _explain_savings(pattern)),
        PatternFact("Savings per month", monthly_savings, "break-even cost to build and maintain a script"),
        PatternFact(
            "Risk-adjusted savings", format_usd(pattern.risk_adjusted_savings), _savings_formula(pattern)
        ),
    ]  # fmt: skip


def example_rows(examples: Sequence[ExampleRun], zone: tzinfo | None = None) -> list[ExampleRow]:
    """Build the rows of example runs, newest first, with times in `zone`; None is the local zone."""
    return [
        ExampleRow(
            truncate(single_line(example.run), 32),
            run_url({"id": example.run, "project": example.project}),
            format_timestamp(example.created_at, zone),
            UNKNOWN if example.occurrences is None else f"{example.occurrences:,}",
            format_estimate(example.cost),
            _source_location(example),
        )
        for example in examples
    ]


def _source_location(example: ExampleRun) -> str | None:
    """Return an example's file and line, relative to its run's directory; the row already names the run."""
    if example.path is None:
        return None
    path = single_line(example.path.removeprefix(f"{example.run}/"))
    return f"{path}:{example.line}" if example.line else path


def related_patterns(
    references: Sequence[PatternRef], filter_params: Mapping[str, Any], residual_cost: str
) -> list[tuple[str, str, PatternRef]]:
    """Return related patterns as name, URL and reference."""
    return [
        (
            truncate(single_line(reference.signature), 160),
            pattern_url(reference.id, filter_params, residual_cost),
            reference,
        )
        for reference in references
    ]


def _explain_stability(pattern: RankedPattern) -> str | None:
    if pattern.stability is None:
        return None
    if pattern.kind == PatternKind.OPERATION:
        return (
            f"{pluralize(pattern.runs, 'run')} / {pluralize(pattern.occurrences, 'occurrence')}; "
            "100% is exactly once per run"
        )
    return "share of its starts that run to the end"


def _explain_savings(pattern: RankedPattern) -> str:
    if pattern.residual_cost is None:
        return "not scriptable: this is the agent's own work"
    is_one_call = (
        pattern.kind == PatternKind.SEQUENCE and abs(pattern.residual_cost * pattern.steps - 1) < 1e-9
    )
    remainder = (
        f"one of {pattern.steps} calls"
        if is_one_call
        else f"{format_fraction(pattern.residual_cost)} of the cost"
    )
    return f"assuming {remainder} remains, and failures save nothing"


def _savings_formula(pattern: RankedPattern) -> str | None:
    if pattern.risk_adjusted_savings is None or pattern.cost is None or pattern.residual_cost is None:
        return None
    factors = (
        format_usd(pattern.cost),
        f"{format_fraction(1 - pattern.residual_cost)} avoidable",
        f"{format_fraction(pattern.success_rate_lower_bound)} success (lower bound)",
        f"{format_fraction(pattern.stability)} stability",
    )
    return " × ".join(factors)
