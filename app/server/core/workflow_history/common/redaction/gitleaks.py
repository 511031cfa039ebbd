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
from .hints import REACH_AFTER, hint_positions, ranges_around

_FILE: Final = Path(__file__).with_name("gitleaks.json")
_KEY_WORD: Final = re.compile(r"key|token|secret|api|auth|pass|cred|=", re.IGNORECASE)


class _RuleData(msgspec.Struct):
    """One rule in the file."""

    id: str
    regex: str
    keywords: list[str]
    entropy: float | None
    group: int | None
    at_start: bool  # whether its matches begin with a keyword


class _RulesFile(msgspec.Struct):
    """The used fields of the file."""

    before: int  # maximum number of characters between the start of a match and the keyword
    allowed: list[str]
    rules: list[_RuleData]


@dataclass(frozen=True)
class _Rule:
    """One rule; its expression is compiled at first use."""

    data: _RuleData

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.data.regex, re.ASCII)

    @property
    def kind(self) -> str:
        return self.data.id.replace("-", " ")


@dataclass(frozen=True)
class _RuleSet:
    before: int
    allowed: re.Pattern[str]
    by_keyword: dict[str, list[_Rule]]


@lru_cache(maxsize=1)
def _load_rules() -> _RuleSet:
    file = msgspec.json.decode(_FILE.read_bytes(), type=_RulesFile)
    by_keyword: dict[str, list[_Rule]] = {}
    for data in file.rules:
        rule = _Rule(data)
        for keyword in data.keywords:
            by_keyword.setdefault(keyword, []).append(rule)
    return _RuleSet(
        file.before,
        re.compile("|".join(f"(?:{expression})" for expression in file.allowed), re.ASCII),
        by_keyword,
    )


def find_service_keys(text: str, lower: str, key_context: str) -> Iterator[tuple[int, int, str]]:
    """Yield the ranges and kinds of services' keys.

    `lower` is the text in lower case, `key_context` its parts near long words with digits.
    """
    rules = _load_rules()
    for keyword, keyword_rules in rules.by_keyword.items():
        if keyword not in key_context:
            continue
        positions = hint_positions(lower, (keyword,))
        for rule in keyword_rules:
            for match in _matches(rule, rules.before, text, positions):
                group = _secret_group(rule, match)
                if _is_secret(rule, rules, match, match[group]):
                    yield *match.span(group), rule.kind


def _matches(rule: _Rule, before: int, text: str, positions: list[int]) -> Iterator[re.Match[str]]:
    if not rule.data.at_start:
        for start, end in ranges_around(positions, before, REACH_AFTER, len(text)):
            yield from rule.pattern.finditer(text, start, end)
        return
    previous_end = 0
    for position in positions:
        if position >= previous_end and (match := rule.pattern.match(text, position)) is not None:
            previous_end = match.end()
            yield match


def _secret_group(rule: _Rule, match: re.Match[str]) -> int:
    if rule.data.group is not None:
        return rule.data.group
    return next((number for number, value in enumerate(match.groups(), 1) if value), 0)


def _is_secret(rule: _Rule, rules: _RuleSet, match: re.Match[str], value: str) -> bool:
    if rule.data.entropy is not None and entropy_per_char(value) <= rule.data.entropy:
        return False
    if rules.allowed.search(value):
        return False
    # A list of files with hashes also contains a service's name near a hash.
    return (
        not is_id_or_hash(value) or value == match[0] or _KEY_WORD.search(match[0][: -len(value)]) is not None
    )
