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
    union,
    union_all,
)

from ...common.filters import SCORES, Range, RunFilter
from ...common.models import SourceState
from ...common.pull_requests import normalize_pull_request
from ...common.spending import NANODOLLARS
from ..connection.dialects import Dialect
from ..rows.column_types import MAX_INTEGER, sanitize_text, to_timestamp
from ..tables.schema import agent_runs, model_usage, occurrences, patterns, silent_agents, workflows
from .current_status import has_status
from .search_query import parse_search

NAME_COLUMNS: Final = {
    "status": (workflows.c.status,),
    "project": (workflows.c.project,),
    "template": (workflows.c.workflow_template,),
    "issue_class": (workflows.c.issue_class,),
    "branch": (workflows.c.branch_name,),
    "issue": (workflows.c.issue_number,),
    "pr": (workflows.c.pull_request,),
    "model": (agent_runs.c.model, model_usage.c.model),
    "phase": (agent_runs.c.phase,),
    "agent": (agent_runs.c.agent,),
}
"""Columns of the filters by name."""


_other_run = workflows.alias()
"""Runs in a query for run keys."""


class WhereClauses(NamedTuple):
    """Conditions that a run must meet, all of them."""

    conditions: list[ColumnElement[bool]]  # conditions on its own columns
    included_keys: list[Select[Any]]  # queries for run keys; the run must be in each
    fulltext_keys: list[Select[Any]]  # full-text queries for run keys; the run must be in each
    excluded_keys: list[Select[Any]]  # queries for run keys; the run must be in none
    has_own_index: bool  # whether the conditions have an index of their own

    def clauses(self, *, one_by_one: bool = False) -> list[ColumnElement[bool]]:
        """Return the conditions as SQL.

        `one_by_one` looks up each run in the sets instead of building them, which is faster if a page
        fills soon. This excludes the full-text index, where each lookup would repeat the search.
        """
        key = workflows.c.key
        clauses = [*self.conditions]
        for keys in self.included_keys:
            (column,) = keys.selected_columns
            is_found = exists(keys.where(column == key).correlate(workflows))
            clauses.append(is_found if one_by_one else key.in_(keys))
        clauses += [key.in_(keys) for keys in self.fulltext_keys]
        return [*clauses, *(key.not_in(keys) for keys in self.excluded_keys)]


def build_where(run_filter: RunFilter, dialect: Dialect) -> WhereClauses:
    """Return the conditions of a filter."""
    run, run_filter = workflows.c, run_filter.at()
    conditions = [
        *([has_status(run_filter.status)] if run_filter.status else []),
        *_name_conditions(run.project, run_filter.project),
        *_name_conditions(run.workflow_template, _prefix_variants("adw_", run_filter.template)),
        *_name_conditions(run.issue_class, _prefix_variants("/", run_filter.issue_class)),
        *_range_conditions(run.spent_nanodollars, run_filter.cost, NANODOLLARS),
        *_range_conditions(run.total_tokens, run_filter.tokens),
        *_range_conditions(run.duration_seconds, run_filter.duration),
    ]
    for name, bounds in run_filter.scores.items():
        conditions += _range_conditions(run[SCORES[name]], bounds)
    if run_filter.created_from is not None:
        conditions.append(run.created_at >= to_timestamp(run_filter.created_from))
    if run_filter.created_before is not None:
        conditions.append(run.created_at < to_timestamp(run_filter.created_before))
    if run_filter.has_cost is not None:
        cost = run.spent_nanodollars
        conditions.append(cost.is_not(None) if run_filter.has_cost else cost.is_(None))
    if run_filter.missing is not None:
        is_missing = func.coalesce(run.source_state, "") == SourceState.MISSING
        conditions.append(is_missing if run_filter.missing else ~is_missing)
    has_own_index = run_filter == RunFilter(status=run_filter.status)  # or without any filter
    return _add_related_conditions(run_filter, WhereClauses(conditions, [], [], [], has_own_index), dialect)


