"""One run's whole story on one screen: a workflow dict in, renderables out. Pure; what is unknown says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType

from .head import facts, render_header, request
from .phases import models, phases
from .rest import patterns, problems, render_sources, scores, similar

MOST_WIDTH = 132  # cells; longer lines are hard to follow


def render_run_detail(
    run: Mapping[str, Any], width: int, *, likes: Sequence[Mapping[str, Any]] = (), full: bool = False
) -> RenderableType:
    """Return everything that is known of a run.

    `likes` are its similar runs: {id, similarity_score, workflow}, the last None where nothing is known.
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
