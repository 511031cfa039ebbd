"""Put a mark in the place of every secret: text or JSON values in, the same without secrets out. Pure.

Scrubbing twice is scrubbing once, and a text without a secret comes back as the same object.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import msgspec

from .judging import is_random
from .rules import LONG_WORD, MOST_BEFORE, NAMED, OPTION, SHAPES, TOKEN_HINT, TOKENS, Rule

_SHORTEST: Final = 10  # characters: no shorter text holds a name and a secret
_MARK: Final = re.compile(r"\[secret: ([a-z ]{3,24}?)(?: [0-9a-f]{4})?\]")
_LONG: Final = 100  # characters
_NAMES: Final = len("--") + 26  # characters of an option before the part that tells


def scrub(text: str) -> str:
    """Return a text without its secrets; each leaves word of what it was.

    A key is followed by four digits of its hash: the same key is known as the same, and is not known by
    them. A password has none: with them it could be guessed.

    >>> scrub("git clone https://me:hunter2x@example.org/x.git")
    'git clone https://me:[secret: password]@example.org/x.git'
    """
    if len(text) < _SHORTEST:
        return text
    if _may_hold_token(text):
        for rule in TOKENS:
            if any(hint in text for hint in rule.hints):
                text = rule.shape.sub(partial(_mark, rule.kind), text)
    if "=" in text or ":" in text or "--" in text or "earer" in text:  # one of them is in all of the SHAPES
        lower = text.lower()
        for rule in SHAPES:
            if any(hint in lower for hint in rule.hints):
                text, lower = _without(rule, text, lower)
    return text


def _may_hold_token(text: str) -> bool:
    for word in LONG_WORD.finditer(text):
        if TOKEN_HINT.search(text, max(0, word.start() - MOST_BEFORE), word.end()):
            return True
    return False


def _without(rule: Rule, text: str, lower: str) -> tuple[str, str]:
    """Return a text without the secrets of one rule, and the same in lower case."""
    if len(lower) != len(text):  # a few letters become two: then each is where it was
        lower = "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)
    mark = f"[secret: {rule.kind}]"
    pieces: list[str] = []
    end = looked = 0
    for start in _places(rule, lower):
        if start < looked or (found := rule.shape.match(text, start)) is None:
            continue
        group = "secret" if "secret" in rule.shape.groupindex else 0
        if rule.judged and not _is_secret(found, text):
            # A short word may be a name before a secret; a long one is looked at once.
            looked = found.end(group) if len(found[group]) > _LONG else looked
            continue
        pieces += [text[end : found.start(group)], mark]
        end = looked = found.end(group)
    if not pieces:
        return text, lower
    text = "".join([*pieces, text[end:]])
    return text, text.lower()


def _places(rule: Rule, lower: str) -> Iterator[int]:
    """Yield where a rule's hints stand, rising."""
    found: list[int] = []
    for hint in rule.hints:
        at = lower.find(hint)
        while at >= 0:
            found.append(at)
            at = lower.find(hint, at + 1)
    return iter(sorted(found))


def _is_secret(found: re.Match[str], text: str) -> bool:
    """Tell whether a name's value is a secret; parted by a space alone, only those of options are its own."""
    if not is_random(found["secret"], of_people=_is_of_people(found[0])):
        return False
    if not found.groupdict().get("space"):
        return True
    start = found.start()
    return OPTION.search(text[max(0, start - _NAMES) : start].lower()) is not None


def _is_of_people(name: str) -> bool:
    """Tell whether a name is one for a password, which people think out; all else is made by machines."""
    return name[:3].lower() in {"pas", "pwd", "sec"}


def _mark(kind: str, found: re.Match[str]) -> str:
    return f"[secret: {kind} {blake2b(found[0].encode(), digest_size=2).hexdigest()}]"


def scrub_named(name: str, text: str) -> str:
    """Return the text that stands under a name, as in a state file: the name may say that it is a secret.

    >>> scrub_named("db_password", "tr0ub4dor&3"), scrub_named("branch", "tr0ub4dor&3")
    ('[secret: password]', 'tr0ub4dor&3')
    """
    clean = scrub(text)
    told = NAMED.search(name) if " " not in clean else None  # a mark has blanks, too
    return "[secret: password]" if told and is_random(text, of_people=_is_of_people(told[0])) else clean


def scrub_json(value: Any, name: str = "") -> Any:
    """Return a value of JSON without secrets, in its texts and in its names; the same object where none is.

    Tuples and sets become lists where something in them changed. Other objects are left as they are.
    """
    if isinstance(value, Mapping | list | tuple) and not NAMED.search(name) and _is_clean(value):
        return value
    return _scrubbed_json(value, name)


def _is_clean(value: Any) -> bool:
    """Tell fast whether a whole value holds no secret; False is no word on it.

    Written as one text, with nothing in it escaped, each of its texts stands there as it is.
    """
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False
    return "\\" not in text and NAMED.search(text) is None and scrub(text) is text


def _scrubbed_json(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return scrub_named(name, value) if name else scrub(value)
    if isinstance(value, Mapping):
        old = [*value.keys(), *value.values()]
        new = [scrub(key) if isinstance(key, str) else key for key in value]
        new += [_scrubbed_json(item, str(key)) for key, item in value.items()]
        half = len(value)
        return value if _same(old, new) else dict(zip(new[:half], new[half:], strict=True))
    if isinstance(value, list | tuple | set | frozenset):
        old = list(value)
        new = [_scrubbed_json(item, name) for item in old]
        return value if _same(old, new) else new
    return value


def _same(old: list[Any], new: list[Any]) -> bool:
    return all(after is before for after, before in zip(new, old, strict=True))


def counted(text: str) -> Counter[str]:
    """Return how many secrets of which kind a scrubbed text had.

    >>> counted("[secret: password] [secret: github token 00ff] [secret: password]")
    Counter({'password': 2, 'github token': 1})
    """
    return Counter(_MARK.findall(text)) if "[secret: " in text else Counter()
