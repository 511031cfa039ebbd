"""Replace secrets in text and JSON values by marks. Pure.

Redaction is idempotent, and a text without a secret is returned as the same object.
"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from types import ModuleType, NoneType
from typing import Any, Final

from .placeholders import MARK, Secret

_MIN_LENGTH: Final = 8  # characters; a shorter text cannot contain a name and a secret
_QUOTE: Final = re.compile("[\"'`]")
_HARMLESS_TYPES: Final = (float, bool, NoneType)  # types whose values are never secrets
_HARMLESS_TEXT: Final = re.compile(r"(?:[A-Za-z_.]{1,19}+(?: |\Z)){1,2}+")
"""Up to two short words, which no rule can match."""


@lru_cache(maxsize=1)
def _find_module() -> ModuleType:
    from . import find  # noqa: PLC0415 - its rules take long to compile, and many commands redact nothing

    return find


@lru_cache(maxsize=1)
def _named_values_module() -> ModuleType:
    from . import named_values  # noqa: PLC0415 - its expressions take long to compile, too

    return named_values


def redact_text(text: str) -> str:
    """Replace each secret in a text by a mark with its kind.

    The mark of a key also has four digits of its hash, so that equal keys can be matched but not guessed.
    The mark of a password has none, because a hash would help to guess it.

    >>> redact_text("git clone https://me:hunter2x@example.org/x.git")
    'git clone https://me:[secret: password]@example.org/x.git'
    """
    if len(text) < _MIN_LENGTH or _HARMLESS_TEXT.fullmatch(text):
        return text
    secrets: list[Secret] = _find_module().find_secrets(text)
    return _replace_secrets(text, secrets) if secrets else text


def _replace_secrets(text: str, secrets: list[Secret]) -> str:
    """Replace secrets by marks; among overlapping secrets the most specific rule determines the kind."""
    by_position = sorted(enumerate(secrets), key=lambda indexed: (indexed[1].start, indexed[0]))
    merged: list[tuple[int, Secret]] = []
    for rank, secret in by_position:
        if not merged or merged[-1][1].end <= secret.start:
            merged.append((rank, secret))
            continue
        previous_rank, previous = merged[-1]
        most_specific = secret if rank < previous_rank else previous
        merged[-1] = (
            min(rank, previous_rank),
            most_specific._replace(start=previous.start, end=max(previous.end, secret.end)),
        )
    pieces: list[str] = []
    end = 0
    for _, secret in merged:
        key_hash = f" {blake2b(secret.hashed.encode(), digest_size=2).hexdigest()}" if secret.hashed else ""
        pieces += [text[end : secret.start], f"[secret: {secret.kind}{key_hash}]"]
        end = secret.end
    return "".join([*pieces, text[end:]])


def redact_named_value(name: str, text: str) -> str:
    """Redact a text that is the value of a name, as in a state file; the name may denote a secret.

    >>> redact_named_value("db_password", "tr0ub4dor&3"), redact_named_value("branch", "tr0ub4dor&3")
    ('[secret: password]', 'tr0ub4dor&3')
    """
    redacted = redact_text(text)
    return (
        "[secret: password]"
        if redacted is text and _named_values_module().is_named_secret(name, text)
        else redacted
    )


def redact_json(value: Any, name: str = "") -> Any:
    """Redact the texts and keys of a JSON value; return the same object if it contains no secret.

    Changed tuples and sets become lists. Objects of other types are returned unchanged.
    """
    if isinstance(value, Mapping | list | tuple) and _is_clean(value, name):
        return value
    return _redact_value(value, name)


def _is_clean(value: Any, name: str) -> bool:
    """Check fast whether a value contains no secret; False means that it must be searched in full.

    All distinct texts are joined, each on its own lines, and searched as one text.
    """
    lines: dict[str, None] = {}
    if not _collect_texts(value, name, lines):
        return False
    quoted = [text for text in lines if _QUOTE.search(text)]  # an open quote would extend into the next text
    joined = "\n".join([text for text in lines if not _QUOTE.search(text)] if quoted else lines)
    if any(map(_named_values_module().mentions_password, (*quoted, joined))):
        return False
    return all(redact_text(text) is text for text in (*quoted, joined))


def _collect_texts(value: Any, name: str, lines: dict[str, None]) -> bool:
    """Collect the texts of a value in `lines`; return False if a name marks one of them as a secret."""
    if isinstance(value, str):
        lines[value] = None
        return not (name and _is_secret_name(name) and _named_values_module().is_named_secret(name, value))
    if isinstance(value, Mapping):
        object_name = _object_name(value, name)
        for key, item in value.items():
            if isinstance(key, str):
                lines[key] = None
            if not isinstance(item, _HARMLESS_TYPES) and not _collect_texts(
                item, _value_name(key, object_name), lines
            ):
                return False
    elif isinstance(value, list | tuple | set | frozenset):
        return all(_collect_texts(item, name, lines) for item in value)
    elif isinstance(value, int) and not isinstance(value, bool) and _is_secret_name(name):
        lines[f"{name}: {value}"] = None
    return True


@lru_cache(maxsize=4_096)  # the same keys recur in many records
def _is_secret_name(name: str) -> bool:
    return bool(_named_values_module().is_secret_name(name))


_GENERIC_NAMES: Final = frozenset({"value", "val", "data", "text", "default", "content", "current", "raw"})
"""Names without a meaning of their own: the name above or next to them describes their value."""


def _redact_value(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return redact_named_value(name, value) if name else redact_text(value)
    if isinstance(value, Mapping):
        object_name = _object_name(value, name)
        before = [*value.keys(), *value.values()]
        after = [redact_text(key) if isinstance(key, str) else key for key in value]
        after += [_redact_value(item, _value_name(key, object_name)) for key, item in value.items()]
        count = len(value)
        return value if _are_same(before, after) else dict(zip(after[:count], after[count:], strict=True))
    if isinstance(value, list | tuple | set | frozenset):
        before = list(value)
        after = [_redact_value(item, name) for item in before]
        return value if _are_same(before, after) else after
    if (
        isinstance(value, int)
        and not isinstance(value, bool)
        and _named_values_module().is_named_secret(name, str(value))
    ):
        return "[secret: password]"
    return value


def _object_name(value: Mapping[Any, Any], name: str) -> str:
    """Return the name that an object gives in its fields `name` or `key`, or else the name above it."""
    return next((field for key in ("name", "key") if isinstance(field := value.get(key), str)), name)


def _value_name(key: Any, object_name: str) -> str:
    return object_name if str(key).lower() in _GENERIC_NAMES else str(key)


def _are_same(before: list[Any], after: list[Any]) -> bool:
    return all(map(operator.is_, before, after))


def count_redactions(text: str) -> Counter[str]:
    """Count the marks in a redacted text by kind of secret.

    >>> count_redactions("[secret: password] [secret: github token 00ff] [secret: password]")
    Counter({'password': 2, 'github token': 1})
    """
    return Counter(MARK.findall(text)) if "[secret: " in text else Counter()
