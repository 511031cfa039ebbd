"""Read the little of runs that a list shows: keys in, flat dicts out, in one query; writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, func, select

from ..amounts import ANOTHER_RUN
from .bulk import chunks
from .codec import WORKFLOW
from .recorded import original
from .schema import workflows
from .standing import shown
from .values import without_unknown_zone
from .zones import ZONE_KNOWN

KEYS: Final = (
    "project", "id", "status", "status_reason", "created_at", "started_at", "completed_at", "times_basis",
    "utc_offset_minutes", "duration_seconds", "duration_basis", "issue_number", "issue_class",
    "workflow_template", "model_used", "branch_name", "current_phase", "total_cost", "cost_basis",
    "lower_bound_cost", "retry_count", "total_tokens", "nl_clarity_score", "cost_efficiency_score",
    "performance_score", "quality_score", "source_state", "agents_dir",
)  # fmt: skip
"""What of a run is in a list, by its own name."""

TEXTS: Final = {"nl_input": 400, "error_message": 400}
"""Of these only the beginning, so many characters: a request may be a book."""

_FIELDS: Final = WORKFLOW.only(KEYS).fields


def _query() -> Select[Any]:
    """Select a list's rows, made once: SQLAlchemy takes as long to put it together as SQLite to answer it."""
    own = workflows.c
    columns = [shown(field.column) for field in _FIELDS.values()]
    texts = [func.substr(own[name], 1, most).label(name) for name, most in TEXTS.items()]
    more = (ZONE_KNOWN.label("time_zone_known"), *texts, original().label("copy_of"))
    query = select(own.key, *columns, *more)
    return query.where(own.key.in_(bindparam("wanted", expanding=True)))


_QUERY: Final = _query()
_NAMES: Final = (*_FIELDS, "time_zone_known", *TEXTS, "copy_of")
_DECODED: Final = (
    *((place, field.decode) for place, field in enumerate(_FIELDS.values()) if field.decode is not None),
    (len(_FIELDS), bool),
    (len(_NAMES) - 1, lambda stream: stream.partition(ANOTHER_RUN)[0]),
)
"""Places of the values that are not shown as they are stored."""


def brief_runs(connection: Connection, keys: Sequence[int]) -> list[dict[str, Any]]:
    """Return these runs in the order of `keys`; unknown ones are left out."""
    found: dict[int, dict[str, Any]] = {}
    for some in chunks(keys):
        cursor: Any = connection.execute(_QUERY, {"wanted": list(some)}).cursor
        for key, *values in cursor.fetchall():  # the driver's rows: a list has many
            for place, decode in _DECODED:
                if values[place] is not None:
                    values[place] = decode(values[place])
            found[key] = without_unknown_zone(dict(zip(_NAMES, values, strict=True)))
    return [found[key] for key in keys if key in found]
