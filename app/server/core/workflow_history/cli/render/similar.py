"""Similar runs, each with the reasons: a query result in, renderables out. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.costs import format_run_cost
from ...common.formatting.numbers import format_duration, pluralize
from ...common.formatting.text import non_empty_lines, single_line, truncate
from . import symbols
from .text import join_parts

if TYPE_CHECKING:
    from ...queries.similar import SharedWord, SimilarRun, SimilarRuns

BAR = 10  # cells
MOST_WIDTH = 120  # cells
INDENT = "  "


def render_similar(found: SimilarRuns, width: int) -> RenderableType:
    """Render the request, a note if there is one, and the similar runs with their reasons."""
    within = min(width, MOST_WIDTH)
    blocks: list[RenderableType] = [_head(found, within), _terms(found)]
    if found.note:
        blocks.append(Text(found.note, style="magenta"))
    for run in found.runs:
        blocks += ["", *_run(run, within, whole=found.basis == "run")]
    if not found.runs:
        blocks += ["", Text(_nothing(found))]
    return Group(*blocks)


def similar_ids(found: SimilarRuns) -> list[Text]:
    """Return the full ids of the similar runs."""
    return [Text(qualified_id(run.project, run.id)) for run in found.runs]


def qualified_id(project: str | None, run_id: str) -> str:
    """Return a run's id with its project, quoted for the shell, as every command accepts it."""
    return shlex.quote(single_line(f"{project}/{run_id}" if project else run_id))


def _head(found: SimilarRuns, width: int) -> Text:
    name = qualified_id(found.project, found.id) if found.id else "the text"
    lines = non_empty_lines(found.request or "")
    title = Text.assemble("Like ", (name, "bold"))
    return (
        title.append(f": {truncate(single_line(lines[0]), max(20, width - title.cell_len - 2))}")
        if lines
        else title
    )


def _terms(found: SimilarRuns) -> Text:
    silent = f"{found.without_request:,} of them without a request" if found.without_request else None
    held = f"held against {pluralize(found.compared, 'run')}"
    line = join_parts([held, silent, f"shown from a score of {found.threshold:g}"])
    line.stylize("dim")
    return line


def _nothing(found: SimilarRuns) -> str:
    if not found.compared:
        return "No run to compare with."
    return "No run is that much like it. A lower --threshold shows what comes nearest."


def _run(run: SimilarRun, width: int, *, whole: bool) -> list[RenderableType]:
    """Return the lines of a run; `whole`: with score components, which a text search does not have."""
    cost = {"total_cost": run.cost, "cost_basis": run.cost_basis, "lower_bound_cost": run.lower_bound_cost}
    name = Text(qualified_id(run.project, run.id), "bold")
    facts = join_parts(
        [name, symbols.status_text(run.status), format_run_cost(cost), format_duration(run.duration_seconds)]
    )
    score = Text.assemble((f"{run.score:.2f} ", "bold"), (symbols.bar(run.score, BAR), "cyan"), " ", facts)
    lines = non_empty_lines(run.request or "")
    request = truncate(single_line(lines[0]), width - len(INDENT)) if lines else "no request found"
    found: list[RenderableType] = [score, Text(INDENT + request)]
    if whole:
        found.append(_why(run))
    for label, words in (("shares", run.shared), ("akin", run.akin)):
        if words:
            found.append(_words(label, words, width))
    return found


def _why(run: SimilarRun) -> Text:
    """Format the contribution of each score component."""
    told = [
        f"{part.name} {part.gave:.2f}" if part.gave is not None else f"{part.name} unknown"
        for part in run.parts
    ]
    line = Text(f"{INDENT}made of  ", style="dim")
    return line.append_text(join_parts([*told]))


def _words(label: str, words: tuple[SharedWord, ...], width: int) -> Text:
    """Format the words that fit into a line, strongest first; only an overlong first word is cut."""
    line = f"{INDENT}{label:<7}  "
    for place, each in enumerate(words):
        pair = single_line(each.word if each.word == each.other else f"{each.word} ~ {each.other}")
        longer = line + (", " if place else "") + pair
        if place and cell_len(longer) > width:
            break
        line = longer
    return Text(truncate(line, width), style="dim")
