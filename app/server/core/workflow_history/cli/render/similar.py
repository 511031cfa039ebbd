"""Similar runs, each with the reasons: a query result in, renderables out. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.costs import format_run_cost
from ...common.formatting.numbers import format_duration, pluralize
from ...common.formatting.text import single_line, truncate
from ...presentation.run_list import NO_REQUEST, first_line, join_run_id
from . import symbols
from .table import MAX_WIDTH
from .text import join_parts

if TYPE_CHECKING:
    from ...queries.similar import SharedWord, SimilarRun, SimilarRuns

BAR_WIDTH = 10  # cells
INDENT = "  "


def render_similar(result: SimilarRuns, width: int) -> RenderableType:
    """Render the request, a note if there is one, and the similar runs with their reasons."""
    width = min(width, MAX_WIDTH)
    blocks: list[RenderableType] = [_title(result, width), _scope(result)]
    if result.note:
        blocks.append(Text(result.note, style="magenta"))
    for run in result.runs:
        blocks += ["", *_run(run, width, with_parts=result.basis == "run")]
    if not result.compared:
        blocks += [
            "",
            Text("No other run to compare with."),
        ]
    elif not result.runs:
        blocks += [
            "",
            Text("No run reaches the minimum score. Use a lower --threshold to see the most similar runs."),
        ]
    return Group(*blocks)


def similar_ids(result: SimilarRuns) -> list[Text]:
    """Return the full ids of the similar runs."""
    return [Text(quoted_run_id(run.project, run.id)) for run in result.runs]


def quoted_run_id(project: str | None, run_id: str) -> str:
    """Return a run's id with its project, quoted for the shell, as every command accepts it."""
    return shlex.quote(join_run_id(project, run_id))


def _title(result: SimilarRuns, width: int) -> Text:
    name = quoted_run_id(result.project, result.id) if result.id else "the request"
    title = Text.assemble("Similar to ", (name, "bold"))
    if request := first_line(result.request):
        title.append(f": {truncate(request, max(20, width - title.cell_len - 2))}")
    return title


def _scope(result: SimilarRuns) -> Text:
    """Format the number of compared runs and the least score that is shown."""
    without_request = f"{result.without_request:,} of them without a request"
    line = join_parts(
        [
            f"compared with {pluralize(result.compared, 'run')}",
            without_request if result.without_request else None,
            f"minimum score {result.threshold:g}",
        ]
    )
    line.stylize("dim")
    return line


def _run(run: SimilarRun, width: int, *, with_parts: bool) -> list[RenderableType]:
    """Return the lines of a run; `with_parts`: with score components, which a text search does not have."""
    cost = {"total_cost": run.cost, "cost_basis": run.cost_basis, "lower_bound_cost": run.lower_bound_cost}
    name = Text(quoted_run_id(run.project, run.id), "bold")
    facts = join_parts(
        [name, symbols.status_text(run.status), format_run_cost(cost), format_duration(run.duration_seconds)]
    )
    score = Text.assemble(
        (f"{run.score:.2f} ", "bold"), (symbols.bar(run.score, BAR_WIDTH), "cyan"), " ", facts
    )
    request = first_line(run.request)
    summary = NO_REQUEST if request is None else truncate(request, width - len(INDENT))
    lines: list[RenderableType] = [score, Text(INDENT + summary)]
    if with_parts:
        parts = [
            f"{part.name} unknown" if part.gave is None else f"{part.name} {part.gave:.2f}"
            for part in run.parts
        ]
        lines.append(Text(f"{INDENT}score    ", style="dim").append_text(join_parts(parts)))
    for label, words in (("shared words", run.shared), ("related words", run.related)):
        if words:
            lines.append(_words(label, words, width))
    return lines


def _words(label: str, words: tuple[SharedWord, ...], width: int) -> Text:
    """Format the words that fit into a line, strongest first; only an overlong first word is cut."""
    line = f"{INDENT}{label:<13}  "
    for index, shared in enumerate(words):
        is_same = shared.word == shared.other
        pair = single_line(shared.word if is_same else f"{shared.word} ~ {shared.other}")
        longer = line + (", " if index else "") + pair
        if index and cell_len(longer) > width:
            break
        line = longer
    return Text(truncate(line, width), style="dim")
