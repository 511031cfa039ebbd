"""All details of one run: a workflow dict in, renderables out. Pure; unknown values are marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType

from .head import facts, render_header, request
from .phases import models, phases
from .rest import patterns, problems, render_sources, scores, similar

MOST_WIDTH = 132  # cells; longer lines are hard to read


def render_run_detail(
    run: Mapping[str, Any], width: int, *, likes: Sequence[Mapping[str, Any]] = (), full: bool = False
) -> RenderableType:
    """Render all details of a run.

    `likes`: its similar runs as {id, similarity_score, workflow}; `workflow` is None if no longer stored.
    """
    within = min(width, MOST_WIDTH)
    sections = (
        render_header(run, width),
        request(run, within, full=full),
        facts(run),
        phases(run, within),
        models(run, within),
        scores(run, within),
        similar(likes, within),
        patterns(run, within),
        problems(run, within),
        render_sources(run, within),
    )
    blocks: list[RenderableType] = []
    for section in sections:
        if section is not None:
            blocks += [section, ""]
    return Group(*blocks[:-1])
