"""Hostile texts, numbers and file names, and JSON made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .dice import Dice


class Token(str):
    """Text written to JSON without quotes, for numbers that no Python value serializes to."""

    __slots__ = ()


MARKUP = "<script>alert(1)</script>"
ESCAPE = "\x1b]0;owned\x07\x1b[2J"
TURNED = "\u202egnp.exe\u2066"

TEXTS = (
    "",
    " ",
    "a",
    "None",
    "null",
    "0",
    "-1",
    "1e999999999",
    "NaN",
    "9" * 400,
    "..",
    ".",
    "/",
    "../../etc/passwd",
    "C:\\con",
    "a/b/c",
    "%00",
    "%2e%2e%2f",
    "%s%n",
    "{}",
    "{0.__class__}",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udcff",
    "\U0010ffff",
    "\ufeff",
    "e\u0301" * 20,
    "\u200b",
    "\r\n",
    "\x85\u2028",
    "\t",
    "\x7f",
    "\x9b31m",
    MARKUP,
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}",
    "[red]x[/red]",
    "[/]",
    "[link=x]",
    ESCAPE,
    TURNED,
    "' OR 1=1 --",
    '"; DROP TABLE workflows; --',
    "*",
    "NEAR(",
    "a AND",
    "^a",
    "col:x",
    "-",
    '"',
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "`rm -rf /`",
    "$(reboot)",
    "\\",
    "\\u0000",
    "2026-03-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "2026-02-30",
    "1970-01-01",
    "24:00",
    "7d",
    "99999999999d",
    "claude-sonnet-4-5-20250929",
    "<synthetic>",
    "completed",
    "failed",
    "/bug",
    "adw_plan_iso",
    "x" * 3000,
    "/" * 3000,
    "a/" * 60,
    "} " * 200,
    '/feature 1 {"number"',
    "a.md" * 50,
    "\x90" * 300,
)
NUMBERS: tuple[Any, ...] = (
    0,
    -1,
    1,
    0.1,
    -0.0,
    1e-320,
    1e308,
    2**31,
    2**53,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**30,
    Token("1e999999999"),
    Token("-1e999999999"),
    Token("1e-999999999"),
    Token("NaN"),
    Token("-Infinity"),
    Token("9" * 5000),
    Token("0." + "1" * 3000),
    Token("1E400"),
    Token("01"),
    1772323200,
    1772323200000,
)
NAMES = (
    "a",
    "a1b2c3d4",
    "..a",
    " ",
    "-rf",
    "a\nb",
    "a\tb",
    "a\x1b[31mb",
    "a\u202eb",
    "a%2fb",
    "a'b\"c",
    "<b>x<",
    "caf\udce9",
    "\udcff\udcfe",
    "x" * 240,
    "prompts",
    "planner",
    "raw_output.jsonl",
    "adw_state.json",
    "execution.log",
    "error.log",
    "workflow_summary.json",
    "_archived",
    ".hidden",
    "a.jsonl",
    "2026-03-01",
    "#1",
    "a\\b",
    "CON",
    "\u200b",
    "e\u0301",
    "\u00e9",
)
"""Valid file names: no slash, no NUL, up to 255 bytes."""


def text(dice: Dice) -> str:
    """Return a hostile text, or an arbitrary one."""
    return dice.text(40) if dice.one_in(4) else dice.pick(TEXTS)


def value(dice: Dice, depth: int = 0) -> Any:  # noqa: PLR0911 - one return per kind of value
    """Return an arbitrary JSON value, possibly hostile."""
    kind = dice.whole(0, 9)
    if kind <= 3 or dice.left == 0:
        return text(dice)
    if kind <= 5:
        return dice.pick(NUMBERS)
    if kind == 6:
        return dice.pick((None, True, False))
    if kind == 7 and dice.one_in(4):
        return Token("[" * dice.pick((50, 120, 3000)) + "]" * dice.pick((0, 50, 120, 3000)))
    if depth > 4:
        return None
    if kind <= 8:
        return [value(dice, depth + 1) for _ in range(dice.whole(0, 4))]
    return {text(dice): value(dice, depth + 1) for _ in range(dice.whole(0, 4))}


def mutated(dice: Dice, seed: Any, chance: int = 8, depth: int = 0) -> Any:
    """Return a copy of `seed` with about one in `chance` of its parts replaced, removed or added."""
    if dice.one_in(chance):
        return value(dice, depth)
    if isinstance(seed, Mapping):
        found = {key: mutated(dice, item, chance, depth + 1) for key, item in seed.items()}
        if found and dice.one_in(chance):
            del found[dice.pick(list(found))]
        if dice.one_in(chance):
            found[dice.pick([*found, "extra"])] = value(dice, depth)
        return found
    if isinstance(seed, Sequence) and not isinstance(seed, str):
        return [mutated(dice, item, chance, depth + 1) for item in seed]
    return seed


def written(given: Any) -> str:
    """Serialize a value as JSON, with tokens unquoted and lone surrogates escaped."""
    if isinstance(given, Token):
        return str(given)
    if isinstance(given, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(k))}: {written(v)}" for k, v in given.items()) + "}"
    if isinstance(given, list):
        return "[" + ", ".join(map(written, given)) + "]"
    return json.dumps(given)


def encoded(dice: Dice, given: Any) -> bytes:
    """Encode a value as JSON, sometimes with duplicate keys, truncated, in UTF-16 or with changed bytes."""
    text = written(given)
    if dice.one_in(10) and text.endswith("}") and len(text) > 2:
        text = f'{text[:-1]}, {text[1:-1]}, "id": "twice"}}'  # duplicates each key
    raw = text.encode("utf-8", "surrogatepass")
    if not dice.one_in(6):
        return raw
    how = dice.whole(0, 5)
    if how == 0:
        return raw[: dice.whole(0, len(raw))]
    if how == 1:
        return text.encode("utf-16", "surrogatepass")
    if how == 2:
        return b"\xef\xbb\xbf" + raw
    at = dice.whole(0, len(raw))
    return raw[:at] + dice.taken(dice.whole(1, 8)) + raw[at + (how == 3) :]
