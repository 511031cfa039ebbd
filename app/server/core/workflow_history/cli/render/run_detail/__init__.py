"""All details of one run: a workflow dict in, renderables out. Pure; unknown values are marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType

from .head import render_facts, render_header, render_request
from .phases import render_models, render_phases
from .rest import render_patterns, render_run_problems, render_scores, render_similar_runs, render_sources

MAX_WIDTH = 132  # cells; longer lines are hard to read


def render_run_detail(
    run: Mapping[str, Any], width: int, *, similar_runs: Sequence[Mapping[str, Any]] = (), full: bool = False
) -> RenderableType:
    """Render all details of a run.

    `similar_runs`: {id, similarity_score, workflow} of each; `workflow` is None if no longer stored.
    """
    header = render_header(run, width)
    width = min(width, MAX_WIDTH)
    sections = (
        header,
        render_request(run, width, full=full),
        render_facts(run),
        render_phases(run, width),
        render_models(run, width),
        render_scores(run, width),
        render_similar_runs(similar_runs, width),
        render_patterns(run, width),
        render_run_problems(run, width),
        render_sources(run, width),
    )
    blocks: list[RenderableType] = []
    for section in sections:
        if section is not None:
            blocks += [section, ""]
    return Group(*blocks[:-1])
