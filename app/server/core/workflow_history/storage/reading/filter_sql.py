"""Convert a validated filter to SQL conditions, each supported by an index; executes no query."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    and_,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from ...common.filters import SCORES, Range, RunFilter
from ..connection.dialects import Backend
from ..rows.column_types import sanitize_text, to_timestamp
from ..tables.schema import agent_runs, occurrences, patterns, silent_agents, workflows
from .search_query import parse_search
from .standing import stands_so

_NANODOLLARS = 1_000_000_000  # per US dollar
_LARGEST = 2**63 - 1  # maximum of an integer column


NAME_COLUMNS: Final = {
    "status": workflows.c.status,
    "project": workflows.c.project,
    "template": workflows.c.workflow_template,
    "issue_class": workflows.c.issue_class,
    "model": agent_runs.c.model,
    "phase": agent_runs.c.phase,
    "agent": agent_runs.c.agent,
}
"""Columns of the filters by name."""


class WhereClauses(NamedTuple):
    """Conditions that a run must meet, all of them."""

    own: list[ColumnElement[bool]]  # conditions on its own columns
    within: list[Select[Any]]  # queries for run keys; the run must be in each
    with_words: list[Select[Any]]  # full-text queries for run keys; the run must be in each
    outside: list[Select[Any]]  # queries for run keys; the run must be in none
    has_own_index: bool  # whether the conditions have an index of their own

    def clauses(self, *, one_by_one: bool = False) -> list[ColumnElement[bool]]:
        """Return the conditions as SQL.

        `one_by_one` looks up each run in the sets instead of building them, which is faster if a page
        fills soon. This excludes the full-text index, where each lookup would repeat the search.
        """
        sets = [_has(keys) if one_by_one else workflows.c.key.in_(keys) for keys in self.within]
        sets += [workflows.c.key.in_(keys) for keys in self.with_words]
        return [*self.own, *sets, *(workflows.c.key.not_in(keys) for keys in self.outside)]


def _has(keys: Select[Any]) -> ColumnElement[bool]:
    (column,) = keys.selected_columns
    return exists(keys.where(column == workflows.c.key).correlate(workflows))


def build_where(wanted: RunFilter, dialect: Backend) -> WhereClauses:
    """Return the conditions of a filter."""
    own, wanted = workflows.c, wanted.at()
    found = [
        *([stands_so(wanted.status)] if wanted.status else []),
        *_any_of(own.project, wanted.project),
        *_any_of(own.workflow_template, _with_and_without("adw_", wanted.template)),
        *_any_of(own.issue_class, _with_and_without("/", wanted.issue_class)),
        *_within(own.spent_nanodollars, wanted.cost, _NANODOLLARS),
        *_within(own.total_tokens, wanted.tokens),
        *_within(own.duration_seconds, wanted.duration),
    ]
    for name, bounds in wanted.scores.items():
        found += _within(own[SCORES[name]], bounds)
    if wanted.created_from is not None:
        found.append(own.created_at >= to_timestamp(wanted.created_from))
    if wanted.created_before is not None:
        found.append(own.created_at < to_timestamp(wanted.created_before))
    if wanted.has_cost is not None:
        cost = own.spent_nanodollars
        found.append(cost.is_not(None) if wanted.has_cost else cost.is_(None))
    if wanted.gone is not None:
        is_gone = func.coalesce(own.source_state, "") == "gone"
        found.append(is_gone if wanted.gone else ~is_gone)
    by_status = wanted == RunFilter(status=wanted.status)  # or without any filter
    return _with_sets(wanted, WhereClauses(found, [], [], [], by_status), dialect)


def _with_sets(wanted: RunFilter, found: WhereClauses, dialect: Backend) -> WhereClauses:
    """Add the conditions on other tables and indexes."""
    if wanted.phase:
        found.within.append(_with_agents("phase", wanted.phase))
    if wanted.agent:
        found.within.append(_with_agents("agent", wanted.agent))
    if wanted.model:
        found.within.append(_of_agents(agent_runs.c.model.in_(_model_names(wanted.model))))
    if wanted.pattern is not None:
        found.within.append(_with_pattern(wanted.pattern))
    if wanted.has_error is not None:
        others = workflows.alias()
        # A literal, as in the partial index, which the database does not use for a bound value.
        with_error = select(others.c.key).where(others.c.error_message != literal_column("''"))
        (found.within if wanted.has_error else found.outside).append(with_error)
    if wanted.search is not None and wanted.search.strip():
        _add_search(wanted.search, found, dialect)
    return found


def _add_search(search: str, found: WhereClauses, dialect: Backend) -> None:
    """Add the condition that a run contains all words of a search; a search without words matches no run."""
    pieces = parse_search(sanitize_text(search))
    asked, left_out = ([piece for piece in pieces if piece.left_out is out] for out in (False, True))
    if asked:
        found.with_words.append(_or_of_session(dialect.fulltext_query(asked), search.strip()))
    elif not left_out:
        found.own.append(false())
    found.outside.extend(dialect.fulltext_query([piece]) for piece in left_out)


def _or_of_session(with_words: Select[Any], search: str) -> Select[Any]:
    if not _SESSION.fullmatch(search):
        return with_words
    (key,) = with_words.union(of_session(search)).subquery().c
    return select(key)


def of_session(beginning: str) -> Select[Any]:
    """Return a query for the keys of runs with a stream whose session id begins with `beginning`."""
    begin, session = sanitize_text(beginning), agent_runs.c.session_id
    # A range instead of LIKE, for which SQLite would read all agent runs.
    return _of_agents(and_(session >= begin, session < f"{begin}{chr(sys.maxunicode)}"))


def _storable(words: Sequence[str]) -> list[str]:
    return [sanitize_text(word) for word in words]


def _any_of(column: ColumnElement[Any], words: Sequence[str]) -> list[ColumnElement[bool]]:
    return [column.in_(_storable(words))] if words else []


def _with_and_without(prefix: str, words: Sequence[str]) -> list[str]:
    """Return each word with and without `prefix`: tables show the short form, files have the long one."""
    return [
        form for word in words for form in (word.removeprefix(prefix), prefix + word.removeprefix(prefix))
    ]


def _within(column: ColumnElement[Any], bounds: Range | None, unit: int = 1) -> list[ColumnElement[bool]]:
    if bounds is None:
        return []
    is_whole = isinstance(column.type, Integer)  # a database may round the compared value
    found: list[ColumnElement[bool]] = [column.is_not(None)]
    if bounds.minimum is not None:
        least = _in_units(bounds.minimum, unit)
        found.append(column >= (math.ceil(least) if is_whole else least))
    if bounds.maximum is not None:
        most = _in_units(bounds.maximum, unit)
        found.append(column <= (math.floor(most) if is_whole else most))
    return found


def _in_units(amount: float, unit: int) -> float:
    """Return an amount in the unit of its column, clamped to the range of the column."""
    held = min(max(amount, -_LARGEST / unit), _LARGEST / unit)
    return max(-_LARGEST, min(round(held * unit) if unit > 1 else held, _LARGEST))


def _with_agents(column: str, names: Sequence[str]) -> Select[Any]:
    """Return a query for the runs with an agent of these names or phases, with or without a stream."""
    words = _storable(names)
    tables = (agent_runs, silent_agents)
    runs = union_all(*(select(t.c.workflow_key).where(t.c[column].in_(words)) for t in tables))
    both = runs.subquery("with_agents")
    return select(both.c.workflow_key)


def _of_agents(clause: ColumnElement[bool]) -> Select[Any]:
    return select(agent_runs.c.workflow_key).where(clause)


def _model_names(words: Sequence[str]) -> Select[Any]:
    """Return a query for the model names that contain one of the words."""
    names = distinct_names(agent_runs.c.model)
    holds = (names.c.name.icontains(sanitize_text(word), autoescape=True) for word in words)
    return select(names.c.name).where(or_(*holds))


def distinct_names(column: Column[Any]) -> CTE:
    """Return a query for the distinct values of a column, labelled `name`; NULL may be among them.

    With an index, each value is searched from the previous one, so that a few names don't require a scan
    of all runs.
    """
    if not any(index.columns[0] is column for index in column.table.indexes):
        return select(column.label("name")).distinct().cte("names")
    names = select(func.min(column).label("name")).cte("names", recursive=True)
    following = select(func.min(column)).where(column > names.c.name).scalar_subquery()
    return names.union_all(select(following).where(names.c.name.is_not(None)))


def _with_pattern(name: str) -> Select[Any]:
    return select(occurrences.c.workflow_key).where(occurrences.c.pattern_key.in_(patterns_by_name(name)))


def patterns_by_name(name: str) -> Select[Any] | CompoundSelect[Any]:
    """Return a query for the keys of patterns with this signature, otherwise with this id or id prefix."""
    own, others, text = patterns.c, patterns.alias(), sanitize_text(name)
    exact = select(own.key).where(own.signature == text)
    digits = text.lower()
    if not _ID.fullmatch(digits):
        return exact
    taken = exists(select(others.c.key).where(others.c.signature == text))
    return exact.union_all(select(own.key).where(own.id >= digits, own.id < digits + "g", ~taken))


_SESSION: Final = re.compile(r"(?=.*\d)[\w-]{8,200}", re.ASCII)
"""A search that may be a session id or its beginning, long enough that it is hardly a word."""

_ID: Final = re.compile("[0-9a-f]{4,16}")
"""The id of a pattern or its beginning, long enough that it is hardly a word."""
