"""Page of one run: request, phases and agent runs, cost, and provenance of its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from ...common.coercion import worked_seconds
from ...common.errors import AmbiguousWorkflowError, WorkflowNotFoundError
from ...common.formatting.agents import group_by_phase
from ...common.formatting.costs import format_minimum
from ...common.formatting.text import sanitize
from ...common.spending import agent_spending, total_spending
from ...costs.accounting.missing_parts import silent_agents
from ...presentation import run_detail
from ...presentation.explanation import sum_price_terms
from ...presentation.scores import SCORES
from ...queries.explain import explain_run
from ...queries.similar_links import resolve_similar
from ..api.parameters import RunId, qualified_id
from ..api.runs import require_run
from ..charts.agent_timeline import timeline
from ..charts.token_bars import KINDS, cache_hits, stacks
from ..rendering import page, run_address

router = APIRouter()

REQUEST_LINES: Final = 14  # lines shown before the user expands the rest
REQUEST_CHARACTERS: Final = 1_200  # characters shown before the user expands the rest
MOST_CHARACTERS: Final = 200_000  # characters of a request on the page; the rest is only in its JSON
MOST_PATTERNS: Final = 8  # patterns on the page; the rest is only in its JSON

Project = Annotated[str | None, Query(max_length=400)]


@router.get("/runs/{id:run}")
def run(request: Request, run_id: RunId, project: Project = None) -> Response:
    """Return a run's page. A unique beginning of an id redirects to the full id."""
    try:
        found = require_run(run_id, project)
    except AmbiguousWorkflowError as error:
        return _several(request, error)
    except WorkflowNotFoundError as error:
        missing = {"code": 404, "title": "No such run", "detail": str(error), "sought": run_id}
        return page(request, "problem.html", status=404, **missing)
    if found["id"] != run_id:
        return RedirectResponse(run_address(found), 307)
    return page(request, "run.html", **_values(found))


class TemplateRecord(dict[str, Any]):
    """A dict for templates that returns None for missing keys; other undefined names stay errors."""

    def __missing__(self, key: str) -> None:
        return None


def _several(request: Request, error: AmbiguousWorkflowError) -> Response:
    """Return the page that lists all runs matching an ambiguous id."""
    names = [name.partition("/") for name in error.candidates]
    runs = [{"project": project, "id": run_id} for project, _, run_id in names]
    return page(request, "several.html", status=409, sought=error.workflow_id, runs=runs)


def _values(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template values of a run's page."""
    explained = {each.field: each for each in explain_run(qualified_id(run["id"], run["project"])).of}
    agents, silent = _records(run.get("phase_costs")), _records(silent_agents(run))
    return {
        "run": TemplateRecord(run),
        "at_work": run.get("status") == "running",
        "when": run_detail.period_fact(run),
        "took": run_detail.duration_fact(run),
        "cost": run_detail.cost_fact(run),
        "tokens": run_detail.tokens_fact(run),
        "gone": run_detail.deleted_files_note(run) if run.get("source_state") == "gone" else None,
        "hits": cache_hits(run),
        "request_text": _request(run),
        "line": timeline(agents),
        "phases": [_phase(name, members) for name, members in group_by_phase(agents + silent)],
        "stacks": [each for each in stacks(agents) if each.total],
        "kinds": KINDS,
        "models": _models(run),
        "scores": SCORES,
        "likes": [(like.link, like.run and TemplateRecord(like.run)) for like in resolve_similar(run)],
        "patterns": _records(run.get("patterns")),
        "problems": _records(run.get("problems")),
        "most_patterns": MOST_PATTERNS,
        "explained": explained,
        "prices": sum_price_terms(explained["cost"]),
    }


def _request(run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the beginning of the request, and the whole text if it is longer; None without a request."""
    if not run.get("nl_input"):
        return None
    text = sanitize(run["nl_input"][:MOST_CHARACTERS]).strip("\n")
    beginning = "\n".join(text.split("\n")[:REQUEST_LINES])[:REQUEST_CHARACTERS]
    return {
        "beginning": beginning,
        "whole": text if len(text) > len(beginning) else None,
        "lines": text.count("\n") + 1,
        "left": max(0, len(run["nl_input"]) - MOST_CHARACTERS),  # characters cut off
    }


def _phase(name: str, agents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a phase with its agent runs, total cost and working time in seconds."""
    return {
        "name": name,
        "agents": agents,
        "cost": format_minimum(total_spending([agent_spending(agent) for agent in agents])),
        "seconds": worked_seconds(agents),
    }


def _records(found: Any) -> list[TemplateRecord]:
    return [TemplateRecord(each) for each in found or () if isinstance(each, Mapping)]


def _models(run: Mapping[str, Any]) -> list[tuple[TemplateRecord, str]]:
    """Return the usage and formatted cost of each model, most expensive first."""
    used = run_detail.models_used(run)
    return [(TemplateRecord(each), run_detail.format_model_cost(run, each)) for each in used]
