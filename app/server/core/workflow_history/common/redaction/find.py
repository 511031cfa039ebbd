"""Find secrets in a text by all rules, with their positions and kinds. Pure.

Both the text itself and its forms with decoded escapes are searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from . import context
from .gitleaks import find_service_keys
from .hints import REACH_AFTER, hint_positions, ranges_around
from .named_values import NAME_HINTS, find_named_secrets
from .placeholders import MARK, Secret
from .private_keys import find_private_keys
from .secret_patterns import LONG_TOKEN, MAX_LOOKBEHIND, TOKEN_PATTERNS, TOKEN_PRECHECK, SecretPattern
from .views import decoded_views, extend_over_lines, join_lines

_TWO_DIGITS: Final = re.compile(r"[0-9][A-Za-z_\-]{0,40}[0-9]")
_HARMLESS_WORD: Final = re.compile(
    r"(?:(?:[0-9a-f]{4,12}|[A-Za-z]++[0-9]{0,3}|[0-9]++[a-z]?)(?![A-Za-z0-9])[-_]*+)++"
)
"""Sequence of words, numbers and ids: most long words with digits are harmless ones like these."""
_SERVICE_REACH: Final = 80  # characters before or after a key in which the name of its service must be

_LONG: Final = 16  # characters from which a secret may continue on the next line

_PRIVATE_KEY_HINTS: Final = frozenset(
    {"private key", "private-", "mii", "b3blbn", "mhcc", "mc4c", '"kty"', "rsakeyvalue"}
)
_SECRET_NAME_HINTS: Final = frozenset(NAME_HINTS)
_RULES_BY_HINT: Final = {
    hint: [rule for rule in context.RULES if hint in rule.hints]
    for hint in dict.fromkeys(hint for rule in context.RULES for hint in rule.hints)
}
_ALL_HINTS: Final = tuple(sorted({*_PRIVATE_KEY_HINTS, *_SECRET_NAME_HINTS, *_RULES_BY_HINT}))
_GUARDS: Final = ("pass", "hook", "auth", "key", "cookie", "}", ":", " -")
_HINTS_BY_GUARD: Final = {
    guard: tuple(
        hint
        for hint in _ALL_HINTS
        if hint != guard
        and next((text for text in _GUARDS if text in context.GUARDS.get(hint, hint)), "") == guard
    )
    for guard in _GUARDS
}
"""Hints by a substring that every text with them contains, so that few hints must be searched for."""
_UNGUARDED_HINTS: Final = tuple(
    hint for hint in _ALL_HINTS if not any(hint in guarded for guarded in _HINTS_BY_GUARD.values())
)


def find_secrets(text: str) -> list[Secret]:
    """Return the secrets of a text; they may overlap."""
    secrets: list[Secret] = []
    for view_text, path in decoded_views(text):
        for secret in _find_undecoded(view_text):
            start, end = secret.start, secret.end
            for view in path:
                start, end = view.to_original(start, end)
            secrets.append(secret._replace(start=start, end=end))
    return secrets


def _find_undecoded(text: str) -> Iterator[Secret]:
    """Yield the secrets of a text without decoding it, the most specific rules first."""
    lower = text.lower()
    if len(lower) != len(text):  # lower() splits some letters into two: keep these to keep positions
        lower = "".join(lowered if len(lowered := letter.lower()) == 1 else letter for letter in text)
    mark_spans = [match.span() for match in MARK.finditer(text)] if "[secret: " in text else []
    for secret in _apply_rules(text, lower):
        if not any(start < secret.end and secret.start < end for start, end in mark_spans):
            yield secret


def _apply_rules(text: str, lower: str) -> Iterator[Secret]:  # noqa: C901 - one branch for each sort of rule
    hints = [hint for hint in _UNGUARDED_HINTS if hint in lower]
    for guard, guarded in _HINTS_BY_GUARD.items():
        if guard in lower:
            hints += [hint for hint in guarded if hint in lower]
    if any(hint in _PRIVATE_KEY_HINTS for hint in hints):
        yield from (Secret(start, end, "private key") for start, end in find_private_keys(text, lower))
    may_hold_token, key_context = _inspect_long_words(text, lower)
    if may_hold_token:
        yield from _find_tokens(text)
    if key_context:
        for start, end, kind in find_service_keys(text, lower, key_context):
            yield Secret(start, extend_over_lines(text, end), kind, text[start:end])
    if not hints:
        return
    for rule in dict.fromkeys(rule for hint in hints for rule in _RULES_BY_HINT.get(hint, ())):
        yield from _find_by_context(rule, text, lower)
    if not _SECRET_NAME_HINTS.isdisjoint(hints):
        for start, end in find_named_secrets(text, lower):
            is_long = end - start >= _LONG or text.startswith("\\\n", end)
            yield Secret(start, extend_over_lines(text, end) if is_long else end, "password")


def _inspect_long_words(text: str, lower: str) -> tuple[bool, str]:
    """Return whether a word may be a token, and the text around words that may be a service's key."""
    may_hold_token = False
    pieces: list[str] = []
    for match in LONG_TOKEN.finditer(text):
        start, end = match.span()
        if not may_hold_token and TOKEN_PRECHECK.search(text, max(0, start - MAX_LOOKBEHIND), end):
            may_hold_token = True
        if not _TWO_DIGITS.search(text, start, end):
            continue
        if "=" in text[max(0, start - 3) : start] or _HARMLESS_WORD.fullmatch(text, start, end) is None:
            pieces.append(lower[max(0, start - _SERVICE_REACH) : end + _SERVICE_REACH])
    return may_hold_token, "\n".join(pieces)


def _find_tokens(text: str) -> Iterator[Secret]:
    may_be_wrapped = "\n" in text or '"' in text or "'" in text
    for rule in TOKEN_PATTERNS:
        hints = [hint for hint in rule.hints if hint in text]
        if not hints:
            continue
        for match in rule.pattern.finditer(text):
            yield Secret(match.start(), extend_over_lines(text, match.end()), rule.kind, match[0])
        if may_be_wrapped:
            yield from _find_wrapped_tokens(rule, text, hints)


def _find_wrapped_tokens(rule: SecretPattern, text: str, hints: list[str]) -> Iterator[Secret]:
    """Yield wrapped keys that continue on the next line and that the rule does not match on one line."""
    previous_end = 0
    for position in hint_positions(text, tuple(hints)):
        if (
            position < previous_end
            or (position and text[position - 1].isalnum())
            or (value := join_lines(text, position)) is None
        ):
            continue
        previous_end = value.ends[0]
        if (
            rule.pattern.match(text, position) is None
            and (match := rule.pattern.match(value.text)) is not None
        ):
            end = extend_over_lines(text, value.to_original(match.end()))
            yield Secret(position, end, rule.kind, match[0])


def _find_by_context(rule: context.Rule, text: str, lower: str) -> Iterator[Secret]:
    positions = hint_positions(lower, rule.hints)
    for start, end in ranges_around(positions, context.REACH_BEFORE, REACH_AFTER, len(text)):
        for match in rule.pattern.finditer(text, start, end):
            group = match.lastgroup or "secret"
            if rule.accepts(match[group]):
                secret_start, secret_end = match.span(group)
                is_long = secret_end - secret_start >= _LONG
                yield Secret(
                    secret_start, extend_over_lines(text, secret_end) if is_long else secret_end, rule.kind
                )
