"""The facts of one run in words: a workflow dict in, each fact and what is said beside it out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..accounting.missing import silent_agents
from ..amounts import RECORDED, UNKNOWN, exact, money, number, spending, why_no_cost
from ..evidence import is_at_least_so_long
from .costs import BASES, at_least, spent_words
from .numbers import counted, duration, moment, offset_at, offset_name, percent, tokens
from .runs import lasted_words
from .text import one_line

Run = Mapping[str, Any]

NO_REQUEST: Final = "no request found: unknown what was asked"


class Note(NamedTuple):
    """What is said beside a fact."""

    words: str
    mood: str = ""  # source: where it is from; doubt: what must be looked at; "": part of the fact


class Fact(NamedTuple):
    """One fact of a run; its value is a dash where it is unknown."""

    value: str
    notes: tuple[Note, ...] = ()


def gone_words(run: Run) -> str:
    """Return what is said of a run whose files are gone."""
    since = f" since {moment(run['gone_at'])}" if run.get("gone_at") else ""
    return f"its files are gone{since}: only this history knows the run"


def when_fact(run: Run) -> Fact:
    """Return from when to when a run went.

    >>> when_fact({}).notes[0].words
    'its files tell no time that can be trusted; a copy keeps times by cp -a or rsync -a'
    """
    began, known = run.get("started_at") or run.get("created_at"), run.get("time_zone_known")
    start = moment(began, zone_known=known)
    if start == UNKNOWN:
        return _unknown("its files tell no time that can be trusted; a copy keeps times by cp -a or rsync -a")
    end = moment(run.get("completed_at"), zone_known=known)
    span = start if end == UNKNOWN else f"{start} → {_end(start, end)}"
    source = _source(run.get("times_basis"), run.get("times_source"))
    return _fact(span, Note(_zone_words(began, run)), source)


def _zone_words(began: Any, run: Run) -> str:
    """Return what zone a run's times are shown in, and its own where that is another."""
    here, own = offset_at(began), offset_name(run.get("utc_offset_minutes"))
    if run.get("time_zone_known") is False:
        return "time zone unknown"
    return f"{here}; its own: {own}" if own not in {here, None} else str(here)


def took_fact(run: Run) -> Fact:
    """Return how long a run took."""
    seconds = run.get("duration_seconds")
    if number(seconds) is None:
        return _unknown("nothing tells how long it ran")
    idle, slow = number(run.get("idle_time_seconds")), run.get("bottleneck_phase")
    return _fact(
        lasted_words(run),
        Note(f"longest {_of_known(run)}phase: {one_line(slow)}") if slow else None,
        Note(f"idle {duration(idle)}") if idle else None,
        _source(
            "at least" if is_at_least_so_long(run) else run.get("duration_basis"), run.get("duration_source")
        ),
    )


def _of_known(run: Run) -> str:
    """Return a word where the time of an agent without a stream is unknown."""
    return "known " if any(agent.get("duration_seconds") is None for agent in silent_agents(run)) else ""


def cost_fact(run: Run) -> Fact:
    """Return what a run cost, what that means, and what is not in it."""
    spent, basis = spending(run), run.get("cost_basis")
    if spent.known is None and not basis:
        return _unknown(why_no_cost(run.get("phase_costs") or ()))
    apart = spent_words(spent) if spent.beyond is not None else None
    missing = exact(run.get("unpriced_tokens"))
    retries = int(number(run.get("retry_count")) or 0)
    repeated = f"{money(run.get('retry_cost'))} of it for {counted(retries, 'retry', 'retries')}"
    return _fact(
        at_least(spent),
        None if apart and basis == "lower_bound" else Note(BASES.get(basis or "", one_line(basis))),
        Note(apart) if apart else None,
        _own_sum(run),
        Note(f"{tokens(missing)} tokens without a known price", "doubt") if missing else None,
        Note(repeated) if retries else None,
        _unheard(run),
    )


def tokens_fact(run: Run) -> Fact | None:
    """Return how many tokens a run took, by kind; None where that is unknown."""
    if number(run.get("total_tokens")) is None:
        return None
    parts = (
        ("in", "input_tokens"),
        ("out", "output_tokens"),
        ("cache read", "cache_read_tokens"),
        ("cache written", "cache_creation_tokens"),
    )
    return _fact(
        tokens(run["total_tokens"]), *(Note(f"{word} {tokens(run.get(key))}") for word, key in parts)
    )


def work_words(run: Run) -> list[str]:
    """Return what a run worked on: workflow, class, issue, branch and plan, as far as they are known."""
    issue = run.get("issue_number")
    words = (
        one_line(run["workflow_template"]) if run.get("workflow_template") else None,
        one_line(run["issue_class"]) if run.get("issue_class") else None,
        f"issue {one_line(issue)}" if issue else None,
        f"branch {one_line(run['branch_name'])}" if run.get("branch_name") else None,
        f"plan {one_line(run['plan_file'])}" if run.get("plan_file") else None,
    )
    return [word for word in words if word]


def _fact(value: str, *notes: Note | None) -> Fact:
    return Fact(value, tuple(note for note in notes if note is not None and note.words))


def _unknown(why: str) -> Fact:
    return Fact(UNKNOWN, (Note(why, "source"),))


def _source(basis: Any, source: Any) -> Note | None:
    words = [one_line(word) for word in (basis, source) if word]
    return Note(": ".join(words), "source") if words else None


def _end(start: str, end: str) -> str:
    """Return the end of a span; the day is said once."""
    day, _, hour = end.partition(" ")
    return hour if start.startswith(day) else end


def _own_sum(run: Run) -> Note | None:
    """Return tokens times price beside what was reported, and by how much the two differ."""
    data = run.get("cost_data") or {}
    own, off = run.get("computed_cost"), data.get("cost_difference_percent")
    reported = any(agent.get("cost_basis") == "reported" for agent in run.get("phase_costs") or ())
    if exact(own) is None or run.get("cost_basis") not in RECORDED | {"lower_bound"} or not reported:
        return None
    words = f"own sum {money(own)}" + (f" ({percent(off)})" if exact(off) is not None else "")
    return Note(words, "doubt" if data.get("cost_disputed") else "")


def _unheard(run: Run) -> Note | None:
    silent = run.get("agents_without_stream") or ()
    names = ", ".join(one_line(agent) for agent in silent)
    return Note(f"unknown what {names} spent: no stream") if names else None
