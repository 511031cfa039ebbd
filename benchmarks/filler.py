"""Long tool outputs: generated source code, escaped for JSON once and then cut into slices."""

from __future__ import annotations

import base64
import json
from functools import cache
from random import Random
from typing import NamedTuple

from .texts import LIMITS, THINGS, VERBS

_LINES = 12_000
_IMAGE_BYTES = 300_000

COMMANDS = (
    "git status --short",
    "git diff --stat",
    "git add -A",
    "git log --oneline -5",
    'git commit -m \\"work in progress\\"',
    "git push -u origin HEAD",
    "git checkout -b work",
    "uv run pytest tests -x -q",
    "uv run ruff check .",
    "npm run build",
    "npm test -- --run",
    "cd app/client && npm install",
    "ls -la app/server",
    "mkdir -p specs",
    "gh pr create --fill",
    "python -m compileall app",
)
"""Shell commands of agents, escaped for JSON."""


class Filler(NamedTuple):
    """One text in two forms, with line numbers as the Read tool shows it and bare.

    Line n starts at entry n of the offsets.
    """

    numbered: bytes
    numbered_at: list[int]
    bare: bytes
    bare_at: list[int]

    def piece(self, chance: Random, size: int) -> tuple[bytes, bytes, int]:
        """Return whole lines of about `size` bytes: numbered, bare, and their number."""
        count = max(1, size * _LINES // len(self.numbered))
        first = chance.randrange(_LINES - count) if count < _LINES else 0
        last = min(first + count, _LINES)
        numbered = self.numbered[self.numbered_at[first] : self.numbered_at[last]]
        return numbered, self.bare[self.bare_at[first] : self.bare_at[last]], last - first


@cache
def filler() -> Filler:
    """Return the text, which is the same in every process."""
    chance = Random(20)
    numbered, bare = [], []
    for number in range(_LINES):
        line = json.dumps(_source_line(chance, number), ensure_ascii=False)[1:-1].encode()
        bare.append(line + b"\\n")
        numbered.append(f"{number % 900 + 1:>6}→".encode() + line + b"\\n")
    return Filler(b"".join(numbered), _offsets(numbered), b"".join(bare), _offsets(bare))


@cache
def picture() -> bytes:
    """Return base64 of random bytes, like the image data of a screenshot."""
    return base64.b64encode(Random(21).randbytes(_IMAGE_BYTES))


@cache
def paths() -> tuple[str, ...]:
    """Return the file paths of an invented project."""
    folders = (
        "app/server/core",
        "app/server/tests",
        "app/client/src",
        "app/client/src/views",
        "docs",
        "specs",
    )
    ends = {"docs": "md", "specs": "md", "app/client/src": "ts", "app/client/src/views": "tsx"}
    return tuple(f"/srv/shop/{f}/{thing}.{ends.get(f, 'py')}" for f in folders for thing in THINGS[:40])


def _offsets(lines: list[bytes]) -> list[int]:
    at, offsets = 0, [0]
    for line in lines:
        at += len(line)
        offsets.append(at)
    return offsets


def _source_line(chance: Random, number: int) -> str:
    thing, other = chance.choice(THINGS), chance.choice(THINGS)
    verb = chance.choice(VERBS)
    if number % 1999 == 0:  # tool outputs can quote other streams, so searching for a substring is not enough
        return '{"type":"result","subtype":"success","total_cost_usd":9.5,"usage":{"input_tokens":12}}'
    if number % 150 == 0:
        return f"# {verb} {thing}s like “{other}” before the €-prices are shown …"
    shapes = (
        "",
        "",
        "}",
        "    },",
        "    return None",
        f"import {thing}_{other}",
        f"def {verb}_{thing}({other}: str, *, limit: int = {chance.randrange(100)}) -> list[str]:",
        f'    """{verb.capitalize()} the {thing} of one {other}. {chance.choice(LIMITS)}."""',
        f"    if {other}.{thing} is None and not {thing}_{other}:",
        f"        raise ValueError(f'no {thing} for {{{other}!r}}: {verb} it first')",
        f"    {thing} = [{verb}({other}) for {other} in {thing}s if {other}.startswith('{thing[:3]}')]",
        f"    const {thing}{other.capitalize()} = await client.{verb}(`/{thing}/${{id}}/{other}`);",
        f'<td className="{thing}-{other}">{{{thing}.{other}}}</td>',
        f"  - {verb} the {thing}, then the {other}",
        f"\treturn {thing}.{verb}(key=lambda {other}: {other}.{thing})",
        f"| {thing} | {other} | `{verb}` | {chance.randrange(10_000)} ms |",
    )
    return chance.choice(shapes)
