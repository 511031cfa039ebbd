"""Find keys of services in a text by the rules of gitleaks, which are loaded at first use.

The rules are data (gitleaks.json, made by scripts/make_gitleaks_rules.py; gitleaks.LICENSE). Most of them
match the name of a service and the format of its key. Each is tried only around its keywords.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import msgspec

from .assess import entropy_per_char, is_id_or_hash
from .hints import near, places

_FILE: Final = Path(__file__).with_name("gitleaks.json")
_AFTER: Final = 2_400  # maximum length of a secret in characters
_SAYS_KEY: Final = re.compile(r"key|token|secret|api|auth|pass|cred|=", re.IGNORECASE)


class _Given(msgspec.Struct):
    """One rule in the file."""

    id: str
    regex: str
    keywords: list[str]
    entropy: float | None
    group: int | None
    at_start: bool  # whether its matches begin with a keyword


class _File(msgspec.Struct):
    """The used fields of the file."""

    before: int  # maximum number of characters between the start of a match and the keyword
    allowed: list[str]
    rules: list[_Given]


@dataclass(frozen=True)
class _Rule:
    """One rule; its expression is compiled at first use."""

    given: _Given

    @cached_property
    def shape(self) -> re.Pattern[str]:
        return re.compile(self.given.regex, re.ASCII)

    @property
    def kind(self) -> str:
        return self.given.id.replace("-", " ")


@dataclass(frozen=True)
class _Rules:
    before: int
    allowed: re.Pattern[str]
    by_keyword: dict[str, list[_Rule]]


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    read = msgspec.json.decode(_FILE.read_bytes(), type=_File)
    found: dict[str, list[_Rule]] = {}
    for given in read.rules:
        rule = _Rule(given)
        for keyword in given.keywords:
            found.setdefault(keyword, []).append(rule)
    return _Rules(read.before, re.compile("|".join(f"(?:{one})" for one in read.allowed), re.ASCII), found)


def keys_of_services(text: str, lower: str, around: str) -> Iterator[tuple[int, int, str]]:
    """Yield the ranges and kinds of services' keys.

    `lower` is the text in lower case, `around` its parts near long words with digits.
    """
    rules = _rules()
    for keyword, of_keyword in rules.by_keyword.items():
        if keyword in around:
            for rule in of_keyword:
                yield from _found(rule, rules, text, lower, keyword)


def _found(rule: _Rule, rules: _Rules, text: str, lower: str, keyword: str) -> Iterator[tuple[int, int, str]]:
    for found in _matches(rule, rules.before, text, places(lower, (keyword,))):
        group = _group(rule, found)
        if _is_secret(rule, rules, found, found[group]):
            yield *found.span(group), rule.kind


def _matches(rule: _Rule, before: int, text: str, hints: list[int]) -> Iterator[re.Match[str]]:
    if not rule.given.at_start:
        for start, end in near(hints, before, _AFTER, len(text)):
            yield from rule.shape.finditer(text, start, end)
        return
    done = 0
    for at in hints:
        if at >= done and (found := rule.shape.match(text, at)) is not None:
            done = found.end()
            yield found


def _group(rule: _Rule, found: re.Match[str]) -> int:
    if rule.given.group is not None:
        return rule.given.group
    return next((number for number, value in enumerate(found.groups(), 1) if value), 0)


def _is_secret(rule: _Rule, rules: _Rules, found: re.Match[str], value: str) -> bool:
    if rule.given.entropy is not None and entropy_per_char(value) <= rule.given.entropy:
        return False
    if rules.allowed.search(value):
        return False
    # A list of files with hashes also contains a service's name near a hash.
    return (
        not is_id_or_hash(value) or value == found[0] or _SAYS_KEY.search(found[0][: -len(value)]) is not None
    )
