"""Find secrets in a text by all rules, with their positions and kinds. Pure.

Both the text itself and its forms with decoded escapes are searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from . import context
from .gitleaks import keys_of_services
from .hints import near, places
from .named_values import HINTS, named_secrets
from .placeholders import MARK, Secret
from .private_keys import private_keys
from .secret_patterns import LONG_TOKEN, MAX_LOOKBEHIND, TOKEN_PATTERNS, TOKEN_PRECHECK, SecretPattern
from .views import extended, joined, views

_DIGITS: Final = re.compile(r"[0-9][A-Za-z_\-]{0,40}[0-9]")
_SAID: Final = re.compile(r"(?:(?:[0-9a-f]{4,12}|[A-Za-z]++[0-9]{0,3}|[0-9]++[a-z]?)(?![A-Za-z0-9])[-_]*+)++")
"""Sequence of words, numbers and ids: most long words with digits are harmless ones like these."""
_NEAR: Final = 80  # characters before or after a key in which the name of its service must be

_OF_KEYS: Final = frozenset(
    {"private key", "private-", "mii", "b3blbn", "mhcc", "mc4c", '"kty"', "rsakeyvalue"}
)
_OF_NAMES: Final = frozenset(HINTS)
_BY_HINT: Final = {
    hint: [rule for rule in context.RULES if hint in rule.hints]
    for hint in dict.fromkeys(hint for rule in context.RULES for hint in rule.hints)
}
_HINTS: Final = tuple(sorted({*_OF_KEYS, *_OF_NAMES, *_BY_HINT}))
_GUARDS: Final = ("pass", "hook", "auth", "key", "cookie", "}", ":", " -")
_GUARDED: Final = {
    guard: tuple(
        hint
        for hint in _HINTS
        if hint != guard
        and next((each for each in _GUARDS if each in context.GUARDS.get(hint, hint)), "") == guard
    )
    for guard in _GUARDS
}
"""Hints by a substring that every text with them contains, so that few hints must be searched for."""
_FIRST: Final = tuple(hint for hint in _HINTS if not any(hint in some for some in _GUARDED.values()))


def secrets_of(text: str) -> list[Secret]:
    """Return the secrets of a text; they may overlap."""
    found: list[Secret] = []
    for said, path in views(text):
        for secret in _secrets(said):
            start, end = secret.start, secret.end
            for view in path:
                start, end = view.back(start, end)
            found.append(secret._replace(start=start, end=end))
    return found


def _secrets(text: str) -> Iterator[Secret]:
    """Yield the secrets of a text without decoding it, the most specific rules first."""
    lower = text.lower()
    if len(lower) != len(text):  # lower() splits some letters into two: keep these to keep positions
        lower = "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)
    marks = [mark.span() for mark in MARK.finditer(text)] if "[secret: " in text else []
    for secret in _unmarked(text, lower):
        if not any(start < secret.end and secret.start < end for start, end in marks):
            yield secret


def _unmarked(text: str, lower: str) -> Iterator[Secret]:  # noqa: C901 - one branch for each sort of rule
    hints = [hint for hint in _FIRST if hint in lower]
    for guard, guarded in _GUARDED.items():
        if guard in lower:
            hints += [hint for hint in guarded if hint in lower]
    if any(hint in _OF_KEYS for hint in hints):
        yield from (Secret(start, end, "private key") for start, end in private_keys(text, lower))
    may_hold_token, around = _long_words(text, lower)
    if may_hold_token:
        yield from _tokens(text)
    if around:
        for start, end, kind in keys_of_services(text, lower, around):
            yield Secret(start, extended(text, end), kind, text[start:end])
    if not hints:
        return
    for rule in dict.fromkeys(rule for hint in hints for rule in _BY_HINT.get(hint, ())):
        yield from _of_context(rule, text, lower)
    if not _OF_NAMES.isdisjoint(hints):
        for start, end in named_secrets(text, lower):
            is_long = end - start >= 16 or text.startswith("\\\n", end)
            yield Secret(start, extended(text, end) if is_long else end, "password")


def _long_words(text: str, lower: str) -> tuple[bool, str]:
    """Return whether a word may be a token, and the text around words that may be a service's key."""
    may_hold_token = False
    pieces: list[str] = []
    for word in LONG_TOKEN.finditer(text):
        start, end = word.span()
        if not may_hold_token and TOKEN_PRECHECK.search(text, max(0, start - MAX_LOOKBEHIND), end):
            may_hold_token = True
        if not _DIGITS.search(text, start, end):
            continue
        if "=" in text[max(0, start - 3) : start] or _SAID.fullmatch(text, start, end) is None:
            pieces.append(lower[max(0, start - _NEAR) : end + _NEAR])
    return may_hold_token, "\n".join(pieces)


def _tokens(text: str) -> Iterator[Secret]:
    broken = "\n" in text or '"' in text or "'" in text
    for rule in TOKEN_PATTERNS:
        hints = [hint for hint in rule.hints if hint in text]
        if not hints:
            continue
        done = 0
        for found in rule.shape.finditer(text):
            done = extended(text, found.end())
            yield Secret(found.start(), done, rule.kind, found[0])
        if broken:
            yield from _wrapped(rule, text, hints)


def _wrapped(rule: SecretPattern, text: str, hints: list[str]) -> Iterator[Secret]:
    """Yield wrapped keys that continue on the next line and that the rule does not match on one line."""
    done = 0
    for at in places(text, tuple(hints)):
        if at < done or (at and text[at - 1].isalnum()) or (whole := joined(text, at)) is None:
            continue
        done = whole.ends[0]
        if rule.shape.match(text, at) is None and (found := rule.shape.match(whole.text)) is not None:
            end = extended(text, whole.back(found.end()))
            yield Secret(at, end, rule.kind, found[0])


def _of_context(rule: context.Rule, text: str, lower: str) -> Iterator[Secret]:
    for start, end in near(places(lower, rule.hints), context.REACH, context.AFTER, len(text)):
        for found in rule.shape.finditer(text, start, end):
            group = found.lastgroup or "secret"
            if rule.judged(found[group]):
                begun, ended = found.span(group)
                yield Secret(begun, extended(text, ended) if ended - begun >= 16 else ended, rule.kind)
