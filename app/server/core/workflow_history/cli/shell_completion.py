"""Shell completion: a half-typed word in, its completions out; no completions after any error.

Values from the history are offered only if every shell reads them as a plain word.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, Final

from typer.completion import completion_init  # type: ignore[attr-defined] # Typer types no re-exports

from ..common.filters import SCORES
from .common_options import GlobalOptions

MAX_COMPLETIONS: Final = 50  # maximum number of values from a history

_SAFE: Final = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./@+-]*")

Complete = Callable[[Any, str], Iterable[str]]
"""Function of the context and the half-typed word; it may return words that do not match."""


def complete_and_exit(app: Callable[..., Any]) -> None:
    """Print the completions the shell asked for and exit; print nothing after an error."""
    completion_init()
    with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
        app(prog_name="workflow-history")
    sys.exit(1)


def attach_completers(params: Iterable[Any]) -> None:
    """Attach the matching completer of COMPLETERS to each parameter, by option name or metavar."""
    for param in params:
        names = [*(param.opts if param.param_type_name == "option" else ()), param.metavar]
        found = next((COMPLETERS[name] for name in names if name in COMPLETERS), None)
        if found is not None:
            param._custom_shell_complete = _completer(found)  # noqa: SLF001 - Typer sets it so


def _completer(complete: Complete) -> Callable[[Any, Any, str], list[str]]:
    def words(context: Any, _param: Any, beginning: str) -> list[str]:
        try:
            return [word for word in complete(context, beginning) if word.startswith(beginning)]
        except Exception:  # noqa: BLE001 - a completing shell has no place for error messages
            return []

    return words


def _fixed(*words: str) -> Complete:
    return lambda _context, _beginning: words


def _of(module: str, name: str) -> Complete:
    """Return a completer for the names of a registry, imported only when the completer is called."""
    return lambda _context, _beginning: list(getattr(import_module(module, __package__), name))


@contextlib.contextmanager
def _history(context: Any) -> Iterator[Any]:
    """Open the history named on the command line, else the configured one; yield None if there is none."""
    database, options = import_module("..database", __package__), context.find_object(GlobalOptions)
    with contextlib.ExitStack() as stack:
        if options is not None and options.database:
            stack.enter_context(database.use_database(options.database))
        yield stack.enter_context(database.open_if_exists())


def _runs(context: Any, beginning: str) -> Sequence[str]:
    """Return the newest runs that start with `beginning`, as id or project/id."""
    with _history(context) as history:
        found = [] if history is None else history.newest(beginning, MAX_COMPLETIONS)
    words = (ref.id if ref.id.startswith(beginning) else f"{ref.project}/{ref.id}" for ref in found)
    return [word for word in words if _SAFE.fullmatch(word)]


def _patterns(context: Any, beginning: str) -> Sequence[str]:
    """Return the pattern ids that start with `beginning`, most expensive first."""
    with _history(context) as history:
        found = [] if history is None else history.pattern_totals()
    like = [one for one in found if one.id.startswith(beginning)]
    return [one.id for one in sorted(like, key=lambda one: -one.nanodollars)[:MAX_COMPLETIONS]]


def _stored(column: str) -> Complete:
    """Return a completer for the stored values of a column."""

    def words(context: Any, beginning: str) -> Sequence[str]:
        with _history(context) as history:
            found = [] if history is None else history.distinct_values(column, beginning, MAX_COMPLETIONS)
        return [word for word in found if _SAFE.fullmatch(word)]

    return words


def _columns(_context: Any, beginning: str) -> Sequence[str]:
    """Return the columns of all exportable tables, prefixed with the column names already typed."""
    tables = import_module("..queries.export", __package__).TABLES
    before = beginning[: beginning.rfind(",") + 1]
    names = dict.fromkeys(field.name for table in tables.values() for field in table.fields)
    return [f"{before}{name}" for name in (names if before else ["all", *names])]


COMPLETERS: Final[dict[str, Complete]] = {
    "ID": _runs,
    "PATTERN_ID": _patterns,
    "WHAT": _of("..queries.export", "TABLES"),
    "KEY": _of("..queries.statistics", "GROUPINGS"),
    "SCHEMA": _of("..queries.json.schemas", "SCHEMAS"),
    "--status": _fixed("completed", "failed", "stopped", "running", "incomplete", "unknown"),
    "--kind": _of("..queries.patterns", "PATTERN_KINDS"),
    "--state": _of("..queries.patterns", "PATTERN_STATUSES"),
    "--sort": _of("..queries.list_runs", "SORT_ALIASES"),
    "--format": _of("..exporting.formats", "FORMATS"),
    "--columns": _columns,
    "--score": _fixed(*(f"{name}:" for name in SCORES)),
    "--since": _fixed("today", "yesterday", "24h", "7d", "30d"),
    "--until": _fixed("today", "yesterday"),
    "--project": _stored("project"),
    "--template": _stored("workflow_template"),
    "--class": _stored("issue_class"),
    "--model": _stored("model"),
    "--phase": _stored("phase"),
    "--agent": _stored("agent"),
}
"""Completers by option name or argument metavar. Parameters with choices need none."""
