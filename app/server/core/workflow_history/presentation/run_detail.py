"""The facts of one run in words: a workflow dict in, facts with notes out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..common.coercion import is_at_least_so_long
from ..common.formatting.costs import COST_BASIS_NOTES, format_minimum, spent_words
from ..common.formatting.numbers import (
    format_duration,
    format_percent_change,
    format_timestamp,
    format_tokens,
    offset_at,
    offset_name,
    pluralize,
)
from ..common.formatting.text import single_line
from ..common.spending import (
    RECORDED_BASES,
    UNKNOWN,
    Spending,
    format_usd,
    number,
    run_spending,
    to_decimal,
    why_no_cost,
)
from ..costs.accounting.cost_sums import sum_costs
from ..costs.accounting.missing_parts import silent_agents
from .run_list import lasted_words

Run = Mapping[str, Any]

NO_REQUEST: Final = "no request found: unknown what was asked"


class FactNote(NamedTuple):
    """Note next to a fact."""

    words: str
    mood: str = ""  # source: origin of the value; doubt: needs attention; "": part of the fact


class RunFact(NamedTuple):
    """One fact of a run; its value is a dash if unknown."""

    value: str
    notes: tuple[FactNote, ...] = ()


def deleted_files_note(run: Run) -> str:
    """Return the note on a run whose files are missing."""
    since = f" since {format_timestamp(run['gone_at'])}" if run.get("gone_at") else ""
    return f"its files are gone{since}: only this history knows the run"


def period_fact(run: Run) -> RunFact:
    """Return the start and end of a run.

    >>> period_fact({}).notes[0].words
    'its files tell no time that can be trusted; a copy keeps times by cp -a or rsync -a'
    """
    began, known = run.get("started_at") or run.get("created_at"), run.get("time_zone_known")
    start = format_timestamp(began, zone_known=known)
    if start == UNKNOWN:
        return _unknown("its files tell no time that can be trusted; a copy keeps times by cp -a or rsync -a")
    end = format_timestamp(run.get("completed_at"), zone_known=known)
    span = start if end == UNKNOWN else f"{start} → {_end(start, end)}"
    source = _source(run.get("times_basis"), run.get("times_source"))
    return _fact(span, FactNote(_zone_words(began, run)), source)


def _zone_words(began: Any, run: Run) -> str:
    """Return the time zone of the shown times, and the run's own zone if it differs."""
    here, own = offset_at(began), offset_name(run.get("utc_offset_minutes"))
    if run.get("time_zone_known") is False:
        return "time zone unknown"
    return f"{here}; its own: {own}" if own not in {here, None} else str(here)


def duration_fact(run: Run) -> RunFact:
    """Return the duration of a run, with its longest phase and idle time."""
    seconds = run.get("duration_seconds")
    if number(seconds) is None:
        return _unknown("nothing tells how long it ran")
    idle, slow = number(run.get("idle_time_seconds")), run.get("bottleneck_phase")
    return _fact(
        lasted_words(run),
        FactNote(f"longest {_of_known(run)}phase: {single_line(slow)}") if slow else None,
        FactNote(f"idle {format_duration(idle)}") if idle else None,
        _source(
            "at least" if is_at_least_so_long(run) else run.get("duration_basis"), run.get("duration_source")
        ),
    )


def _of_known(run: Run) -> str:
    """Return "known " if the duration of an agent without a stream is unknown, else ""."""
    return "known " if any(agent.get("duration_seconds") is None for agent in silent_agents(run)) else ""


def cost_fact(run: Run) -> RunFact:
    """Return the cost of a run, with its basis and the spending that it does not include."""
    spent, basis = run_spending(run), run.get("cost_basis")
    if spent.minimum is None and not basis:
        return _unknown(why_no_cost(run.get("phase_costs") or ()))
    apart = spent_words(spent) if spent.lower_bound is not None else None
    missing = to_decimal(run.get("unpriced_tokens"))
    retries = int(number(run.get("retry_count")) or 0)
    repeated = f"{format_usd(run.get('retry_cost'))} of it for {pluralize(retries, 'retry', 'retries')}"
    return _fact(
        format_minimum(spent),
        None
        if apart and basis == "lower_bound"
        else FactNote(COST_BASIS_NOTES.get(basis or "", single_line(basis))),
        FactNote(apart) if apart else None,
        _own_sum(run),
        FactNote(f"{format_tokens(missing)} tokens without a known price", "doubt") if missing else None,
        FactNote(repeated) if retries else None,
        _unheard(run),
    )


