"""Convert the rules of gitleaks (gitleaks.toml) for Python into scrubbing/gitleaks.json and check each rule.

    python -m scripts.make_gitleaks_rules path/to/gitleaks.toml VERSION DATE

gitleaks is written in Go, whose expressions (RE2) always take linear time; Python's don't. A rule is used
only if its repeats can be bounded, if it matches samples of itself, and if it is fast on hostile text.
LEFT_OUT lists the rules that are not used, each with the reason.
"""

from __future__ import annotations

import json
import random
import re
import string
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SCRUBBING = ROOT / "app" / "server" / "core" / "workflow_history" / "scrubbing"
RULES = SCRUBBING / "gitleaks.json"

OWN = "has a rule of our own, which also matches the cut and wrapped forms"
LEFT_OUT = {
    "aws-access-token": OWN,
    "curl-auth-header": f"{OWN}; square time",
    "curl-auth-user": f"{OWN}; square time",
    "freemius-secret-key": "is told by the name of a file",
    "generic-api-key": "has rules of our own for names and values, which know fewer exceptions by heart",
    "hashicorp-tf-password": "is told by the name of a file",
    "jwt": OWN,
    "jwt-base64": "its keyword matches most long texts in base64",
    "kubernetes-secret-yaml": "has rules of our own for names and values; square time",
    "nuget-config-password": "is told by the name of a file",
    "pkcs12-file": "is told by the name of a file",
    "private-key": OWN,
    "twilio-api-key": OWN,
    "flutterwave-public-key": "is public",
}
"""Reasons by id of the rules that are not used. Client ids are not secrets; their rules are skipped too."""

UNCOMMON = {
    "vault-service-token": ["hvs."],  # "s." occurs in every text
    "sourcegraph-access-token": ["sgp_"],  # otherwise every git hash near the keyword matches
}
"""Keywords used for a rule whose other keywords are too common."""

CUT = {"sourcegraph-access-token": r"|[a-fA-F0-9]{40}", "vault-service-token": r"|s\.(?i:[a-z0-9]{24})"}
"""Parts of expressions that are removed together with the keywords."""

LEAD = r"[\w.-]{0,50}?"
ENDS = (r"""(?:[\x60'"\s;]|\\[nr]|$|\b)""", r"""(?:[\x60'"\s;]|\\[nr]|$)""")
END = r"(?![A-Za-z0-9])"
MOST = 2_000  # upper bound for repeats without one
BEFORE = 150  # maximum characters between the start of a match and its keyword
SAMPLES = 40  # random samples per rule


def converted(regex: str) -> str:
    r"""Translate a RE2 expression to Python's syntax, with every repeat bounded.

    >>> print(converted(r"\b(p8e-(?i)[a-z]{32,})[[:alnum:]]\z"))
    \b(p8e-(?i:[a-z]{32,2000}))[A-Za-z0-9]\Z
    """
    regex = regex.replace(LEAD, "").replace("[[:alnum:]]", "[A-Za-z0-9]").replace(r"\z", r"\Z")
    for end in ENDS:
        regex = regex.replace(end, END)
    return "".join(_scoped(_bounded(list(_tokens(regex)))))


