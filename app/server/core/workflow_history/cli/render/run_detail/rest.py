"""Other details of a run: scores, similar runs, patterns, problems, files. Dicts in, tables out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.text import Text

from ....common.formatting.costs import describe_prices, format_run_cost
from ....common.formatting.numbers import format_count, pluralize
from ....common.formatting.text import single_line
from ....common.spending import UNKNOWN, format_usd, number
from ....common.urls import files_folder, join_url
from ....presentation.run_list import short_ids
from ....presentation.scores import SCORES, format_missing, format_score, format_score_parts
from .. import symbols
from ..run_list import SHORT_ID_WIDTH, request_text
from ..table import (
    Column,
    DropColumn,
    bar_column,
    build_table,
    fit_columns,
    id_column,
    number_column,
    text_column,
)
from ..text import clean_text, join_parts, render_problems, section_rule, unbroken_text

MAX_PATTERNS = 5
BAR_WIDTH = 10  # cells
MIN_PARTS_WIDTH = 56  # cells

Run = Mapping[str, Any]


def render_scores(run: Run, width: int) -> RenderableType | None:
    """Render each score with its components; without evidence, name the missing evidence."""
    if not any(key in run for key, _ in SCORES):
        return None
    parts = run.get("score_parts") or {}
    values = [number(run.get(key)) for key, _ in SCORES]
    columns = [
        text_column("name", "", [name for _, name in SCORES]),
        Column("value", "", tuple(Text(format_score(value), "bold") for value in values), right=True),
        bar_column([None if value is None else value / 100 for value in values], BAR_WIDTH, "cyan"),
        Column(
            "parts", "", tuple(_score_parts(parts.get(key)) for key, _ in SCORES), flexible=True, wraps=True
        ),
    ]
    shown = fit_columns(columns, width, (DropColumn("bar"),), MIN_PARTS_WIDTH)
    return Group(section_rule("Scores", width, "0 to 100"), build_table(shown, width, header=False))


def render_similar_runs(links: Sequence[Run], width: int) -> RenderableType | None:
    """Render the similar runs, most similar first, with request and cost."""
    if not links:
        return None
    scores = [number(link.get("similarity_score")) for link in links]
    runs = [link.get("workflow") or {} for link in links]
    signs = [symbols.status_text(run.get("status"), sign_only=True) if run else Text("") for run in runs]
    columns = [
        id_column("id", "ID", short_ids([single_line(link.get("id")) for link in links], SHORT_ID_WIDTH)),
        number_column(
            "score", "similarity", [UNKNOWN if score is None else f"{score:.2f}" for score in scores]
        ),
        Column("sign", "", tuple(signs)),
        Column("request", "request", tuple(map(request_text, runs)), flexible=True),
        number_column("cost", "cost", map(format_run_cost, runs)),
    ]
    return Group(section_rule("Similar runs", width), build_table(columns, width))


def render_patterns(run: Run, width: int) -> RenderableType | None:
    """Render the first few patterns of the run."""
    patterns = [pattern for pattern in run.get("patterns") or () if isinstance(pattern, Mapping)]
    if not patterns:
        return None
    shown, hidden = patterns[:MAX_PATTERNS], len(patterns[MAX_PATTERNS:])
    signatures = tuple(clean_text(pattern.get("signature")) for pattern in shown)
    columns = [
        Column("signature", "pattern", signatures, flexible=True),
        Column("kind", "kind", tuple(clean_text(pattern.get("kind"), "dim") for pattern in shown)),
        number_column("count", "occurrences", [format_count(pattern.get("count")) for pattern in shown]),
        number_column("cost", "cost ≈", [format_usd(pattern.get("cost")) for pattern in shown]),
        number_column("runs", "in all runs", [_run_count(pattern.get("workflows")) for pattern in shown]),
    ]
    note = f"{hidden} more: --json" if hidden else ""
    return Group(section_rule("Patterns in this run", width, note), build_table(columns, width))


def _run_count(runs: Any) -> str:
    count = number(runs)
    return UNKNOWN if count is None else pluralize(int(count), "run")


def render_run_problems(run: Run, width: int) -> RenderableType | None:
    """Render the read errors and warnings of the run."""
    problems = run.get("problems") or []
    if not problems:
        return None
    lines = render_problems(problems, width, None)
    return Group(section_rule("Read errors and warnings", width), *lines)


def render_sources(run: Run, width: int) -> RenderableType | None:
    """Render the run's directory, and the file and line of each cost."""
    agents = [agent for agent in run.get("phase_costs") or () if agent.get("path")]
    if not run.get("agents_dir") and not agents:
        return None
    blocks: list[RenderableType] = [section_rule("Sources", width)]
    if run.get("agents_dir"):
        folder = join_url(single_line(run["agents_dir"]), single_line(files_folder(run)))
        blocks.append(unbroken_text(folder))
    sources = []
    for agent in agents:
        line = int(number(agent.get("line")) or 0)
        sources.append(unbroken_text(f"{agent['path']}:{line}" if line else agent["path"]))
    if max((source.cell_len for source in sources), default=0) > width:
        blocks.extend(sources)
    elif sources:
        blocks.append(Columns(sources, padding=(0, 3), column_first=True, equal=True))
    if run.get("price_version"):
        prices = describe_prices(single_line(run["price_version"]))
        blocks.append(Text(f"computed costs use the prices of {prices}", "dim"))
    return Group(*blocks)


def _score_parts(score: Any) -> Text:
    """Format the components of a score, or its missing evidence."""
    parts = format_score_parts(score)
    return join_parts(parts) if parts else Text(format_missing(score), style="dim")
