"""Other details of a run: scores, similar runs, patterns, problems, files. Dicts in, tables out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.text import Text

from ....common.formatting.costs import format_run_cost
from ....common.formatting.text import single_line
from ....common.spending import UNKNOWN, format_usd, number
from ....common.urls import files_folder, join_url
from ....presentation.scores import SCORES, format_missing, format_score, format_score_parts
from .. import symbols
from ..run_list import render_request
from ..table import Column, DropColumn, build_table, fit_columns
from ..text import clean_text, join_parts, render_problems, section_rule, whole

MOST_PATTERNS = 5
BAR = 10  # cells
LEAST_PARTS = 56  # cells

Run = Mapping[str, Any]


def scores(run: Run, width: int) -> RenderableType | None:
    """Render each score with its components; without evidence, name the missing evidence."""
    if not any(key in run for key, _ in SCORES):
        return None
    parts = run.get("score_parts") or {}
    columns = [
        Column("name", "", tuple(Text(name) for _, name in SCORES)),
        Column("value", "", tuple(Text(format_score(run.get(key)), "bold") for key, _ in SCORES), right=True),
        Column("bar", "", tuple(_score_bar(run.get(key)) for key, _ in SCORES)),
        Column("parts", "", tuple(_parts(parts.get(key)) for key, _ in SCORES), flexible=True, wraps=True),
    ]
    shown = fit_columns(columns, width, (DropColumn("bar"),), LEAST_PARTS)
    return Group(section_rule("Scores", width, "0 to 100"), build_table(shown, width, header=False))


def similar(likes: Sequence[Run], width: int) -> RenderableType | None:
    """Render the similar runs, most similar first, with request and cost."""
    if not likes:
        return None
    runs = [like.get("workflow") or {} for like in likes]
    columns = [
        Column("id", "id", tuple(clean_text(like.get("id"), "bold") for like in likes)),
        Column("score", "alike", tuple(Text(_alike(like)) for like in likes), right=True),
        Column("sign", "", tuple(_sign(run) for run in runs)),
        Column("request", "request", tuple(render_request(run) for run in runs), flexible=True),
        Column("cost", "cost", tuple(Text(format_run_cost(run)) for run in runs), right=True),
    ]
    return Group(section_rule("Similar runs", width), build_table(columns, width))


def patterns(run: Run, width: int) -> RenderableType | None:
    """Render the first few patterns of the run."""
    found = [pattern for pattern in run.get("patterns") or () if isinstance(pattern, Mapping)]
    if not found:
        return None
    top = found[:MOST_PATTERNS]
    columns = [
        Column(
            "signature", "pattern", tuple(clean_text(each.get("signature")) for each in top), flexible=True
        ),
        Column("kind", "kind", tuple(clean_text(each.get("kind"), "dim") for each in top)),
        Column("count", "here", tuple(Text(_whole(each.get("count"))) for each in top), right=True),
        Column("runs", "runs", tuple(Text(_whole(each.get("workflows"))) for each in top), right=True),
        Column("cost", "about", tuple(Text(format_usd(each.get("cost"))) for each in top), right=True),
    ]
    more = f"{len(found) - len(top)} more: --json" if len(found) > len(top) else ""
    return Group(section_rule("Patterns", width, more), build_table(columns, width))


def problems(run: Run, width: int) -> RenderableType | None:
    """Render the read errors and warnings of the run."""
    found = run.get("problems") or []
    return (
        Group(section_rule("Problems", width), *render_problems(found, width, most=len(found), each=True))
        if found
        else None
    )


def render_sources(run: Run, width: int) -> RenderableType | None:
    """Render the run's directory, and the file and line of each cost."""
    agents = [agent for agent in run.get("phase_costs") or () if agent.get("path")]
    folder = (
        join_url(single_line(run["agents_dir"]), single_line(files_folder(run)))
        if run.get("agents_dir")
        else None
    )
    if folder is None and not agents:
        return None
    blocks: list[RenderableType] = [section_rule("Read from", width)]
    if folder is not None:
        blocks.append(whole(folder))
    found = [_place(agent) for agent in agents]
    if max((place.cell_len for place in found), default=0) > width:
        blocks.extend(found)
    elif found:
        blocks.append(Columns(found, padding=(0, 3), column_first=True, equal=True))
    if run.get("price_version"):
        blocks.append(
            Text(f"own sums with the prices of genai-prices {single_line(run['price_version'])}", "dim")
        )
    return Group(*blocks)


def _place(agent: Run) -> Text:
    line = int(number(agent.get("line")) or 0)
    return whole(f"{agent['path']}:{line}" if line else agent["path"])


def _score_bar(value: Any) -> Text:
    known = number(value)
    return Text(symbols.bar(None if known is None else known / 100, BAR), style="cyan")


def _parts(score: Any) -> Text:
    """Format the components of a score, or its missing evidence."""
    words = format_score_parts(score)
    return join_parts([*words]) if words else Text(format_missing(score), style="dim")


def _alike(like: Run) -> str:
    share = number(like.get("similarity_score"))
    return UNKNOWN if share is None else f"{share:.2f}"


def _sign(run: Run) -> Text:
    return symbols.status_text(run.get("status"), sign_only=True) if run else Text("")


def _whole(count: Any) -> str:
    known = number(count)
    return UNKNOWN if known is None else f"{known:,.0f}"