def _tokens(regex: str) -> Iterator[str]:
    """Yield the tokens of an expression: classes, escapes, parentheses, repeats and single characters."""
    yield from re.findall(
        r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\x[0-9a-fA-F]{2}|\\.|\(\?i\)|\(\?[-a-z]*:|\(\?P<\w+>|\(|\)"
        r"|\{\d+(?:,\d*)?\}|[*+]\??|.",
        regex,
        re.DOTALL,
    )


def _bounded(tokens: Sequence[str]) -> list[str]:
    found = []
    for token in tokens:
        lazy = "?" if token in ("*?", "+?") else ""
        if token[0] in "*+":
            token = f"{{{'0' if token[0] == '*' else '1'},{MOST}}}{lazy}"  # noqa: PLW2901
        elif re.fullmatch(r"\{\d+,\}", token):
            token = f"{token[:-1]}{MOST}}}"  # noqa: PLW2901
        found.append(token)
    return found


def _scoped(tokens: Sequence[str]) -> Iterator[str]:
    """Yield the tokens with each `(?i)`, which applies until its group ends, replaced by a group."""
    open_groups = [0]  # number of `(?i:` groups opened in each enclosing group
    for token in tokens:
        if token == "(?i)":  # noqa: S105
            open_groups[-1] += 1
            yield "(?i:"
            continue
        if token.startswith("("):
            open_groups.append(0)
        elif token == ")":  # noqa: S105
            yield ")" * open_groups.pop()
        yield token
    yield ")" * open_groups.pop()


def sample(regex: str, dice: random.Random) -> str:
    """Return a random text that an expression matches completely, ignoring its lookarounds and anchors."""
    return _made(parser.parse(regex, re.ASCII), dice, {})


def _made(parsed: Any, dice: random.Random, groups: dict[int, str]) -> str:
    return "".join(_piece(code, value, dice, groups) for code, value in parsed)


def _piece(code: Any, value: Any, dice: random.Random, groups: dict[int, str]) -> str:  # noqa: PLR0911
    if code is codes.LITERAL:
        return chr(value)
    if code is codes.NOT_LITERAL:
        return "x" if value != ord("x") else "y"
    if code is codes.ANY:
        return dice.choice(string.ascii_letters)
    if code is codes.IN:
        return dice.choice(_letters(value))
    if code is codes.BRANCH:
        return _made(dice.choice(value[1]), dice, groups)
    if code is codes.SUBPATTERN:
        number, _, _, inner = value
        made = _made(inner, dice, groups)
        groups[number] = made
        return made
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, most, inner = value
        return "".join(_made(inner, dice, groups) for _ in range(dice.randint(least, min(most, least + 3))))
    return ""  # lookarounds and anchors match no characters


def _letters(members: Any) -> str:
    named = {
        codes.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
        codes.CATEGORY_DIGIT: string.digits,
        codes.CATEGORY_SPACE: " ",
        codes.CATEGORY_NOT_SPACE: string.ascii_letters + string.digits,
    }
    usual = [chr(number) for number in range(32, 127)]
    found: set[str] = set()
    excluded = False
    for code, value in members:
        if code is codes.NEGATE:
            excluded = True
        elif code is codes.LITERAL:
            found.add(chr(value))
        elif code is codes.RANGE:
            found |= {chr(number) for number in range(value[0], value[1] + 1)}
        else:
            found |= set(named[value])
    chosen = set(usual) - found if excluded else found
    return "".join(sorted(chosen & set(usual)) or sorted(chosen))


def rule_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return a rule in the stored form; raise ValueError if it doesn't match samples of itself."""
    regex = given["regex"]
    if (part := CUT.get(given["id"])) is not None:
        if part not in regex:
            raise ValueError(f"{given['id']}: the part {part} is gone: look at the rule again")
        regex = regex.replace(part, "")
    regex = converted(regex)
    shape = re.compile(regex, re.ASCII)
    keywords = UNCOMMON.get(given["id"], given["keywords"])
    dice = random.Random(given["id"])  # noqa: S311 - only for samples
    at_start = True
    for _ in range(SAMPLES):
        text = sample(regex, dice)
        found = shape.search(text)
        if found is None:
            raise ValueError(f"{given['id']}: {regex} does not match {text!r}")
        begun = text[found.start() :].lower()
        at_start &= any(begun.startswith(keyword) for keyword in keywords)
    return {
        "id": given["id"],
        "regex": regex,
        "keywords": keywords,
        "entropy": given.get("entropy"),
        "group": given.get("secretGroup"),
        "at_start": at_start,
    }


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of the fastest of three calls."""
    found = []
    for _ in range(3):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return min(found)


def too_slow(rule: dict[str, Any]) -> str | None:
    """Return a text whose repetition makes a rule take more than linear time, or None if none was found."""
    shape = re.compile(rule["regex"], re.ASCII)
    whole = sample(rule["regex"], random.Random(1))  # noqa: S311 - only for samples
    for keyword in rule["keywords"]:
        for piece in (keyword, keyword.upper(), f"{keyword}=", f"{keyword} ", whole, whole[:-1], f"{whole}_"):

            def work(length: int, piece: str = piece) -> None:
                text = (piece * (length // len(piece) + 1))[:length]
                for _ in shape.finditer(text):
                    pass

            short, long = seconds(lambda: work(10_000)), seconds(lambda: work(40_000))
            if long > 8 * max(short, 0.002):
                return piece
    return None


def main(source: str, version: str, date: str) -> None:
    """Convert the rules of a gitleaks.toml; raise ValueError if a rule doesn't match or is too slow."""
    given = tomllib.loads(Path(source).read_text(encoding="utf-8"))
    rules = []
    for rule in given["rules"]:
        if rule["id"] in LEFT_OUT or rule["id"].endswith("-client-id"):
            continue
        made = rule_of(rule)
        if (piece := too_slow(made)) is not None:
            raise ValueError(f"{rule['id']}: takes square time on {piece!r}: list it in LEFT_OUT")
        rules.append(made)
    licence = (SCRUBBING / "gitleaks.LICENSE").read_text(encoding="utf-8")
    head = {
        "source": "https://github.com/gitleaks/gitleaks, config/gitleaks.toml",
        "version": version,
        "date": date,
        "licence": licence,
        "converted_by": "scripts/make_gitleaks_rules.py",
        "before": BEFORE,
        "allowed": [converted(regex) for regex in given["allowlist"]["regexes"]],
    }
    lines = ",\n".join(json.dumps(rule) for rule in rules)
    text = json.dumps(head, indent=1)[:-2] + f',\n "rules": [\n{lines}\n]\n}}\n'
    json.loads(text)
    RULES.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(rules)} rules of {len(given['rules'])}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
