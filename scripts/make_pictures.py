"""Generate docs/show.svg: output of `workflow-history show` for an invented run. Reads no history."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from app.server.core.workflow_history.analytics import score_parts
from app.server.core.workflow_history.cli.render.run_detail import render_run_detail

from .console_docs import surroundings

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "show.svg"
WIDTH = 116  # columns

OPUS, SONNET = "claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929"

REQUEST = """Let customers export their orders as CSV
On `/orders` there is no way to take the list along into a spreadsheet.
Add a button that downloads what the filters show.
Done when:
- the file has one line per order, with its number, date and total in EUR
- 10,000 orders take less than 2 seconds
- an empty list gives a file with the header alone
"""


def agent(phase: str, name: str, model: str, cost: float, seconds: float, **more: Any) -> dict[str, Any]:
    """Return one agent run in the form stored in the history, with tokens proportional to its cost."""
    return {
        "phase": phase,
        "agent": name,
        "model": model,
        "cost": cost,
        "cost_basis": "reported",
        "input_tokens": round(cost * 9_000),
        "output_tokens": round(cost * 7_500),
        "cache_read_tokens": round(cost * 1_150_000),
        "cache_creation_tokens": round(cost * 61_000),
        "duration_seconds": seconds,
        "turns": round(3 + seconds / 9),
        "tool_calls": round(seconds / 8),
        "tool_errors": 0,
        "outcome": "success",
        "path": f"{name}/raw_output.jsonl",
        "line": round(3 + seconds / 3),
        **more,
    }


def sample_run() -> dict[str, Any]:
    """Return an invented run with a retry, an interrupted agent run and several models."""
    overwritten = {"superseded": True, "is_retry": True, "retries": 1, "outcome": "error"}
    interrupted = {"cost_basis": "lower_bound", "outcome": "incomplete"}
    agents = [
        agent("classify", "issue_classifier", SONNET, 0.0215, 1.9),
        agent("branch", "branch_generator", SONNET, 0.0482, 14),
        agent("plan", "sdlc_planner", OPUS, 0.6871, 148),
        agent("build", "sdlc_implementor", OPUS, 0.9214, 171, **overwritten),
        agent("build", "sdlc_implementor", OPUS, 2.6302, 402, attempt=2),
        agent("test", "e2e_test_runner_0_0", SONNET, 0.3127, 96),
        agent("review", "reviewer", SONNET, 0.2845, 88),
        agent("commit", "reviewer_committer", SONNET, 0.0309, 9, **interrupted),
        agent("ship", "pr_creator", SONNET, 0.0633, 21),
    ]
    run = {**_facts(), **_costs(agents)}
    parts = score_parts(run)
    return {**run, **{name: part["value"] for name, part in parts.items()}, "score_parts": parts}


def likes() -> list[dict[str, Any]]:
    """Return the runs similar to the sample, in the form that the command loads."""
    return [
        _like("b81c07de", 0.81, "Download the list of invoices as a spreadsheet", 3.1),
        _like("07aa41f2", 0.64, "CSV import for price lists", 2.27),
        _like("c3d9e610", 0.58, "Orders: filter by date of delivery", 1.4, status="failed"),
    ]


def picture() -> str:
    """Render the picture as SVG."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=WIDTH,
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )
    console.print(Text.assemble(("$ ", "dim"), ("workflow-history show 4f9d2c71", "bold")))
    with surroundings({"TZ": "UTC"}):
        console.print(render_run_detail(sample_run(), WIDTH, similar_runs=likes()))
    svg = console.export_svg(title="workflow-history", theme=DIMMED_MONOKAI, unique_id="show")
    without_fonts = re.sub(
        r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL
    )  # they would be loaded from the network
    return "\n".join(line.rstrip() for line in without_fonts.splitlines()) + "\n"


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(picture(), encoding="utf-8")


def _facts() -> dict[str, Any]:
    return {
        "id": "4f9d2c71",
        "project": "shop",
        "status": "completed",
        "status_reason": "pr_creator succeeded (pr_creator/raw_output.jsonl)",
        "nl_input": REQUEST,
        "nl_input_source": "issue_classifier/prompts/classify_issue.txt",
        "created_at": "2026-03-12T08:14:05+00:00",
        "started_at": "2026-03-12T08:14:05+00:00",
        "completed_at": "2026-03-12T08:31:10+00:00",
        "times_basis": "reported",
        "times_source": "execution.log",
        "utc_offset_minutes": 60,
        "duration_seconds": 1025.0,
        "duration_basis": "reported",
        "duration_source": "its reported start and end",
        "bottleneck_phase": "build",
        "idle_time_seconds": 74.0,
        "issue_number": "118",
        "issue_class": "/feature",
        "workflow_template": "adw_plan_build_test_review",
        "branch_name": "feature-issue-118-csv-export",
        "agents_dir": "/home/me/shop/agents",
        "source_state": "present",
        "patterns": [
            {
                "kind": "sequence",
                "signature": "git status → git diff → git commit",
                "count": 3,
                "workflows": 31,
                "cost": 0.118,
            },
            {"kind": "operation", "signature": "pytest", "count": 12, "workflows": 58, "cost": 0.41},
        ],
        "problems": [
            {
                "path": "4f9d2c71/reviewer_committer/raw_output.jsonl",
                "line": 6,
                "reason": "the last line is cut off",
                "severity": "warning",
            }
        ],
    }


def _costs(agents: list[dict[str, Any]]) -> dict[str, Any]:
    recorded = [each for each in agents if each["cost_basis"] == "reported"]
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
    counts = {name: sum(each[name] for each in agents) for name in names}
    models = [_model(model, [each for each in agents if each["model"] == model]) for model in (OPUS, SONNET)]
    retries = {"retry_count": 1, "retry_cost": 0.9214}
    costs = {
        "total_cost": round(sum(each["cost"] for each in recorded), 4),
        "cost_basis": "lower_bound",
        "lower_bound_cost": 0.0309,
        "computed_cost": 4.9822,
        "unpriced_tokens": 0,
        "phase_costs": agents,
        **counts,
        "total_tokens": sum(counts.values()),
        **retries,
        "price_version": "0.2.3",
    }
    return {**costs, "cost_data": {**costs, "models": models, "cost_difference_percent": 0.265}}


def _model(name: str, agents: list[dict[str, Any]]) -> dict[str, Any]:
    counted = ("cost", "input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
    sums = {key: round(sum(each[key] for each in agents), 4) for key in counted}
    return {"model": name, "agent_runs": len(agents), **sums}


def _like(run_id: str, score: float, request: str, cost: float, status: str = "completed") -> dict[str, Any]:
    known = {
        "id": run_id,
        "status": status,
        "nl_input": request,
        "total_cost": cost,
        "cost_basis": "reported",
    }
    return {"id": run_id, "similarity_score": score, "workflow": known}


if __name__ == "__main__":
    main()