def _add_related_conditions(run_filter: RunFilter, where: WhereClauses, dialect: Dialect) -> WhereClauses:
    """Add the conditions on other tables and indexes."""
    run = _other_run.c
    for condition in (
        *_name_conditions(run.branch_name, run_filter.branch),
        *_name_conditions(run.issue_number, _prefix_variants("#", run_filter.issue)),
        *([or_(*map(_is_pull_request, _storable(run_filter.pr)))] if run_filter.pr else []),
    ):
        where.included_keys.append(select(run.key).where(condition))
    if run_filter.phase:
        where.included_keys.append(_runs_with_agents("phase", run_filter.phase))
    if run_filter.agent:
        where.included_keys.append(_runs_with_agents("agent", run_filter.agent))
    if run_filter.model:
        where.included_keys.append(_runs_with_models(_storable(run_filter.model)))
    if run_filter.pattern is not None:
        is_of_pattern = occurrences.c.pattern_key.in_(patterns_by_name(run_filter.pattern))
        where.included_keys.append(select(occurrences.c.workflow_key).where(is_of_pattern))
    if run_filter.has_error is not None:
        # A literal, as in the partial index, which the database does not use for a bound value.
        with_error = select(_other_run.c.key).where(_other_run.c.error_message != literal_column("''"))
        (where.included_keys if run_filter.has_error else where.excluded_keys).append(with_error)
    if run_filter.search is not None and run_filter.search.strip():
        _add_search(run_filter.search, where, dialect)
    return where


def _add_search(search: str, where: WhereClauses, dialect: Dialect) -> None:
    """Add the condition that a run contains all words of a search; a search without words matches no run."""
    terms = parse_search(sanitize_text(search))
    included = [term for term in terms if not term.is_excluded]
    excluded = [term for term in terms if term.is_excluded]
    if included:
        keys = dialect.fulltext_query(included)
        if _SESSION_ID.fullmatch(search.strip()):
            (key,) = keys.union(runs_of_session(search.strip())).subquery().c
            keys = select(key)
        where.fulltext_keys.append(keys)
    elif not excluded:
        where.conditions.append(false())
    where.excluded_keys.extend(dialect.fulltext_query([term]) for term in excluded)


def runs_of_session(text: str) -> Select[Any]:
    """Return a query for the keys of runs with a stream whose session id begins with `text`."""
    prefix, session = sanitize_text(text), agent_runs.c.session_id
    # A range instead of LIKE, for which SQLite would read all agent runs.
    return _runs_of_agents(and_(session >= prefix, session < f"{prefix}{chr(sys.maxunicode)}"))


def _storable(words: Sequence[str]) -> list[str]:
    return [sanitize_text(word) for word in words]


def _name_conditions(column: ColumnElement[Any], words: Sequence[str]) -> list[ColumnElement[bool]]:
    return [column.in_(_storable(words))] if words else []


def _is_pull_request(word: str) -> ColumnElement[bool]:
    """Return the condition for a pull request; a number without a repository means that of any repository."""
    name, column = normalize_pull_request(word), _other_run.c.pull_request
    if not name.isdecimal():
        return column == name
    return or_(column == name, column.endswith(f"#{name}", autoescape=True))


def _prefix_variants(prefix: str, words: Sequence[str]) -> list[str]:
    """Return each word with and without `prefix`: tables show the short form, files have the long one."""
    return [
        form for word in words for form in (word.removeprefix(prefix), prefix + word.removeprefix(prefix))
    ]


