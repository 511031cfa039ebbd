"""Results of repricing: a resync result in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line
from .text import join_parts

MOST = 10


def render_resync(result: Mapping[str, Any]) -> Text:
    """Format the result for one run."""
    sign = Text("✓ ", "green") if result.get("success") else Text("✗ ", "red")
    name = single_line(result.get("workflow_id"))
    return Text.assemble(sign, (name, "bold"), "  ", single_line(result.get("message") or ""))


def render_resyncs(result: Mapping[str, Any]) -> RenderableType:
    """Format the counts for many runs and list the first failed runs."""
    failed = int(result.get("failed") or 0)
    counts = join_parts(
        [
            Text(f"{pluralize(int(result.get('total_processed') or 0), 'run')} counted anew", "bold"),
            f"{int(result.get('successful') or 0):,} done",
            Text(f"{failed:,} failed", "red" if failed else ""),
        ]
    )
    trouble = _in_trouble(result)
    lines: list[RenderableType] = [counts, *(render_resync(run) for run in trouble[:MOST])]
    if len(trouble) > MOST:
        lines.append(Text(f"and {len(trouble) - MOST:,} more: --json shows all", "dim"))
    return Group(*lines)


def resync_errors(result: Mapping[str, Any]) -> list[str]:
    """Return one line per failed run with its reason, for the first ones; empty if none failed."""
    trouble = [result] if result.get("success") is False else _in_trouble(result)
    lines = [f"{run.get('workflow_id')}: {run.get('message') or 'failed'}" for run in trouble[:MOST]]
    more = max(len(trouble), int(result.get("failed") or 0)) - len(lines)
    return [*lines, f"and {more:,} more: --json shows all"] if more and lines else lines


def _in_trouble(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    each = [run for run in result.get("workflows") or () if isinstance(run, Mapping)]
    return [run for run in each if run.get("success") is False]
