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
from ..common.models import RunStatus
from .common_options import GlobalOptions

MAX_COMPLETIONS: Final = 50  # maximum number of values from a history

_SAFE_WORD: Final = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./@+#-]*")

Completer = Callable[[Any, str], Iterable[str]]
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
        completer = next((COMPLETERS[name] for name in names if name in COMPLETERS), None)
        if completer is not None:
            param._custom_shell_complete = _suppress_errors(completer)  # noqa: SLF001 - Typer sets it so


def _suppress_errors(completer: Completer) -> Callable[[Any, Any, str], list[str]]:
    def matching_words(context: Any, _param: Any, prefix: str) -> list[str]:
        try:
            return [word for word in completer(context, prefix) if word.startswith(prefix)]
        except Exception:  # noqa: BLE001 - a completing shell has no place for error messages
            return []

    return matching_words


def _fixed_words(*words: str) -> Completer:
    return lambda _context, _beginning: words


def _registry_names(module: str, name: str) -> Completer:
    """Return a completer for the names of a registry, imported only when the completer is called."""
    return lambda _context, _beginning: list(getattr(import_module(module, __package__), name))


@contextlib.contextmanager
def _open_history(context: Any) -> Iterator[Any]:
    """Open the history named on the command line, else the configured one; yield None if there is none."""
    database, options = import_module("..database", __package__), context.find_object(GlobalOptions)
    with contextlib.ExitStack() as stack:
        if options is not None and options.database:
            stack.enter_context(database.use_database(options.database))
        yield stack.enter_context(database.open_if_exists())


def _complete_run_ids(context: Any, prefix: str) -> Sequence[str]:
    """Return the newest runs that start with `prefix`, as id or project/id."""
    with _open_history(context) as history:
        runs = [] if history is None else history.newest(prefix, MAX_COMPLETIONS)
    words = (run.id if run.id.startswith(prefix) else f"{run.project}/{run.id}" for run in runs)
    return [word for word in words if _SAFE_WORD.fullmatch(word)]


def _complete_pattern_ids(context: Any, prefix: str) -> Sequence[str]:
    """Return the pattern ids that start with `prefix`, most expensive first."""
    with _open_history(context) as history:
        patterns = [] if history is None else history.pattern_totals()
    matches = [pattern for pattern in patterns if pattern.id.startswith(prefix)]
    matches.sort(key=lambda pattern: -pattern.nanodollars)
    return [pattern.id for pattern in matches[:MAX_COMPLETIONS]]


def _stored_values(column: str) -> Completer:
    """Return a completer for the stored values of a column."""

    def stored_words(context: Any, prefix: str) -> Sequence[str]:
        with _open_history(context) as history:
            values = [] if history is None else history.distinct_values(column, prefix, MAX_COMPLETIONS)
        return [value for value in values if _SAFE_WORD.fullmatch(value)]

    return stored_words


def _complete_columns(_context: Any, prefix: str) -> Sequence[str]:
    """Return the columns of all exportable tables, prefixed with the column names already typed."""
    tables = import_module("..queries.export", __package__).TABLES
    typed_columns = prefix[: prefix.rfind(",") + 1]
    names = dict.fromkeys(field.name for table in tables.values() for field in table.fields)
    return [f"{typed_columns}{name}" for name in (names if typed_columns else ["all", *names])]


COMPLETERS: Final[dict[str, Completer]] = {
    "ID": _complete_run_ids,
    "PATTERN_ID": _complete_pattern_ids,
    "WHAT": _registry_names("..queries.export", "TABLES"),
    "KEY": _registry_names("..queries.statistics", "TYPED_GROUPINGS"),
    "SCHEMA": _registry_names("..queries.json.schemas", "SCHEMAS"),
    "--status": _fixed_words(*RunStatus),
    "--kind": _registry_names("..queries.patterns", "PATTERN_KINDS"),
    "--state": _registry_names("..queries.patterns", "PATTERN_STATUSES"),
    "--sort": _registry_names("..queries.list_runs", "SORT_ALIASES"),
    "--format": _registry_names("..exporting.formats", "FORMATS"),
    "--columns": _complete_columns,
    "--score": _fixed_words(*(f"{name}:" for name in SCORES)),
    "--since": _fixed_words("today", "yesterday", "24h", "7d", "30d"),
    "--until": _fixed_words("today", "yesterday"),
    "--project": _stored_values("project"),
    "--workflow": _stored_values("workflow_template"),
    "--class": _stored_values("issue_class"),
    "--branch": _stored_values("branch_name"),
    "--issue": _stored_values("issue_number"),
    "--pr": _stored_values("pull_request"),
    "--model": _stored_values("model"),
    "--phase": _stored_values("phase"),
    "--agent": _stored_values("agent"),
}
"""Completers by option name or argument metavar. Parameters with choices need none."""
