"""Validate the names in a filter; errors list the existing names."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from ..common.errors import AmbiguousPatternError, InvalidQueryError, PatternNotFoundError, list_names
from ..common.filters import RunFilter
from ..common.grouping_names import GROUPING_LABELS
from ..common.models import RunStatus
from ..common.pull_requests import normalize_pull_request
from ..storage.history import History
from ..storage.reading.filter_sql import NAME_COLUMNS

if TYPE_CHECKING:  # importing it loads numpy and the pattern detection
    from ..analysis.patterns.records import PatternTotals
    from ..common.column_data import Integers

KNOWN_STATUSES: Final = tuple(RunStatus)
"""Usual statuses; a run may have another one from its state file."""

_MIN_PREFIX_LENGTH: Final = 4  # minimum length of a prefix of a pattern's id


def validate_filter_names(history: History, where: RunFilter, *, found: bool) -> None:
    """Raise an error if a filter has a name that no run has: this is a typo, not an empty result.

    The pattern, which must be unique, and the status are always checked, other names only if no run was
    `found`. Raises InvalidQueryError, which lists the names that exist, or AmbiguousPatternError.
    """
    if where.pattern is not None:
        try:
            resolve_pattern(history, where.pattern)
        except PatternNotFoundError as error:
            raise InvalidQueryError(str(error)) from error
    if unusual := [word for word in where.status if word not in KNOWN_STATUSES]:
        known_statuses = [*dict.fromkeys((*KNOWN_STATUSES, *history.filter_values("status")))]
        _check_names_exist("status", unusual, known_statuses)
    if found:
        return
    for name in NAME_COLUMNS:
        words = getattr(where, name)
        if name != "status" and words and (known := history.filter_values(name)):
            _check_names_exist(name, words, known)


def matching_keys(history: History, where: RunFilter) -> Integers:
    """Return the sorted keys of the runs that match a filter; raise the errors of `validate_filter_names`."""
    keys = history.matching_keys(where)
    validate_filter_names(history, where, found=bool(len(keys)))
    return keys


def _check_names_exist(name: str, words: Sequence[str], known: Sequence[str]) -> None:
    accepted = {form for word in known for form in _accepted_forms(name, word)}
    for word in words:
        typed = normalize_pull_request(word) if name == "pr" else word
        if typed in accepted or (name == "model" and any(word.lower() in model.lower() for model in known)):
            continue
        close_matches = get_close_matches(word, known, 1)
        suggestion = f"Did you mean {close_matches[0]}? " if close_matches else ""
        label = GROUPING_LABELS.get(name, name)
        raise InvalidQueryError(f'No run has {label} "{word}". {suggestion}Use one of: {list_names(known)}.')


def _accepted_forms(name: str, word: str) -> tuple[str, ...]:
    """Return a stored name in all forms in which the filter `name` finds it."""
    match name:
        case "pr":
            return word, word.rpartition("#")[2]
        case "issue":
            number = word.removeprefix("#")
            return number, f"#{number}"
        case _:
            return word, word.removeprefix("/"), word.removeprefix("adw_")


def resolve_pattern(history: History, reference: str) -> PatternTotals:
    """Return the one pattern with this id, prefix of an id, or signature.

    Raises PatternNotFoundError or AmbiguousPatternError.
    """
    patterns = history.find_pattern(reference)
    if not patterns:
        hint = " An ID prefix needs four digits or more." if len(reference) < _MIN_PREFIX_LENGTH else ""
        raise PatternNotFoundError(
            f'No pattern matches "{reference}".{hint}', "List patterns with: workflow-history patterns --all"
        )
    if len(patterns) > 1:
        descriptions = [f"{pattern.id} ({pattern.signature})" for pattern in patterns]
        raise AmbiguousPatternError(reference, [pattern.id for pattern in patterns], descriptions)
    return patterns[0]
