"""The facts of one run in words: a workflow dict in, facts with notes out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..common.coercion import is_duration_lower_bound
from ..common.formatting.costs import COST_BASIS_NOTES, format_cost_parts, format_minimum
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
from ..common.models import RECORDED_BASES, CostBasis
from ..common.pull_requests import pull_request_name, to_pull_request
from ..common.spending import (
    NO_COST,
    UNKNOWN,
    Cost,
    agent_cost,
    format_usd,
    number,
    run_cost,
    to_decimal,
    why_no_cost,
)
from ..costs.accounting.missing_parts import silent_agents
from .run_list import format_run_duration

Run = Mapping[str, Any]

NO_REQUEST: Final = "no request found"


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
    since = f" since {format_timestamp(run['missing_since'])}" if run.get("missing_since") else ""
    return f"files missing{since}: the run is in this history only"


def period_fact(run: Run) -> RunFact:
    """Return the start and end of a run.

    >>> period_fact({}).notes[0].words
    'no reliable time in its files; copy with cp -a or rsync -a to keep file times'
    """
    started_at, zone_known = run.get("started_at") or run.get("created_at"), run.get("time_zone_known")
    start = format_timestamp(started_at, zone_known=zone_known)
    if start == UNKNOWN:
        return _unknown("no reliable time in its files; copy with cp -a or rsync -a to keep file times")
    end = format_timestamp(run.get("completed_at"), zone_known=zone_known)
    end_day, _, end_hour = end.partition(" ")
    end_text = end_hour if start.startswith(end_day) else end  # the day is not repeated
    period = start if end == UNKNOWN else f"{start} → {end_text}"
    shown_zone, own_zone = offset_at(started_at), offset_name(run.get("utc_offset_minutes"))
    zone = (
        str(shown_zone)
        if own_zone in {shown_zone, None}
        else f"{shown_zone}; time zone of the run: {own_zone}"
    )
    source = _source_note(run.get("times_basis"), run.get("times_source"))
    return _fact(period, FactNote("time zone unknown" if zone_known is False else zone), source)


def duration_fact(run: Run) -> RunFact:
    """Return the duration of a run, with its longest phase and idle time."""
    seconds = run.get("duration_seconds")
    if number(seconds) is None:
        return _unknown("no file records its duration")
    idle_seconds, longest_phase = number(run.get("idle_time_seconds")), run.get("bottleneck_phase")
    some_unknown = any(agent.get("duration_seconds") is None for agent in silent_agents(run))
    longest = f"longest {'known ' if some_unknown else ''}phase"
    basis = "at least" if is_duration_lower_bound(run) else run.get("duration_basis")
    return _fact(
        format_run_duration(run),
        _active_note(run),
        FactNote(f"{longest}: {single_line(longest_phase)}") if longest_phase else None,
        FactNote(f"idle {format_duration(idle_seconds)}") if idle_seconds else None,
        _source_note(basis, run.get("duration_source")),
    )


def _active_note(run: Run) -> FactNote | None:
    """Return a note on the part of a session's duration without its pauses; None if it is unknown."""
    active = active_seconds(run)
    if active is None:
        return None
    return FactNote(f"active {format_duration(active)} of {format_run_duration(run)}")


def active_seconds(run: Run) -> float | None:
    """Return the duration of a session without its pauses; None if it is unknown.

    A fork repeats the messages of another session. Its stored active time covers them too, its duration does
    not, so the fork's own active time is unknown if it is longer.

    >>> active_seconds({"active_seconds": 90, "duration_seconds": 120.0})
    90.0
    >>> active_seconds({"active_seconds": 210, "duration_seconds": 30.0})
    """
    active, duration = number(run.get("active_seconds")), number(run.get("duration_seconds"))
    return None if active is None or (duration is not None and active > duration) else active


def cost_fact(run: Run) -> RunFact:
    """Return the cost of a run, with its basis and the spending that it does not include."""
    cost, basis = run_cost(run), run.get("cost_basis")
    if cost.minimum is None and not basis:
        return _unknown(why_no_cost(run.get("phase_costs") or ()))
    amounts = format_cost_parts(cost) if cost.extra is not None else None
    basis_note = FactNote(COST_BASIS_NOTES.get(basis or "", single_line(basis)))
    unpriced_tokens = to_decimal(run.get("unpriced_tokens"))
    unpriced = FactNote(f"{format_tokens(unpriced_tokens)} unpriced tokens", "doubt")
    retries = int(number(run.get("retry_count")) or 0)
    retry_cost = f"{format_usd(run.get('retry_cost'))} of it in {pluralize(retries, 'retry', 'retries')}"
    silent_names = ", ".join(map(single_line, run.get("agents_without_stream") or ()))
    return _fact(
        format_minimum(cost),
        None if amounts and basis == CostBasis.LOWER_BOUND else basis_note,
        FactNote(amounts) if amounts else None,
        _computed_cost_note(run),
        unpriced if unpriced_tokens else None,
        FactNote(retry_cost) if retries else None,
        FactNote(f"cost of {silent_names} unknown: no transcript") if silent_names else None,
    )


