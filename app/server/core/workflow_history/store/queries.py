"""What a caller may ask of the history: checked words go in, SELECTs come out; runs none of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, or_, select

from ..errors import InvalidQueryError
from ..filters import RunFilter
from .codec import WORKFLOW
from .cursor import Cursor
from .schema import workflows
from .standing import stands_so
from .values import storable_text

_SPENT = "spent"
SORT_KEYS = (
    *(
        key
        for key, known in WORKFLOW.fields.items()
        if known.kind in {"text", "whole", "real", "money", "time"} and key not in WORKFLOW.hidden
    ),
    _SPENT,  # on record and beyond it: what lists show
)
SORT_ORDERS = ("ASC", "DESC")
_LONGEST = 10_000  # characters of a project and an id
_MOST_CUTS = 50  # slashes at which a reference may part into both: no path is deeper
MOST_ROWS = 2**63 - 1  # as many as a database can count


@dataclass(frozen=True, slots=True)
class PageQuery:
    """One page of the history, checked: raises InvalidQueryError, which names what is allowed."""

    wanted: RunFilter = field(default_factory=RunFilter)
    sort_by: str = "created_at"
    sort_order: str = "DESC"
    limit: int = 50
    offset: int = 0
    after: Cursor | None = None  # the last row of the page before; instead of an offset

    def __post_init__(self) -> None:
        check_count("limit", self.limit)
        check_count("offset", self.offset)
        if self.sort_by not in SORT_KEYS:
            raise InvalidQueryError(
                f"sort_by={self.sort_by!r} is unknown; use one of: {', '.join(SORT_KEYS)}"
            )
        if not isinstance(self.sort_order, str) or self.sort_order.upper() not in SORT_ORDERS:
            raise InvalidQueryError(f"sort_order={self.sort_order!r} is unknown; use ASC or DESC")
        if self.after is not None and self.offset:
            raise InvalidQueryError("a cursor and an offset together say two places; give one of them")
        if self.after is not None:
            self.after.check(self.column.type.python_type)

    @property
    def descending(self) -> bool:
        """Whether the largest come first."""
        return self.sort_order.upper() == "DESC"

    @property
    def column(self) -> Column[Any]:
        """The column that decides the order."""
        if self.sort_by == _SPENT:
            return workflows.c.spent_nanodollars
        return workflows.c[WORKFLOW.fields[self.sort_by].column]

    @property
    def order(self) -> list[Column[Any]]:
        """All columns that decide: id and project among equals. One named twice would cost the index."""
        return [
            self.column,
            *(tie for tie in (workflows.c.id, workflows.c.project) if tie is not self.column),
        ]


def check_count(name: str, value: Any) -> None:
    """Raise InvalidQueryError where `value` is no number of rows."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_ROWS:
        raise InvalidQueryError(
            f"{name}={value!r} is not allowed; use a whole number of 0 or more, at most {MOST_ROWS}"
        )


def named(reference: str, project: str | None = None) -> Select[Any]:
    """Select the workflows that `reference` names: an id, or "project/id" ("/id" where none was named)."""
    text = storable_text(reference)
    cuts = [place for place, char in enumerate(text[:_LONGEST]) if char == "/"][:_MOST_CUTS]
    wholes = [and_(workflows.c.project == text[:cut], workflows.c.id == text[cut + 1 :]) for cut in cuts]
    query = _identities().where(or_(workflows.c.id == text, *wholes))
    return query if project is None else query.where(workflows.c.project == storable_text(project))


def starting_with(prefix: str, limit: int, *, whole_projects: bool = False) -> Select[Any]:
    """Select the workflows whose id, or "project/id", begins so; "project/" may mean all of its."""
    text = storable_text(prefix)
    project, slash, rest = text.partition("/")
    named = and_(workflows.c.project == project, workflows.c.id.startswith(rest, autoescape=True))
    matching = workflows.c.id.startswith(text, autoescape=True)
    matching = or_(matching, named) if rest or (slash and whole_projects) else matching
    return _first(matching, limit)


def with_part_starting(text: str, limit: int) -> Select[Any]:
    """Select the workflows of whose id a part after a slash begins so; "project/" before it may stand."""
    project, slash, rest = storable_text(text).partition("/")
    part = workflows.c.id.contains(f"/{storable_text(text)}", autoescape=True)
    named = and_(workflows.c.project == project, workflows.c.id.contains(f"/{rest}", autoescape=True))
    return _first(or_(part, named) if slash and rest else part, limit)


def containing(text: str, limit: int) -> Select[Any]:
    """Select the workflows whose id has a text somewhere in it."""
    return _first(workflows.c.id.contains(storable_text(text), autoescape=True), limit)


def _first(condition: ColumnElement[bool], limit: int) -> Select[Any]:
    return _identities().where(condition).order_by(workflows.c.id, workflows.c.project).limit(limit)


def chosen(
    status: str | None = None,
    created_from: str | None = None,
    created_before: str | None = None,
    after_key: int = 0,
    limit: int | None = None,
) -> Select[Any]:
    """Select workflows in the order of their keys: safe to go on after a key while rows change."""
    query = _identities().where(workflows.c.key > after_key).order_by(workflows.c.key).limit(limit)
    if status is not None:
        query = query.where(stands_so([status]))
    if created_from is not None:
        query = query.where(workflows.c.created_at >= created_from)
    if created_before is not None:
        query = query.where(workflows.c.created_at < created_before)
    return query


def _identities() -> Select[Any]:
    return select(workflows.c.key, workflows.c.project, workflows.c.id)