def _range_conditions(
    column: ColumnElement[Any], bounds: Range | None, unit: int = 1
) -> list[ColumnElement[bool]]:
    if bounds is None:
        return []
    is_whole = isinstance(column.type, Integer)  # a database may round the compared value
    conditions: list[ColumnElement[bool]] = [column.is_not(None)]
    if bounds.minimum is not None:
        minimum = _to_column_unit(bounds.minimum, unit)
        conditions.append(column >= (math.ceil(minimum) if is_whole else minimum))
    if bounds.maximum is not None:
        maximum = _to_column_unit(bounds.maximum, unit)
        conditions.append(column <= (math.floor(maximum) if is_whole else maximum))
    return conditions


def _to_column_unit(amount: float, unit: int) -> float:
    """Return an amount in the unit of its column, clamped to the range of the column."""
    clamped = min(max(amount, -MAX_INTEGER / unit), MAX_INTEGER / unit)
    return max(-MAX_INTEGER, min(round(clamped * unit) if unit > 1 else clamped, MAX_INTEGER))


def _runs_with_agents(column: str, names: Sequence[str]) -> Select[Any]:
    """Return a query for the runs with an agent of these names or phases, with or without a stream."""
    words = _storable(names)
    tables = (agent_runs, silent_agents)
    runs = union_all(*(select(t.c.workflow_key).where(t.c[column].in_(words)) for t in tables))
    return select(runs.subquery("with_agents").c.workflow_key)


def _runs_with_models(words: Sequence[str]) -> Select[Any]:
    """Return a query for the runs of which an agent run used one of these models.

    A word is a whole name, which may lack `claude-`, or else a part of a name.
    """
    tables = (agent_runs, model_usage)  # the main model of each agent run, and all that it used
    names = union(*(select(distinct_names(table.c.model).c.name) for table in tables)).cte("model_names")
    name, other_name = names.c.name, names.alias().c.name
    matches = []
    for word in words:
        whole = (word.lower(), f"claude-{word.lower()}")
        is_known = exists(select(other_name).where(func.lower(other_name).in_(whole)))
        is_part = and_(name.icontains(word, autoescape=True), ~is_known)
        matches.append(or_(func.lower(name).in_(whole), is_part))
    wanted = select(name).where(or_(*matches))
    runs = union(*(select(table.c.workflow_key).where(table.c.model.in_(wanted)) for table in tables))
    return select(runs.subquery().c.workflow_key)


def _runs_of_agents(clause: ColumnElement[bool]) -> Select[Any]:
    return select(agent_runs.c.workflow_key).where(clause)


def distinct_names(column: Column[Any]) -> CTE:
    """Return a query for the distinct values of a column, labelled `name`; NULL may be among them.

    With an index, each value is searched from the previous one, so that a few names don't require a scan
    of all runs.
    """
    if not any(index.columns[0] is column for index in column.table.indexes):
        return select(column.label("name")).distinct().cte(f"names_in_{column.table.name}")
    names = select(func.min(column).label("name")).cte(f"names_in_{column.table.name}", recursive=True)
    following = select(func.min(column)).where(column > names.c.name).scalar_subquery()
    return names.union_all(select(following).where(names.c.name.is_not(None)))


def patterns_by_name(name: str) -> Select[Any] | CompoundSelect[Any]:
    """Return a query for the keys of patterns with this signature, otherwise with this id or id prefix."""
    pattern, other, text = patterns.c, patterns.alias(), sanitize_text(name)
    exact = select(pattern.key).where(pattern.signature == text)
    digits = text.lower()
    if not _PATTERN_ID.fullmatch(digits):
        return exact
    is_signature = exists(select(other.c.key).where(other.c.signature == text))
    return exact.union_all(
        select(pattern.key).where(pattern.id >= digits, pattern.id < digits + "g", ~is_signature)
    )


_SESSION_ID: Final = re.compile(r"(?=.*\d)[\w-]{8,200}", re.ASCII)
"""A search that may be a session id or its beginning, long enough that it is hardly a word."""

_PATTERN_ID: Final = re.compile("[0-9a-f]{4,16}")
"""The id of a pattern or its beginning, long enough that it is hardly a word."""
