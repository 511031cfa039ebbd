"""Was a stored run as forecast, and what is still to come of it: a run's name in, both out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

import numpy as np

from .. import database
from ..columns import UNKNOWN
from ..errors import WorkflowNotFoundError
from ..evidence import number
from ..forecasting.past import EPOCH, Past, bare_class
from ..forecasting.remaining import Rest, progress_of, rest_of
from ..forecasting.stages import Amount, current_stage, stages_of, totals_of
from ..forecasting.weights import NOW, Question
from ..store.history import History
from .forecast_new import SHOWN, Weighed, answer, nothing, weighed
from .forecast_parts import DOLLAR, SECOND, chance, dollars, seconds, stages_by_row
from .forecast_shapes import Asked, Figure, Flight, Forecast, RunForecast
from .past_runs import read_past, read_request

__all__ = ["RunForecast", "forecast_run", "in_flight"]

IN_FLIGHT: Final = frozenset({"running", "incomplete"})
"""Statuses of runs that may go on."""


class _Asker(NamedTuple):
    """A stored run as the one that asks."""

    history: History
    past: Past
    run: dict[str, Any]
    key: int
    place: int | None  # in the past; None: nothing tells when it was

    def question(self, at: int) -> Question:
        template, issue_class, project = self.words()
        return Question(at, template, issue_class, project, self.key)

    def words(self) -> tuple[str | None, str | None, str | None]:
        names = (self.run.get("workflow_template"), self.run.get("issue_class"), self.run.get("project"))
        template, issue_class, project = ((name or "").strip() or None for name in names)
        return template, bare_class(issue_class) if issue_class else None, project

    def weighed(self, at: int) -> Weighed:
        vector = read_request(self.run.get("nl_input") or "")
        return weighed(self.history, self.past, self.question(at), vector)


def forecast_run(reference: str, *, shown: int = SHOWN) -> RunForecast:
    """Forecast a stored run from the runs that had ended before it began, and what is still to come of it.

    Raises WorkflowNotFoundError or AmbiguousWorkflowError.
    """
    with database.existing() as history:
        if history is None:
            raise WorkflowNotFoundError(f"no run {reference!r}: there is no history yet; sync makes one")
        found = history.find(reference)
        run = dict(history.read([found.key])[found.key])
        past = read_past(history)
        asker = _Asker(history, past, run, found.key, past.place(found.key))
        return _beside(asker, _before(asker, shown))


def in_flight(history: History, keys: Sequence[int]) -> list[tuple[dict[str, Any], Flight | None]]:
    """Return runs with what is still to come of each; None for one that has ended."""
    past, found = read_past(history), []
    for key, workflow in history.read(keys).items():
        run = dict(workflow)
        asker = _Asker(history, past, run, key, past.place(key))
        found.append((run, _flight(asker) if run.get("status") in IN_FLIGHT else None))
    return found


def _before(asker: _Asker, shown: int) -> Forecast:
    """Return what would have been forecast when the run began."""
    text, words = asker.run.get("nl_input"), asker.words()
    if asker.place is None:
        why = "nothing tells when it began, and so which runs were before it"
        return nothing(Asked(text, *words, None), why)
    began = int(asker.past.began[asker.place])
    asked = Asked(text, *words, EPOCH + timedelta(microseconds=began))
    return answer(asker.history, asker.past, asked, asker.weighed(began), shown)


def _beside(asker: _Asker, before: Forecast) -> RunForecast:
    run, flying = asker.run, asker.run.get("status") in IN_FLIGHT
    spent, at_least = _spent(asker)
    lasted = number(run.get("duration_seconds"))
    return RunForecast(
        run["id"],
        run.get("project") or "",
        run.get("status"),
        spent,
        at_least,
        lasted,
        _came(spent, before.cost, unfinished=flying or at_least),
        _came(lasted, before.duration, unfinished=flying),
        before,
        _flight(asker) if flying else None,
    )


def _spent(asker: _Asker) -> tuple[float | None, bool]:
    if asker.place is not None:
        value = int(asker.past.cost.values[asker.place])
        return (None, False) if value == UNKNOWN else (value / DOLLAR, not asker.past.cost.exact[asker.place])
    known = [number(asker.run.get(key)) for key in ("total_cost", "lower_bound_cost")]
    there = [amount for amount in known if amount is not None]
    exact = asker.run.get("cost_basis") in ("reported", "computed") and known[1] is None
    return (sum(there), not exact) if there else (None, False)


def _came(amount: float | None, told: Figure, *, unfinished: bool) -> str | None:
    """Return where an amount lies; of one that may grow only that it is above can be said."""
    if amount is None or told.p10 is None or told.p90 is None:
        return None
    if amount > told.p90:
        return "above"
    if unfinished:
        return None
    return "below" if amount < told.p10 else "within"


def _flight(asker: _Asker) -> Flight:
    """Return what is still to come, by all runs that have ended."""
    agents = asker.history.stage_entries([asker.key]).get(asker.key, [])
    own = stages_of(agents)
    stage = current_stage(own, asker.run.get("current_phase"))
    found = asker.weighed(NOW)
    why = found.why_not or ("it has not begun, as far as is known" if stage is None else None)
    cost, _ = totals_of(own)
    elapsed = number(asker.run.get("duration_seconds"))
    if stage is None or why is not None:
        return _silent(stage[0] if stage else None, cost, elapsed, why or "")
    evidence, past = found.evidence, asker.past
    rest = rest_of(
        progress_of(own, *stage, round((elapsed or 0.0) * SECOND)),
        stages_by_row(asker.history, past, evidence),
        (past.cost.exact[evidence.rows], past.duration.exact[evidence.rows]),
        (past.completed[evidence.rows], past.failed[evidence.rows]),
        evidence.weights,
    )
    return _told(stage[0], cost, elapsed, rest)


def _told(phase: str, cost: Amount, elapsed: float | None, rest: Rest) -> Flight:
    gone = round((elapsed or 0.0) * SECOND)
    spent = 0 if cost.value == UNKNOWN else cost.value
    return Flight(
        phase,
        None if cost.value == UNKNOWN else cost.value / DOLLAR,
        not cost.exact,
        elapsed,
        dollars(rest.cost),
        seconds(rest.duration),
        dollars(rest.cost, plus=spent),
        seconds(rest.duration, plus=gone),
        chance(rest.chance),
        int(np.count_nonzero(rest.through)),
    )


def _silent(phase: str | None, cost: Amount, elapsed: float | None, why: str) -> Flight:
    money, time = dollars(None, why), seconds(None, why)
    spent = None if cost.value == UNKNOWN else cost.value / DOLLAR
    return Flight(phase, spent, not cost.exact, elapsed, money, time, money, time, chance(None, why), 0)