def models_used(run: Run) -> list[Run]:
    """Return the totals of each model that a run used, most expensive first."""
    used = [each for each in (run.get("cost_data") or {}).get("models") or () if isinstance(each, Mapping)]
    return sorted(used, key=lambda each: (-(number(each.get("cost")) or 0.0), str(each.get("model"))))


def model_cost_words(run: Run, model: Run) -> str:
    """Format the cost of one of these models; `≥` if it is a lower bound.

    >>> cut = {"model": "a", "lower_bound_cost": 0.07, "cost_basis": "lower_bound"}
    >>> model_cost_words({"phase_costs": [{"models": [cut]}]}, {"model": "a", "cost": 0.07})
    '≥ $0.07'
    """
    agents = [agent for agent in run.get("phase_costs") or () if not agent.get("duplicate_of")]
    every = [entry for agent in agents for entry in agent.get("models") or ()]
    sums = sum_costs([entry for entry in every if entry.get("model") == model.get("model")])
    recorded, beyond = to_decimal(sums["recorded_cost"]), to_decimal(sums["lower_bound_cost"])
    spent = Spending(recorded, beyond, sums["partial"]) if every else _as_told(model)
    return "no price" if spent.minimum is None and model.get("unpriced_tokens") else format_minimum(spent)


def _as_told(model: Run) -> Spending:
    return Spending(to_decimal(model.get("cost")), None, bool(model.get("unpriced_tokens")))


def tokens_fact(run: Run) -> RunFact | None:
    """Return the tokens of a run, in total and by kind; None if unknown."""
    if number(run.get("total_tokens")) is None:
        return None
    parts = (
        ("in", "input_tokens"),
        ("out", "output_tokens"),
        ("cache read", "cache_read_tokens"),
        ("cache written", "cache_creation_tokens"),
    )
    return _fact(
        format_tokens(run["total_tokens"]),
        *(FactNote(f"{word} {format_tokens(run.get(key))}") for word, key in parts),
    )


def format_work(run: Run) -> list[str]:
    """Return the workflow, issue class, issue, branch and plan of a run, as far as known."""
    issue = run.get("issue_number")
    words = (
        single_line(run["workflow_template"]) if run.get("workflow_template") else None,
        single_line(run["issue_class"]) if run.get("issue_class") else None,
        f"issue {single_line(issue)}" if issue else None,
        f"branch {single_line(run['branch_name'])}" if run.get("branch_name") else None,
        f"plan {single_line(run['plan_file'])}" if run.get("plan_file") else None,
    )
    return [word for word in words if word]


def _fact(value: str, *notes: FactNote | None) -> RunFact:
    return RunFact(value, tuple(note for note in notes if note is not None and note.words))


def _unknown(why: str) -> RunFact:
    return RunFact(UNKNOWN, (FactNote(why, "source"),))


def _source(basis: Any, source: Any) -> FactNote | None:
    words = [single_line(word) for word in (basis, source) if word]
    return FactNote(": ".join(words), "source") if words else None


def _end(start: str, end: str) -> str:
    """Return the end of a period, without the day if it starts on the same day."""
    day, _, hour = end.partition(" ")
    return hour if start.startswith(day) else end


def _own_sum(run: Run) -> FactNote | None:
    """Return a note on the computed cost and its difference from the reported cost, if there is one."""
    data = run.get("cost_data") or {}
    own, off = run.get("computed_cost"), data.get("cost_difference_percent")
    reported = any(agent.get("cost_basis") == "reported" for agent in run.get("phase_costs") or ())
    if (
        to_decimal(own) is None
        or run.get("cost_basis") not in RECORDED_BASES | {"lower_bound"}
        or not reported
    ):
        return None
    words = f"own sum {format_usd(own)}" + (
        f" ({format_percent_change(off)})" if to_decimal(off) is not None else ""
    )
    return FactNote(words, "doubt" if data.get("cost_disputed") else "")


def _unheard(run: Run) -> FactNote | None:
    silent = run.get("agents_without_stream") or ()
    names = ", ".join(single_line(agent) for agent in silent)
    return FactNote(f"unknown what {names} spent: no stream") if names else None