def models_used(run: Run) -> list[Run]:
    """Return the totals of each model that a run used, most expensive first."""
    models = (run.get("cost_data") or {}).get("models") or ()
    return sorted(
        (model for model in models if isinstance(model, Mapping)),
        key=lambda model: (-(number(model.get("cost")) or 0.0), str(model.get("model"))),
    )


def format_model_cost(run: Run, model: Run) -> str:
    """Format the cost of one of these models; `≥` if it is a lower bound.

    >>> incomplete = {"model": "a", "lower_bound_cost": 0.07, "cost_basis": "lower_bound"}
    >>> format_model_cost({"phase_costs": [{"models": [incomplete]}]}, {"model": "a", "cost": 0.07})
    '≥ $0.07'
    """
    agents = [agent for agent in run.get("phase_costs") or () if not agent.get("duplicate_of")]
    usages = [usage for agent in agents for usage in agent.get("models") or ()]
    if usages:
        of_model = [usage for usage in usages if usage.get("model") == model.get("model")]
        cost = sum(map(agent_cost, of_model), NO_COST)
    else:
        cost = Cost.from_usd(model.get("cost"), None, complete=not model.get("unpriced_tokens"))
    return "unpriced" if cost.minimum is None and model.get("unpriced_tokens") else format_minimum(cost)


def tokens_fact(run: Run) -> RunFact | None:
    """Return the tokens of a run, in total and by kind; None if unknown."""
    if number(run.get("total_tokens")) is None:
        return None
    parts = (
        ("input", "input_tokens"),
        ("output", "output_tokens"),
        ("cache read", "cache_read_tokens"),
        ("cache write", "cache_creation_tokens"),
    )
    return _fact(
        format_tokens(run["total_tokens"]),
        *(FactNote(f"{word} {format_tokens(run.get(key))}") for word, key in parts),
    )


def earlier_pull_requests(run: Run) -> list[str]:
    """Return the names of the pull requests of a run before its last one, which its cost belongs to.

    >>> earlier_pull_requests({"pull_request": "9", "pull_requests": [{"number": 7}, {"number": 9}]})
    ['7']
    """
    pull_requests = run.get("pull_requests")
    found = map(to_pull_request, pull_requests if isinstance(pull_requests, list) else ())
    names = (single_line(pull_request_name(one)) for one in found if one is not None)
    return [name for name in names if name != run.get("pull_request")]


def format_work(run: Run) -> list[str]:
    """Return the workflow, issue class, issue, branch, pull requests and plan of a run, as far as known."""
    earlier = earlier_pull_requests(run)
    issue = run.get("issue_number")
    parts = (
        single_line(run["workflow_template"]) if run.get("workflow_template") else "",
        single_line(run["issue_class"]) if run.get("issue_class") else "",
        f"issue {single_line(issue)}" if issue else "",
        f"branch {single_line(run['branch_name'])}" if run.get("branch_name") else "",
        f"pull request {single_line(run['pull_request'])}" if run.get("pull_request") else "",
        f"earlier: {', '.join(earlier)}" if earlier else "",
        f"plan {single_line(run['plan_file'])}" if run.get("plan_file") else "",
    )
    return [part for part in parts if part]


def _fact(value: str, *notes: FactNote | None) -> RunFact:
    return RunFact(value, tuple(note for note in notes if note is not None and note.words))


def _unknown(reason: str) -> RunFact:
    return RunFact(UNKNOWN, (FactNote(reason, "source"),))


def _source_note(basis: Any, source: Any) -> FactNote | None:
    words = [single_line(word) for word in (basis, source) if word]
    return FactNote(": ".join(words), "source") if words else None


def _computed_cost_note(run: Run) -> FactNote | None:
    """Return a note on the computed cost and its difference from the reported cost, if there is one."""
    data, computed = run.get("cost_data") or {}, run.get("computed_cost")
    is_reported = any(agent.get("cost_basis") == CostBasis.REPORTED for agent in run.get("phase_costs") or ())
    has_cost = run.get("cost_basis") in (*RECORDED_BASES, CostBasis.LOWER_BOUND)
    if to_decimal(computed) is None or not has_cost or not is_reported:
        return None
    difference = data.get("cost_difference_percent")
    percent = "" if to_decimal(difference) is None else f", difference {format_percent_change(difference)}"
    return FactNote(f"computed {format_usd(computed)}{percent}", "doubt" if data.get("cost_disputed") else "")
