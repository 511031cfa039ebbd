"""Page of one run: request, phases and agent runs, cost, and provenance of its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from ...common.coercion import worked_seconds
from ...common.errors import MAX_CANDIDATES, AmbiguousWorkflowError
from ...common.formatting.agents import group_by_phase
from ...common.formatting.costs import format_minimum
from ...common.formatting.text import sanitize
from ...common.models import RunStatus, SourceState
from ...common.spending import NO_COST, agent_cost
from ...costs.accounting.missing_parts import silent_agents
from ...presentation import run_detail
from ...presentation.explanation import sum_price_terms
from ...presentation.scores import SCORES
from ...queries.explain import explain_run
from ...queries.similar_links import resolve_similar
from ..api.parameters import RunId, qualified_id
from ..api.runs import require_run
from ..charts.agent_timeline import timeline
from ..charts.token_bars import KINDS, cache_hit_rate, token_bars
from ..rendering import render_page, run_url

router = APIRouter()

MAX_SHOWN_LINES: Final = 14  # lines shown before the user expands the rest
MAX_SHOWN_CHARACTERS: Final = 1_200  # characters shown before the user expands the rest
MAX_REQUEST_CHARACTERS: Final = 200_000  # characters of a request on the page; the rest is only in its JSON
MAX_PATTERNS: Final = 8  # patterns on the page; the rest is only in its JSON

Project = Annotated[str | None, Query(max_length=400)]


@router.get("/runs/{id:run}")
def run(request: Request, run_id: RunId, project: Project = None) -> Response:
    """Return a run's page. A unique id prefix redirects to the full id; an ambiguous one lists them."""
    try:
        stored = require_run(run_id, project)
    except AmbiguousWorkflowError as error:
        runs = [TemplateRecord(require_run(name, None)) for name in error.candidates]
        return render_page(
            request,
            "ambiguous_run.html",
            status=409,
            requested_id=error.workflow_id,
            runs=runs,
            has_more=len(runs) >= MAX_CANDIDATES,
        )
    if stored["id"] != run_id:
        return RedirectResponse(run_url(stored), 307)
    return render_page(request, "run.html", **_page_values(stored))


class TemplateRecord(dict[str, Any]):
    """A dict for templates that returns None for missing keys; other undefined names stay errors."""

    def __missing__(self, key: str) -> None:
        return None


def _page_values(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template values of a run's page."""
    explanations = {item.field: item for item in explain_run(qualified_id(run["id"], run["project"])).of}
    agents, without_stream = _records(run.get("phase_costs")), _records(silent_agents(run))
    return {
        "run": TemplateRecord(run),
        "is_running": run.get("status") == RunStatus.RUNNING,
        "when": run_detail.period_fact(run),
        "duration": run_detail.duration_fact(run),
        "active_seconds": run_detail.active_seconds(run),
        "cost": run_detail.cost_fact(run),
        "tokens": run_detail.tokens_fact(run),
        "deleted_note": run_detail.deleted_files_note(run)
        if run.get("source_state") == SourceState.MISSING
        else None,
        "cache_hit_rate": cache_hit_rate(run),
        "request_text": _request(run),
        "timeline": timeline(agents),
        "phases": [_phase(name, members) for name, members in group_by_phase(agents + without_stream)],
        "token_bars": [item for item in token_bars(agents) if item.total],
        "token_kinds": KINDS,
        "models": [
            (TemplateRecord(usage), run_detail.format_model_cost(run, usage))
            for usage in run_detail.models_used(run)
        ],
        "scores": SCORES,
        "similar_runs": [
            (similar.link, similar.run and TemplateRecord(similar.run)) for similar in resolve_similar(run)
        ],
        "patterns": _records(run.get("patterns")),
        "problems": _records(run.get("problems")),
        "most_patterns": MAX_PATTERNS,
        "explanations": explanations,
        "prices": sum_price_terms(explanations["cost"]),
    }


def _request(run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the beginning of the request, and the whole text if it is longer; None without a request."""
    if not run.get("nl_input"):
        return None
    text = sanitize(run["nl_input"][:MAX_REQUEST_CHARACTERS]).strip("\n")
    beginning = "\n".join(text.split("\n")[:MAX_SHOWN_LINES])[:MAX_SHOWN_CHARACTERS]
    return {
        "beginning": beginning,
        "whole": text if len(text) > len(beginning) else None,
        "lines": text.count("\n") + 1,
        "left": max(0, len(run["nl_input"]) - MAX_REQUEST_CHARACTERS),  # characters cut off
    }


def _phase(name: str, agents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a phase with its agent runs, total cost and working time in seconds."""
    return {
        "name": name,
        "agents": agents,
        "cost": format_minimum(sum(map(agent_cost, agents), NO_COST)),
        "seconds": worked_seconds(agents),
    }


def _records(values: Any) -> list[TemplateRecord]:
    return [TemplateRecord(value) for value in values or () if isinstance(value, Mapping)]
