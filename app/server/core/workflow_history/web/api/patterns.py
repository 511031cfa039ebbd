"""Routes for patterns: list, details and decisions."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from ...analysis.patterns.savings import DEFAULT_RESIDUAL_COST
from ...common.models import PatternKind, PatternStatus
from ...queries.patterns import (
    DEFAULT_EXAMPLES,
    DEFAULT_STATUSES,
    decide_pattern,
    find_patterns,
    show_pattern,
)
from ..filter_params import FILTER_OPENAPI, FilterDep
from ..json_response import json_response
from .openapi import schema_responses
from .parameters import ChangeHeader

router = APIRouter(prefix="/patterns", tags=["patterns"])

MAX_NOTE_CHARS: Final = 2_000  # characters

PatternId = Annotated[
    str,
    Path(
        alias="id",
        pattern="^[0-9a-fA-F]{4,16}$",
        description="Pattern ID, or a unique prefix of at least four digits.",
    ),
]
RemainingShare = Annotated[
    float,
    Query(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Share of the cost that remains with a script, 0 to 1.",
    ),
]


def _validate_text(text: str) -> str:
    if "\0" in text or (not text.isascii() and text != text.encode("utf-8", "replace").decode()):
        raise ValueError("contains a NUL character or an unpaired surrogate")
    return text


class Decision(BaseModel):
    """The user's decision on a pattern."""

    model_config = ConfigDict(extra="forbid")

    status: PatternStatus = Field(
        description="accepted: worth automating; dismissed: hidden from lists; detected: no decision"
    )
    note: Annotated[str, AfterValidator(_validate_text)] | None = Field(
        None, max_length=MAX_NOTE_CHARS, description="reason for the decision, stored with it"
    )


@router.get("", summary="List patterns", responses=schema_responses("patterns"), openapi_extra=FILTER_OPENAPI)
def list_patterns(  # noqa: PLR0917 - one argument per query parameter
    request: Request,
    where: FilterDep,
    kind: Annotated[
        list[PatternKind] | None, Query(max_length=3, description="Kind of pattern. Repeatable.")
    ] = None,
    state: Annotated[
        list[PatternStatus] | None,
        Query(max_length=3, description="Decision: detected (none), accepted or dismissed. Repeatable."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Maximum number of patterns.")] = 20,
    everything: Annotated[
        bool,
        Query(alias="all", description="Include phase sequences, agents' own tools and covered patterns."),
    ] = False,
    residual_cost: RemainingShare = DEFAULT_RESIDUAL_COST,
) -> Response:
    """Return recurring operations and sequences, ranked by the risk-adjusted savings of a script."""
    report = find_patterns(
        where,
        kinds=kind,
        statuses=state or DEFAULT_STATUSES,
        limit=limit,
        residual_cost=residual_cost,
        everything=everything,
    )
    return json_response(request, report)


@router.get(
    "/{id}",
    summary="Get a pattern",
    responses=schema_responses("patterns-show"),
    openapi_extra=FILTER_OPENAPI,
)
def one_pattern(
    request: Request,
    pattern_id: PatternId,
    where: FilterDep,
    examples: Annotated[
        int, Query(ge=1, le=100, description="Maximum number of example runs.")
    ] = DEFAULT_EXAMPLES,
    residual_cost: RemainingShare = DEFAULT_RESIDUAL_COST,
) -> Response:
    """Return a pattern's cost, the estimated savings of a script, and example runs with file and line."""
    return json_response(
        request, show_pattern(pattern_id, where, residual_cost=residual_cost, examples=examples)
    )


@router.post("/{id}", summary="Decide on a pattern", responses=schema_responses("patterns-decide"))
def decide_on_pattern(
    request: Request, pattern_id: PatternId, decision: Decision, _header: ChangeHeader
) -> Response:
    """Store the decision on a pattern, with an optional note. Later syncs keep it."""
    return json_response(request, decide_pattern(pattern_id, decision.status, decision.note))
