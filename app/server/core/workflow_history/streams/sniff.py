"""Tell what a JSONL file is by what its first objects say: lines in, a stream's format or None out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from .lines import strict

Sniffed = Literal["claude", "gemini", "codex", "no stream", "no json", "empty"]
LOOK_AT = 200  # lines: a stream that starts with so many foreign ones is none


class _Traits(msgspec.Struct):
    """The fields by which the dialects differ."""

    type: Any = None
    subtype: Any = None
    session_id: Any = None
    sessionId: Any = None  # noqa: N815 - the transcript's own spelling
    message: Any = None
    stats: Any = None
    usage: Any = None
    modelUsage: Any = None  # noqa: N815
    total_cost_usd: Any = None


_TRAITS = msgspec.json.Decoder(_Traits)


def sniff(lines: Iterable[bytes]) -> Sniffed:
    """Return the format that the first telling object shows.

    >>> sniff([b"Loaded cached credentials.", b'{"type": "init", "session_id": "s", "model": "m"}'])
    'gemini'
    >>> sniff([b'{"operation": "read", "file_path": "x"}'])
    'no stream'
    """
    seen_json = seen_text = False
    for number, raw in enumerate(lines):
        if number >= LOOK_AT:
            break
        if not raw.strip():
            continue
        traits = _traits(raw)
        if traits is None:
            seen_text = True
            continue
        seen_json = True
        if found := _dialect(traits):
            return found
    if seen_json:
        return "no stream"
    return "no json" if seen_text else "empty"


def _traits(raw: bytes) -> _Traits | None:
    """Return what a line shows, as far as it is read at all; None where it is no JSON object."""
    try:
        try:
            return _TRAITS.decode(raw)
        except msgspec.ValidationError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError):  # half a pair, or bytes that are no UTF-8
            return _TRAITS.decode(strict(raw))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None


def _dialect(line: _Traits) -> Sniffed | None:
    kind = line.type
    if not isinstance(kind, str):
        return None
    if kind == "result":
        return _result_dialect(line)
    if kind in ("system", "assistant", "user"):
        telling = line.session_id or line.sessionId or line.message
        return "claude" if telling or (kind == "system" and line.subtype is not None) else None
    if kind in ("init", "message", "tool_use", "tool_result"):
        return "gemini"
    return "codex" if kind.startswith(("thread.", "turn.", "item.")) else None


def _result_dialect(line: _Traits) -> Sniffed | None:
    if line.total_cost_usd is not None or line.modelUsage is not None or line.usage is not None:
        return "claude"
    if line.stats is not None:
        return "gemini"
    return "claude" if line.subtype is not None and line.session_id else None
