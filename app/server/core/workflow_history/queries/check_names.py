"""Validate the names in a filter; errors list the existing names."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from ..common.errors import AmbiguousPatternError, InvalidQueryError, PatternNotFoundError
from ..common.filters import RunFilter
from ..storage.history import History
from ..storage.reading.filter_sql import NAME_COLUMNS

if TYPE_CHECKING:  # importing it loads numpy and the pattern detection
    from ..analysis.patterns.records import PatternTotals
    from ..common.column_data import Integers

KNOWN_STATUSES: Final = ("completed", "failed", "stopped", "running", "incomplete", "unknown")
"""Usual statuses; a run may have another one from its state file."""

_MOST_NAMED: Final = 30  # maximum number of names in a message
_MOST_PATTERNS: Final = 10  # maximum number of patterns in a message
_LEAST_DIGITS: Final = 4  # minimum length of a prefix of a pattern's id


def validate_filter_names(history: History, where: RunFilter, *, found: bool) -> None:
    """Raise an error if a filter has a name that no run has: this is a typo, not an empty result.

    The pattern, which must be unique, and the status are always checked, other names only if no run was
    `found`. Raises InvalidQueryError, PatternNotFoundError or AmbiguousPatternError, which list the names
    that exist.
    """
    if where.pattern is not None:
        resolve_pattern(history, where.pattern)
    if unusual := [word for word in where.status if word not in KNOWN_STATUSES]:
        _check_known("status", unusual, [*dict.fromkeys((*KNOWN_STATUSES, *history.names("status")))])
    if found:
        return
    for name in NAME_COLUMNS:
        words = getattr(where, name)
        if name != "status" and words and (known := history.names(name)):
            _check_known(name, words, known)


def matching_keys(history: History, where: RunFilter) -> Integers:
    """Return the sorted keys of the runs that match a filter; raise the errors of `validate_filter_names`."""
    keys = history.matching_keys(where)
    validate_filter_names(history, where, found=bool(len(keys)))
    return keys


def _check_known(name: str, words: Sequence[str], known: Sequence[str]) -> None:
    same = {form for word in known for form in (word, word.removeprefix("/"), word.removeprefix("adw_"))}
    for word in words:
        if word in same or (name == "model" and any(word.lower() in model.lower() for model in known)):
            continue
        near = get_close_matches(word, known, 1)
        guess = f"did you mean {near[0]}? " if near else ""
        allowed = "allowed" if name == "status" else "known"
        shown = ", ".join(known[:_MOST_NAMED])
        raise InvalidQueryError(f"no run has {name} {word!r}; {guess}{allowed}: {shown}")


def resolve_pattern(history: History, given: str) -> PatternTotals:
    """Return the one pattern with this id, prefix of an id, or signature.

    Raises PatternNotFoundError or AmbiguousPatternError.
    """
    found = history.find_pattern(given)
    if not found:
        short = " (the beginning of an id has four digits or more)" if len(given) < _LEAST_DIGITS else ""
        raise PatternNotFoundError(
            f"no pattern {given!r} in this history{short}; workflow-history patterns --all shows them"
        )
    if len(found) > 1:
        told = ", ".join(f"{one.id} ({one.signature})" for one in found[:_MOST_PATTERNS])
        raise AmbiguousPatternError(given, [one.id for one in found], told)
    return found[0]
