"""Generate plausible tool output of any length: a random source and a size in, text out. No file or clock."""

from functools import lru_cache
from random import Random

_POOL_LINES = 1500

_VERBS = ("load", "save", "list", "merge", "check", "render", "parse", "count", "format", "fetch")
_NOUNS = ("order", "invoice", "customer", "shipment", "product", "row", "filter", "cursor", "total", "page")
_AREAS = ("orders", "billing", "catalog", "shared", "settings", "exports", "stock", "auth")
_CODE = (
    "def {verb}_{noun}s(session: Session, {noun}_id: int) -> list[{Noun}]:",
    '    """Return the {noun}s of one {other}, newest first."""',
    "    query = select({Noun}).where({Noun}.{other}_id == {noun}_id)",
    "    rows = session.scalars(query.order_by({Noun}.created_at.desc())).all()",
    "    if not rows:",
    "        return []",
    "    {other} = {verb}_{other}(rows[0], limit={number})",
    "    return [{noun} for {noun} in rows if {noun}.{other} is not None]",
    "",
    "export function {verb}{Noun}(input: {Noun}Input): Promise<{Noun}> {{",
    "  const response = await api.get(`/{area}/{noun}s?limit={number}`);",
    "  return response.data.items.map(to{Noun});",
    "}}",
    "",
)
_TESTS = (
    "tests/{area}/test_{noun}s.py::test_{verb}_{noun}_with_{other} PASSED",
    "tests/{area}/test_{noun}s.py::test_{noun}_without_{other}_is_refused PASSED",
    "tests/{area}/test_{other}s.py::test_{verb}_{number}_{noun}s PASSED",
)
_BUILD = (
    "dist/assets/{area}-{number}f{verb}.js   {number}.41 kB | gzip: 12.07 kB",
    "transforming ({number}) src/{area}/{Noun}{Other}.tsx",
    "src/{area}/{verb}{Noun}.ts:{number}:7 - warning: '{other}' is assigned a value but never used",
    "  {number}:14  warning  Unexpected any. Specify a different type  @typescript-eslint/no-explicit-any",
)
_DIFF = (
    "diff --git a/src/{area}/{noun}s.py b/src/{area}/{noun}s.py",
    "@@ -{number},7 +{number},9 @@ def {verb}_{noun}s(session):",
    "     rows = session.scalars(query).all()",
    "-    return rows[:{number}]",
    "+    {other} = {verb}_{other}(rows)",
    "+    return [row for row in rows if row.{other} == {other}]",
    " ",
)
_PATHS = ("src/{area}/{noun}s.py:{number}:    {verb}_{other}({noun})", "web/src/{area}/{Noun}{Other}.tsx")
_KINDS = {"code": _CODE, "tests": _TESTS, "build": _BUILD, "diff": _DIFF, "paths": _PATHS}


def generate_text(source: Random, kind: str, size: int) -> str:
    """Return at most `size` characters in whole lines, of `kind` "code", "tests", "build", "diff" or "paths".

    >>> text = generate_text(Random(1), "tests", 400)
    >>> 200 < len(text) <= 400
    True
    """
    pool = _text_pool(kind)
    start = pool.index("\n", source.randrange(len(pool) // 2)) + 1
    while len(pool) < start + size:
        pool += pool
    text = pool[start : start + size]
    return text[: text.rindex("\n")] if "\n" in text else text


def numbered(text: str) -> str:
    """Return `text` with line numbers, as the Read tool shows a file.

    >>> numbered("a")
    '     1→a'
    """
    return "\n".join(f"{number:6}→{line}" for number, line in enumerate(text.split("\n"), 1))


@lru_cache(maxsize=8)
def _text_pool(kind: str) -> str:
    """Build a long text of one kind, the same in every process."""
    source = Random(kind)  # noqa: S311 - filler text, no secret
    templates = _KINDS[kind]
    return (
        "\n".join(_fill_template(source, templates[turn % len(templates)]) for turn in range(_POOL_LINES))
        + "\n"
    )


def _fill_template(source: Random, template: str) -> str:
    noun, other = source.sample(_NOUNS, 2)
    return template.format(
        verb=source.choice(_VERBS),
        noun=noun,
        other=other,
        Noun=noun.title(),
        Other=other.title(),
        area=source.choice(_AREAS),
        number=source.randrange(10, 400),
    )
