"""Validated queries for lists and references of runs, as SELECT statements; executes none of them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple, Self

import msgspec
from sqlalchemy import Column, ColumnElement, Select, and_, or_, select

from ...common.errors import InvalidQueryError, InvalidValueError
from ...common.filters import RunFilter
from ..rows.column_types import MAX_INTEGER, sanitize_text
from ..rows.row_codec import WORKFLOW
from ..tables.schema import workflows
from .current_status import has_status
from .filter_sql import runs_of_session

_CURSOR_ERROR = (
    "Invalid cursor: it belongs to another list or other filters. Omit it to start with the first page."
)


class PageCursor(NamedTuple):
    """The last row of a page; it stays valid when runs are stored meanwhile."""

    value: Any  # value of the sort column, as stored
    id: str
    project: str

    def encode(self, list_name: str) -> str:
        """Return the cursor as one word, valid only for lists with this name."""
        packed = msgspec.msgpack.encode([list_name, *self])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, list_name: str) -> Self:
        """Parse an encoded cursor; raises InvalidQueryError if it is malformed or of another list."""
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            name, value, run_id, project = msgspec.msgpack.decode(packed, type=list)
        except (ValueError, TypeError, RecursionError, binascii.Error, msgspec.MsgspecError) as error:
            raise InvalidQueryError(_CURSOR_ERROR) from error
        are_texts = isinstance(run_id, str) and isinstance(project, str)
        if isinstance(value, int | float):
            is_storable = -MAX_INTEGER <= value <= MAX_INTEGER
        else:
            is_storable = value is None or isinstance(value, str)
        if name != list_name or not are_texts or not is_storable:
            raise InvalidQueryError(_CURSOR_ERROR)
        return cls(value, run_id, project)

    def validate(self, kind: type) -> None:
        """Raise InvalidQueryError if the cursor cannot belong to a sort column of this type."""
        texts = [self.id, self.project, *([self.value] if isinstance(self.value, str) else ())]
        has_type = self.value is None or isinstance(self.value, (int, float) if kind is float else kind)
        is_storable = not isinstance(self.value, int) or abs(self.value) <= MAX_INTEGER
        if not (has_type and is_storable and all(text == sanitize_text(text) for text in texts)):
            raise InvalidQueryError(_CURSOR_ERROR)


def query_fingerprint(run_filter: RunFilter, sort_by: str, sort_order: str) -> str:
    """Return a short name for a list, which differs for other filters or another order."""
    text = repr((run_filter, sort_by, sort_order.upper()))
    return blake2b(text.encode(errors="surrogatepass"), digest_size=6).hexdigest()


_SPENT_KEY = "spent"
SORT_KEYS = (
    *(
        key
        for key, column in WORKFLOW.fields.items()
        if column.kind in {"text", "whole", "real", "money", "time"} and key not in WORKFLOW.hidden
    ),
    _SPENT_KEY,  # recorded cost plus lower bound, as in lists
)
SORT_ORDERS = ("ASC", "DESC")
_MAX_REFERENCE_LENGTH = 10_000  # maximum length of a project and an id, characters
_MAX_SLASHES = 50  # maximum number of slashes tried as their separator: no path is deeper
MAX_ROWS = MAX_INTEGER  # largest number of rows that a database can count


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Validated query for one page of runs; raises InvalidQueryError with the allowed values."""

    run_filter: RunFilter = field(default_factory=RunFilter)
    sort_by: str = "created_at"
    sort_order: str = "DESC"
    limit: int = 50
    offset: int = 0
    after: PageCursor | None = None  # last row of the previous page; instead of an offset

    def __post_init__(self) -> None:
        check_limit("limit", self.limit)
        check_limit("offset", self.offset)
        if self.sort_by not in SORT_KEYS:
            raise InvalidValueError("sort_by", self.sort_by, f"Use one of: {', '.join(SORT_KEYS)}.")
        if not isinstance(self.sort_order, str) or self.sort_order.upper() not in SORT_ORDERS:
            raise InvalidValueError("sort_order", self.sort_order, "Use ASC or DESC.")
        if self.after is not None and self.offset:
            raise InvalidQueryError("cursor and offset exclude each other. Use one of them.")
        if self.after is not None:
            self.after.validate(self.column.type.python_type)

    @property
    def descending(self) -> bool:
        """Whether the largest values come first."""
        return self.sort_order.upper() == "DESC"

    @property
    def column(self) -> Column[Any]:
        """The sort column."""
        if self.sort_by in (_SPENT_KEY, "total_cost"):
            return workflows.c.spent_nanodollars
        return workflows.c[WORKFLOW.fields[self.sort_by].column]

    @property
    def order(self) -> list[Column[Any]]:
        """All sort columns: id and project break ties. A repeated column would prevent use of the index."""
        return [
            self.column,
            *(tie for tie in (workflows.c.id, workflows.c.project) if tie is not self.column),
        ]


