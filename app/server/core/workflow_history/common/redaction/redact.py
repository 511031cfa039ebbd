"""Replace secrets in text and JSON values by marks. Pure.

Redaction is idempotent, and a text without a secret is returned as the same object.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from types import ModuleType, NoneType
from typing import Any, Final

from .placeholders import MARK, Secret

_SHORTEST: Final = 8  # characters; a shorter text cannot contain a name and a secret
_QUOTE: Final = re.compile("[\"'`]")
_MUTE: Final = (float, bool, NoneType)  # types whose values are never secrets
_HARMLESS: Final = re.compile(r"(?:[A-Za-z_.]{1,19}+(?: |\Z)){1,2}+")
"""Up to two short words, which no rule can match."""


@lru_cache(maxsize=1)
def _finding() -> ModuleType:
    from . import find  # noqa: PLC0415 - its rules take long to compile, and many commands redact nothing

    return find


@lru_cache(maxsize=1)
def _named() -> ModuleType:
    from . import named_values  # noqa: PLC0415 - its expressions take long to compile, too

    return named_values


def redact_text(text: str) -> str:
    """Replace each secret in a text by a mark with its kind.

    The mark of a key also has four digits of its hash, so that equal keys can be matched but not guessed.
    The mark of a password has none, because a hash would help to guess it.

    >>> redact_text("git clone https://me:hunter2x@example.org/x.git")
    'git clone https://me:[secret: password]@example.org/x.git'
    """
    if len(text) < _SHORTEST or _HARMLESS.fullmatch(text):
        return text
    found: list[Secret] = _finding().secrets_of(text)
    return _marked(text, found) if found else text


def _marked(text: str, found: list[Secret]) -> str:
    """Replace secrets by marks; among overlapping secrets the most specific rule determines the kind."""
    ranked = sorted(enumerate(found), key=lambda each: (each[1].start, each[0]))
    merged: list[tuple[int, Secret]] = []
    for rank, secret in ranked:
        if not merged or merged[-1][1].end <= secret.start:
            merged.append((rank, secret))
            continue
        before_rank, before = merged[-1]
        best = secret if rank < before_rank else before
        merged[-1] = (
            min(rank, before_rank),
            best._replace(start=before.start, end=max(before.end, secret.end)),
        )
    pieces: list[str] = []
    end = 0
    for _, secret in merged:
        pieces += [text[end : secret.start], _mark(secret)]
        end = secret.end
    return "".join([*pieces, text[end:]])


def _mark(secret: Secret) -> str:
    if secret.hashed is None:
        return f"[secret: {secret.kind}]"
    return f"[secret: {secret.kind} {blake2b(secret.hashed.encode(), digest_size=2).hexdigest()}]"


def redact_named_value(name: str, text: str) -> str:
    """Redact a text that is the value of a name, as in a state file; the name may denote a secret.

    >>> redact_named_value("db_password", "tr0ub4dor&3"), redact_named_value("branch", "tr0ub4dor&3")
    ('[secret: password]', 'tr0ub4dor&3')
    """
    clean = redact_text(text)
    return "[secret: password]" if clean is text and _named().is_named_secret(name, text) else clean


def redact_json(value: Any, name: str = "") -> Any:
    """Redact the texts and keys of a JSON value; return the same object if it contains no secret.

    Changed tuples and sets become lists. Objects of other types are returned unchanged.
    """
    if isinstance(value, Mapping | list | tuple) and _is_clean(value, name):
        return value
    return _scrubbed_json(value, name)


def _is_clean(value: Any, name: str) -> bool:
    """Check fast whether a value contains no secret; False means that it must be searched in full.

    All distinct texts are joined, each on its own lines, and searched as one text.
    """
    lines: dict[str, None] = {}
    if not _has_harmless_names(value, name, lines):
        return False
    alone = [text for text in lines if _QUOTE.search(text)]  # an open quote would extend into the next text
    together = "\n".join([text for text in lines if not _QUOTE.search(text)] if alone else lines)
    if any(map(_named().speaks_of_passwords, (*alone, together))):
        return False
    return all(redact_text(text) is text for text in (*alone, together))


def _has_harmless_names(value: Any, name: str, lines: dict[str, None]) -> bool:
    """Collect the texts of a value in `lines`; return False if a name marks one of them as a secret."""
    if isinstance(value, str):
        lines[value] = None
        return not (name and _says_secret(name) and _named().is_named_secret(name, value))
    if isinstance(value, Mapping):
        beside = _named_beside(value, name)
        for key, item in value.items():
            if isinstance(key, str):
                lines[key] = None
            if not isinstance(item, _MUTE) and not _has_harmless_names(item, _name_of(key, beside), lines):
                return False
    elif isinstance(value, list | tuple | set | frozenset):
        return all(_has_harmless_names(item, name, lines) for item in value)
    elif isinstance(value, int) and not isinstance(value, bool) and _says_secret(name):
        lines[f"{name}: {value}"] = None
    return True


@lru_cache(maxsize=4_096)  # the same keys recur in many records
def _says_secret(name: str) -> bool:
    return bool(_named().says_secret(name))


_UNTELLING: Final = frozenset({"value", "val", "data", "text", "default", "content", "current", "raw"})
"""Names without a meaning of their own: the name above or next to them describes their value."""


def _scrubbed_json(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return redact_named_value(name, value) if name else redact_text(value)
    if isinstance(value, Mapping):
        beside = _named_beside(value, name)
        old = [*value.keys(), *value.values()]
        new = [redact_text(key) if isinstance(key, str) else key for key in value]
        new += [_scrubbed_json(item, _name_of(key, beside)) for key, item in value.items()]
        half = len(value)
        return value if _same(old, new) else dict(zip(new[:half], new[half:], strict=True))
    if isinstance(value, list | tuple | set | frozenset):
        old = list(value)
        new = [_scrubbed_json(item, name) for item in old]
        return value if _same(old, new) else new
    if isinstance(value, int) and not isinstance(value, bool) and _named().is_named_secret(name, str(value)):
        return "[secret: password]"
    return value


def _named_beside(value: Mapping[Any, Any], name: str) -> str:
    """Return the name that an object gives in its fields `name` or `key`, or else the name above it."""
    return next((each for key in ("name", "key") if isinstance(each := value.get(key), str)), name)


def _name_of(key: Any, beside: str) -> str:
    return beside if str(key).lower() in _UNTELLING else str(key)


def _same(old: list[Any], new: list[Any]) -> bool:
    return all(after is before for after, before in zip(new, old, strict=True))


def count_redactions(text: str) -> Counter[str]:
    """Count the marks in a redacted text by kind of secret.

    >>> count_redactions("[secret: password] [secret: github token 00ff] [secret: password]")
    Counter({'password': 2, 'github token': 1})
    """
    return Counter(MARK.findall(text)) if "[secret: " in text else Counter()
