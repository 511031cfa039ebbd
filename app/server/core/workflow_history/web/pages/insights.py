"""What is worth a look: what got worse or better, what to automate, what was spent in vain, the budgets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...amounts import share
from ...answers.automate import USUAL_STATUSES, find_patterns
from ...answers.budgets import check_budgets
from ...answers.pattern_shapes import Patterns
from ...answers.statistics import waste
from ...answers.watch import find_anomalies
from ...care.pruning import runs_pruned
from ...config import read_config
from ...errors import ConfigError, InvalidQueryError
from ...filters import period_of
from ...patterns.savings import KEEP_SHARE
from ...watching.changes import LEAST_BEFORE, LEAST_SINCE
from ...wording.patterns import estimate
from ...wording.statistics import wasted_of
from ...zones import zone_named
from ..charts.stacked import texture
from ..context import Here
from ..places import without_folders
from ..rendering import address, page
from ..views import findings, habits, spending
from ..views.narrow import Choice
from .asking import Question, question

router = APIRouter()

_RECENT: Final = (("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"))
_SHOWN: Final = 8  # patterns
_KEEP: Final = ("0", "0.1", f"{KEEP_SHARE:g}", "0.5", "0.75")


@router.get("/insights")
def insights(request: Request, here: Here) -> Response:
    """Return the page."""
    asked = question(request)
    recent, keep = asked.word("recent", "30d"), keep_of(asked)
    everything, zone = asked.word("all") == "1", zone_named(asked.zone)
    found = here.kept(find_anomalies, asked.where, period_of(recent), tz=asked.zone)
    lost = here.kept(waste, asked.where)
    patterns = find_patterns(
        asked.where,
        keep_share=keep_share_of(keep),
        limit=None if everything else _SHOWN,
        statuses=("detected", "accepted", "dismissed") if everything else USUAL_STATUSES,
    )
    recents = _RECENT if recent in dict(_RECENT) else ((recent, recent), *_RECENT)
    own = (Choice("recent", "What changed in the last", recents, recent), keep_choice(keep))
    return page(
        request,
        "insights.html",
        found=found,
        pruned=0 if found.runs else runs_pruned(),
        zone=zone,
        least_runs=(LEAST_BEFORE, LEAST_SINCE),
        worse=findings.cards(found.regressions, asked.given, zone),
        better=findings.cards(found.improvements, asked.given, zone),
        stand_outs=findings.stand_outs(found.stand_outs),
        lost=lost,
        lost_words=wasted_of(lost),
        waste=spending.waste(lost, asked.given),
        texture=texture(),
        patterns=patterns,
        habits=habits.rows(patterns.patterns, asked.given, keep),
        keep=share(keep_share_of(keep)),
        saved=saved_a_month(patterns),
        all_patterns=None if everything else address("/insights", {**asked.query, "all": "1"}) + "#automate",
        form=asked.form("/insights", here, own, ages=False),
        **_budgets(),
    )


def keep_of(asked: Question) -> str:
    """Return the assumption as it was typed."""
    return asked.word("keep", f"{KEEP_SHARE:g}")


def keep_share_of(given: str) -> float:
    """Return the share of the cost that stays with a script; raises InvalidQueryError where it is none."""
    try:
        return float(given)
    except ValueError as error:
        raise InvalidQueryError(f"keep {given!r} is no share; say it as 0.25") from error


def keep_choice(keep: str) -> Choice:
    """Return the field of the assumption."""
    options = dict.fromkeys([*_KEEP, keep])
    return Choice(
        "keep", "A script still costs", tuple((one, share(keep_share_of(one))) for one in options), keep
    )


def saved_a_month(found: Patterns) -> str | None:
    """Return what the worthiest pattern would save: savings of several overlap, and are never added."""
    first = next((one for one in found.patterns if one.saved_per_month is not None), None)
    return None if first is None else estimate(first.saved_per_month, at_least=first.saved_at_least)


def _budgets() -> dict[str, Any]:
    """Return how the budgets stand, or what to do where none can be read."""
    try:
        report = check_budgets(read_config())
    except ConfigError as error:
        return {"budgets": None, "no_budgets": without_folders(str(error)), "verdict": None}
    shown = replace(report, config=without_folders(report.config))
    return {"budgets": shown, "no_budgets": None, "verdict": spending.verdict(report),
            "budget_rows": spending.budgets(report)}  # fmt: skip
