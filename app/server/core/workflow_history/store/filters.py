"""Turn a checked filter into SQL conditions: each is answered by an index; runs none of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select

from ..filters import SCORES, Range, RunFilter
from .dialects import Dialect
from .schema import agent_runs, occurrences, patterns, workflows
from .search_words import pieces_of
from .values import storable_text, to_time

_NANODOLLARS = 1_000_000_000  # in one US dollar


def conditions(wanted: RunFilter, dialect: Dialect) -> list[ColumnElement[bool]]:
    """Return what a run must meet, all of it."""
    own = workflows.c
    found = [
        *_any_of(own.status, wanted.status),
        *_any_of(own.project, wanted.project),
        *_any_of(own.workflow_template, wanted.template),
        *_any_of(own.issue_class, _with_and_without_slash(wanted.issue_class)),
        *_within(own.total_cost_nanodollars, wanted.cost, _NANODOLLARS),
        *_within(own.total_tokens, wanted.tokens),
        *_within(own.duration_seconds, wanted.duration),
        *_of_agents(agent_runs.c.phase, wanted.phase),
        *_of_agents(agent_runs.c.agent, wanted.agent),
        *_of_models(wanted.model),
    ]
    for name, bounds in wanted.scores.items():
        found += _within(own[SCORES[name]], bounds)
    if wanted.created_from is not None:
        found.append(own.created_at >= to_time(wanted.created_from))
    if wanted.created_before is not None:
        found.append(own.created_at < to_time(wanted.created_before))
    if wanted.has_error is not None:
        with_error = select(own.key).where(own.error_message != "")
        found.append(own.key.in_(with_error) if wanted.has_error else own.key.not_in(with_error))
    if wanted.gone is not None:
        is_gone = func.coalesce(own.source_state, "") == "gone"
        found.append(is_gone if wanted.gone else ~is_gone)
    if wanted.pattern is not None:
        found.append(own.key.in_(_with_pattern(wanted.pattern)))
    if wanted.search is not None and wanted.search.strip():
        found += _holding(wanted.search, dialect)
    return found


def _holding(search: str, dialect: Dialect) -> list[ColumnElement[bool]]:
    """Return what runs meet that hold all words of a search; one without any word is held by none."""
    pieces = pieces_of(storable_text(search))
    if not pieces:
        return [false()]
    asked, left_out = ([piece for piece in pieces if piece.left_out is out] for out in (False, True))
    found: list[ColumnElement[bool]] = []
    if asked:
        found.append(workflows.c.key.in_(dialect.with_words(asked)))
    return found + [workflows.c.key.not_in(dialect.with_words([piece])) for piece in left_out]


def _any_of(column: ColumnElement[Any], words: Sequence[str]) -> list[ColumnElement[bool]]:
    return [column.in_([storable_text(word) for word in words])] if words else []


def _with_and_without_slash(words: Sequence[str]) -> list[str]:
    return [form for word in words for form in (word.removeprefix("/"), f"/{word.removeprefix('/')}")]


def _within(column: ColumnElement[Any], bounds: Range | None, unit: int = 1) -> list[ColumnElement[bool]]:
    if bounds is None:
        return []
    found: list[ColumnElement[bool]] = [column.is_not(None)]
    if bounds.least is not None:
        found.append(column >= _in_units(bounds.least, unit))
    if bounds.most is not None:
        found.append(column <= _in_units(bounds.most, unit))
    return found


def _in_units(amount: float, unit: int) -> float:
    return round(amount * unit) if unit > 1 else amount


def _of_agents(column: ColumnElement[Any], words: Sequence[str]) -> list[ColumnElement[bool]]:
    if not words:
        return []
    runs = select(agent_runs.c.workflow_key).where(*_any_of(column, words))
    return [workflows.c.key.in_(runs)]


def _of_models(words: Sequence[str]) -> list[ColumnElement[bool]]:
    """Return what runs meet of which some agent used such a model; a part of the name is enough."""
    if not words:
        return []
    names = select(agent_runs.c.model).distinct().where(
        or_(*(agent_runs.c.model.icontains(storable_text(word), autoescape=True) for word in words))
    )  # fmt: skip
    return [workflows.c.key.in_(select(agent_runs.c.workflow_key).where(agent_runs.c.model.in_(names)))]


def _with_pattern(name: str) -> Select[Any]:
    text = storable_text(name)
    keys = select(patterns.c.key).where(patterns.c.signature == text)
    return select(occurrences.c.workflow_key).where(occurrences.c.pattern_key.in_(keys))