def check_limit(name: str, value: Any) -> None:
    """Raise InvalidQueryError if `value` is not a valid number of rows."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_ROWS:
        raise InvalidValueError(name, value, f"Use a whole number from 0 to {MAX_ROWS}.")


def by_reference(reference: str, project: str | None = None) -> Select[Any]:
    """Return a query for the workflows with this id or "project/id" ("/id" for a run without a project)."""
    text = sanitize_text(reference)
    slashes = [index for index, char in enumerate(text[:_MAX_REFERENCE_LENGTH]) if char == "/"][:_MAX_SLASHES]
    full_references = [
        and_(workflows.c.project == text[:slash], workflows.c.id == text[slash + 1 :]) for slash in slashes
    ]
    query = _identities().where(or_(workflows.c.id == text, *full_references))
    return query if project is None else query.where(workflows.c.project == sanitize_text(project))


def by_prefix(prefix: str, limit: int, *, whole_projects: bool = False) -> Select[Any]:
    """Return a query for the workflows whose id or "project/id" begins with `prefix`.

    With `whole_projects`, "project/" matches all workflows of a project.
    """
    text = sanitize_text(prefix)
    project, slash, rest = text.partition("/")
    is_in_project = and_(workflows.c.project == project, workflows.c.id.startswith(rest, autoescape=True))
    condition = workflows.c.id.startswith(text, autoescape=True)
    condition = or_(condition, is_in_project) if rest or (slash and whole_projects) else condition
    return _first_identities(condition, limit)


def by_part_prefix(text: str, limit: int) -> Select[Any]:
    """Return a query for the workflows with a part of the id, after a slash, that begins with `text`.

    "project/" may precede this part in `text`.
    """
    project, slash, rest = sanitize_text(text).partition("/")
    has_part = workflows.c.id.contains(f"/{sanitize_text(text)}", autoescape=True)
    is_in_project = and_(workflows.c.project == project, workflows.c.id.contains(f"/{rest}", autoescape=True))
    return _first_identities(or_(has_part, is_in_project) if slash and rest else has_part, limit)


def by_session(text: str, limit: int) -> Select[Any]:
    """Return a query for the workflows with a stream whose session id begins with `text`."""
    return _first_identities(workflows.c.key.in_(runs_of_session(text)), limit)


def by_file_name(name: str, limit: int) -> Select[Any]:
    """Return a query for the workflows whose id, or whose id's last part after a slash, is `name`."""
    text = sanitize_text(name)
    return _first_identities(
        or_(workflows.c.id == text, workflows.c.id.endswith(f"/{text}", autoescape=True)), limit
    )


def by_substring(text: str, limit: int) -> Select[Any]:
    """Return a query for the workflows whose id contains `text`."""
    return _first_identities(workflows.c.id.contains(sanitize_text(text), autoescape=True), limit)


def _first_identities(condition: ColumnElement[bool], limit: int) -> Select[Any]:
    return _identities().where(condition).order_by(workflows.c.id, workflows.c.project).limit(limit)


def by_status_and_date(
    status: str | None = None,
    created_from: str | None = None,
    created_before: str | None = None,
    after_key: int = 0,
    limit: int | None = None,
) -> Select[Any]:
    """Return a query for workflows by key, which can continue after `after_key` while rows change."""
    query = _identities().where(workflows.c.key > after_key).order_by(workflows.c.key).limit(limit)
    if status is not None:
        query = query.where(has_status([status]))
    if created_from is not None:
        query = query.where(workflows.c.created_at >= created_from)
    if created_before is not None:
        query = query.where(workflows.c.created_at < created_before)
    return query


def _identities() -> Select[Any]:
    return select(workflows.c.key, workflows.c.project, workflows.c.id)
