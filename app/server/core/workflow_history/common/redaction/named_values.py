"""Find the values after names that denote secrets in a text. Pure.

`NAME=value`, `name: value`, `"name": "value"`, `<name>value</name>`, `--name value`, `setx NAME value`, a
table's cell, a sentence: each form has its own rules, because the text after such a name is a secret in one
form and an ordinary word in another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from .assess import (
    is_given,
    is_jumbled,
    is_mixed,
    is_passphrase,
    is_pattern,
    is_reference,
    is_typed,
    is_word_of_values,
    looks_random,
)
from .hints import places
from .value_extents import bare_end, more_end, quoted_end

_OF_KEYS: Final = (
    "api", "access", "auth", "account", "private", "signing", "encryption", "master", "storage", "client", "service",  # noqa: E501
    "subscription", "shared", "preshared", "license", "deploy", "hmac", "jwt", "session", "app", "application", "admin",  # noqa: E501
    "root", "webhook", "host", "ssh", "secure", "server", "functions", "instrumentation", "write", "read", "publishable",  # noqa: E501
)  # fmt: skip
_NAMES_OF_PEOPLE: Final = (
    r"pass(?:w(?:or[dt]|d)|phrase|code|wort)|(?<![A-Za-z])pw[d](?![A-Za-z])|(?<=[a-z])Pwd(?![a-z])|(?<=[_A-Z])PWD(?![A-Za-z])"
    r"|(?<=[_-])(?:pass|pw)(?![A-Za-z])|(?<=[a-z])Pass(?![a-z])|(?:(?<=store)|(?<=key)|(?<=user)|(?<=admin)|(?<=root)|(?<=db)"
    r"|(?<=smtp)|(?<=mail)|(?<=ftp)|(?<=ldap)|(?<=src)|(?<=dest))pass(?![A-Za-z])"
    r"|(?<![A-Za-z0-9_.])pw(?=[\"']?[ \t]{0,4}[:=])|(?<![A-Za-z])pass(?=[\"']?[ \t]{0,4}[:=])|kennwort|contrase(?:\u00f1|n)a|senha|wachtwoord"  # noqa: E501
)
_NAMES_OF_MACHINES: Final = (
    r"secret(?:[_-]?key(?![A-Za-z]))?|token|credential"
    r"|(?:" + "|".join(rf"(?<={word})|(?<={word}[_\- .])" for word in _OF_KEYS) + r")keys?"
    r"|(?P<weak>(?<=[_-])(?:key|salt|psk)(?![A-Za-z])|connection_?string)"
)
_CORE: Final = re.compile(rf"(?P<password>{_NAMES_OF_PEOPLE})|{_NAMES_OF_MACHINES}", re.IGNORECASE)
HINTS: Final = (
    "pass", "pwd", "pw", "secret", "token", "credential", "key", "kennwort", "contrase", "senha", "wachtwoord",  # noqa: E501
    "_salt", "_psk", "connection",
)  # fmt: skip
"""Lower-case substrings, one of which is in every name of a secret."""

_TELLING: Final = re.compile(
    r"pass(?:w(?:or[dt]|d)|phrase|code|wort)|(?<![A-Za-z])pwd|(?<=_)(?:pass|pwd)(?![A-Za-z])|secret|token|credential"
    r"|kennwort|contrase|senha|(?:"
    + "|".join(rf"(?<={word})|(?<={word}[_\- .])" for word in _OF_KEYS)
    + ")key",
    re.IGNORECASE | re.ASCII,
)
"""Part of a JSON key whose value is a secret."""

_OF_PASSWORDS: Final = ("pass", "pwd", "kennwort", "contrase", "senha", "wachtwoord")
_TELLING_HINTS: Final = (*_OF_PASSWORDS, "secret", "token", "credential", "key")

_ENDS_CLEARLY: Final = re.compile(
    r"s?(?:[_-]?(?:[0-9]{1,3}|prod(?:uction)?|dev|test|stag(?:e|ing)|live|base64|b64|value|raw|new|old|main"
    r"|primary|secondary|default|data))?",
    re.IGNORECASE,
)
_DOUBTS: Final = re.compile(
    r"(?:^|[_.-])(?:is|has|no|show|hide|use|max|min|num|n|count|reset|forgot|change|allow|require[sd]?|enable[d]?|with|get|set"
    r"|next|page|continuation|sync|cursor|public|pub|partition|sort|primary|foreign|cache|idempotency|csrf|total)[_.-]?"
    r"(?:[a-z]{0,12}[_.-]?)?$",
    re.IGNORECASE,
)

_OF_PAGES: Final = re.compile(
    r"(?:next|page|continuation|pagination|sync|starting|marker)[_-]?$", re.IGNORECASE
)
"""Prefix of a token that is a position in a list (pagination), not a secret."""

_Q: Final = r"""["'`]{0,3}"""
_TYPE: Final = (
    r"(?:(?:&?(?:'static )?(?:str|string|bytes|text|secret|secretstr|char\s?\*)|optional\[\w{1,12}\]|\w{1,12} \| none)"  # noqa: E501
    r"[ \t]{0,2}=[ \t]{0,2})?"
)
_BETWEEN: Final = re.compile(
    r"""(?P<suffix>[A-Za-z0-9_\-]{0,24}+)(?:"""
    r"""(?P<pair>["']?[ \t]{0,4},?\s{0,40}["']?(?:value|val|default)["']?[ \t]{0,4}[:=][ \t]{0,4}"""
    r"""|["'][ \t]{0,4}\{[^{}]{0,200}?default[ \t]{0,20}=[ \t]{0,4}|</(?:key|name)>\s{0,40}<(?:string|value)>)"""  # noqa: E501
    r"""|(?P<block>["']?:?[ \t]{0,4}(?:[|>][+-]?[0-9]?)?[ \t]{0,4}\r?\n[ \t]{1,40})"""
    rf"""|(?P<assign>{_Q}[\])]?[*_]{{0,2}}[ \t]{{0,40}}(?:=>|:=|->|={{1,3}}|\?=|::?)[*_]{{0,2}}[ \t]{{0,40}}(?:!!?\w{{1,12}}[ \t]{{1,4}})?{_TYPE})"""  # noqa: E501
    r"""|(?P<comma>["'`][ \t]{0,4}(?:,[ \t]{0,4}|[ \t])(?=["'`]))"""
    r"""|(?P<cell>[ \t]{0,40}["'`]?[ \t]{0,4}\|[ \t]{0,40})"""
    r"""|(?P<prose>(?:[ \t](?:for|of|to|on)(?:[ \t][\w.-]{1,20}){1,3}?)?(?:[ \t]{1,4}(?:is|was|are|=|should be|will be|set to))[ \t]{0,2}:?[ \t]{1,4})"""  # noqa: E501
    r"""|(?P<space>[ \t]{1,8})"""
    r""")(?:[brfuBRFU]{1,2}(?=["']))?(?P<q>\"{1,3}|'{1,3}|`{1,3}|)""",
    re.IGNORECASE,
)
_ALONE: Final = re.compile(r"[A-Za-z0-9+/_.~!@#$%^&*][A-Za-z0-9+/_.~!@#$%^&*-]*={0,2}")
_IN_TAG: Final = re.compile(
    r"""(?P<suffix>[A-Za-z0-9_\-]{0,24}+)(?:["'][ \t]{1,4}(?:value|content|val|default)[ \t]{0,2}=[ \t]{0,2}"""  # noqa: E501
    r"""|(?P<closed>["']?(?:[ \t][^<>\n]{0,80})?>[ \t\r\n]{0,40}(?:<!\[CDATA\[)?))(?P<q>["']?)"""
)
_IN_BRACES: Final = re.compile(r"(?P<suffix>[A-Za-z0-9_]{0,24}+):?[-=](?=[^\s}$])")
_DEFAULT: Final = re.compile(r"\$\{\w{1,60}:?[-=](?=[^\s}$])")
"""Beginning of a default value in shell syntax, such as `${NAME:-value}`."""

_ELEMENT: Final = re.compile(r"[^<>\n]{3,300}(?=</)")
_BRACKETS: Final = frozenset("{<([,;")
_WORD: Final = re.compile(r"""[^\s"'`<>(){}\[\],;|\\]{3,2000}+""")
_LEFT: Final = re.compile(r"[A-Za-z0-9_.\-$@]{0,60}$")
_ENVIRONMENT: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_BEFORE_ON_LINE: Final = re.compile(
    r"""[\s\-*>#|$+&?;"'\u2502]*(?:(?:export|set|env|local|declare|let|const|var)[ \t]{1,4}"""
    r"""(?:-\w{1,4}[ \t]{1,4})?)?|[ \t]*[0-9]{1,6}[\t:\u2192|][ \t]*"""
)
_AFTER_ON_LINE: Final = re.compile(r"""[ \t]*(?:\r?$|\r?\n|#|//|;[ \t]*(?:\r?\n|$))""")
_SPACE_IS_ASSIGNMENT: Final = re.compile(
    r"(?:\b(?:setx|setenv|ENV|ARG|SetEnv|putenv|define)|\bset[ \t]{1,4}-\w{1,6}|\bconfig(?:ure)?(?:[ \t]{1,4}--?\w{1,12})?[ \t]{1,4}"  # noqa: E501
    r"(?:set|add)|\bsecrets?[ \t]{1,4}(?:set|add|put|create)|\bconfig:set|\bkv[ \t]{1,4}put|\bmachine\b[^\n]{0,100})"  # noqa: E501
    r"(?:[ \t]{1,4}--?[\w=-]{1,30}){0,3}[ \t]{1,4}[\"']?[\w./:@-]{0,60}$"
)
_OPTION: Final = re.compile(r"(?:^|[\s\"'`=(\[])--?[A-Za-z0-9][A-Za-z0-9_\-.]{0,40}$|(?:^|[\s\"'`])--?$")
_BEFORE_IN_WORDS: Final = frozenset(("", " ", "\t", "\n", "/", "-", "&", "?", ";"))
"""Characters before a name in a sentence, command or branch; in a program it may be a bracket."""

_SECRET: Final = re.compile(r"secret(?:_?key)?$", re.IGNORECASE)
_CLOSED: Final = re.compile(r"\s{0,40}(?:\]\]>\s{0,40})?(?:</|$)")
_LOOK_BACK: Final = 160  # characters


class Found(NamedTuple):
    """Name of a secret with the value after it."""

    name: str  # name, including its prefix and suffix
    is_password: bool
    is_clear: bool  # whether the name surely denotes a secret
    form: str
    quote: str
    value: str
    begin: int  # position of the name
    start: int
    end: int


def named_secrets(text: str, lower: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of values after names of secrets; `lower` is the text in lower case."""
    looked = 0
    for place in places(lower, HINTS):
        if place < looked:
            continue
        core = _CORE.match(text, place)
        found = _value(text, place, core) if core else None
        if found is None:
            continue
        whole = _with_signs(found, text, place)
        if whole is not None or _is_secret(found, text, place):
            end = found.end if found.quote else more_end(text, found.begin, found.start, found.end)
            looked = max(end, whole or 0)
            yield found.start, looked
        elif (
            len(found.value) > 100
        ):  # a short value may itself be a name before a secret; a long one is skipped
            looked = found.end


def _value(text: str, place: int, core: re.Match[str]) -> Found | None:
    between, form, start, quote = _opened(text, place, core)
    if between is None:
        return None
    if form == "tag" and between["closed"] is not None and (element := _ELEMENT.match(text, start)):
        closed: int | None = element.end()
        quote = ""
    else:
        closed = quoted_end(text, start, quote) if quote else None
    if closed is None and len(quote) > 1:  # only the first quote opens the value, the others belong to it
        start, quote = between.start("q") + 1, quote[0]
        closed = quoted_end(text, start, quote)
    if closed is not None:
        end = closed
    else:
        word = _WORD.match(text, start)
        end = word.end() if word else start
        if "&" in text[start:end] and (cut := re.search(r"&(?=[\w.\-\[\]%]{1,60}=)", text[start:end])):
            end = start + cut.start()
    value = text[start:end]
    if text.startswith("[secret: ", start) or (
        len(value) < 3 and (closed is not None or not (form == "assign" or text[end : end + 1] in _BRACKETS))
    ):
        return None
    if form == "tag" and between["closed"] is not None and _CLOSED.match(text, end + len(quote)) is None:
        return None
    left = _LEFT.search(text[max(0, place - 60) : place])
    before = left[0] if left else ""
    begin = place - len(before)
    above = text[max(0, begin - 2) : begin]
    in_path = above == "::" or (above[-1:] == ":" and above[0].isalnum() and text[start - 1] == ":")
    if in_path or _OF_PAGES.search(before):
        return None
    name = before + core[0]
    suffix = between["suffix"]
    is_clear = (
        _ENDS_CLEARLY.fullmatch(suffix) is not None
        and _DOUBTS.search(before) is None
        and not (suffix in ("s", "S") and core["password"] is None)
        and core["weak"] is None
    )
    is_password = core["password"] is not None
    return Found(name + suffix, is_password, is_clear, form, quote, value, place - len(before), start, end)


def _opened(text: str, place: int, core: re.Match[str]) -> tuple[re.Match[str] | None, str, int, str]:
    """Return the match between a name and its value, the form, the start of the value and its quote.

    A shell's default value, as in `${NAME:-value}`, is treated as quoted by the closing brace.
    """
    braces = text.rfind("${", max(0, place - 62), place)
    if braces >= 0 and _LEFT.fullmatch(text, braces + 2, place):
        between = _IN_BRACES.match(text, core.end())
        if between is not None:
            return between, "assign", between.end(), "}"
    between = _IN_TAG.match(text, core.end()) if _is_in_tag(text, place) else None
    form = "tag" if between else ""
    if between is None:
        between = _BETWEEN.match(text, core.end())
    if between is None:
        return None, form, place, ""
    form = form or next(kind for kind in _FORMS if between[kind] is not None)
    if (default := _DEFAULT.match(text, between.end())) is not None:
        return between, form, default.end(), "}"
    return between, form, between.end(), between["q"]


_FORMS: Final = ("assign", "block", "pair", "comma", "cell", "prose", "space")


def _is_secret(found: Found, text: str, place: int) -> bool:  # noqa: PLR0911 - one line for each form
    value, form = found.value, found.form
    if len(value) < 3:
        return False
    people = found.is_password or found.name[-6:].lower() == "secret" or (found.is_clear and len(value) >= 8)
    bare = value.rstrip(".:!?") if not found.quote else value
    if (
        is_reference(bare)
        or is_word_of_values(bare)
        or (not found.is_password and " " not in bare and is_pattern(bare))
        or (not found.quote and text[found.end : found.end + 1] in ("(", "["))
    ):
        return False
    if " " in value:
        return _is_of_words(found, text, place)
    if form == "space":
        return _is_after_space(found, text, place, people=people)
    random = looks_random(bare, of_people=people) and not _is_name(found, bare)
    if form == "comma":
        return looks_random(bare, of_people=False) or is_typed(bare) or (found.is_password and random)
    if form == "block":
        named = ":" in text[found.begin : found.start]
        return random and _ALONE.fullmatch(bare) is not None and (named or is_mixed(bare))
    if form in ("cell", "prose") or not found.is_clear:
        return random or (form == "prose" and found.is_password and is_typed(bare))
    if random:
        return True
    return is_given(
        bare,
        password=found.is_password,
        quoted=bool(found.quote) or form in ("tag", "pair") or text.startswith("&", found.end),
        environment=_is_in_environment(found, text),
        alone=_is_alone(found, text, place),
    )


def _is_of_words(found: Found, text: str, place: int) -> bool:
    """Decide `_is_secret` for a value with blanks, in quotes or in an element of its own."""
    if found.form == "space" and _OPTION.search(text[max(0, place - _LOOK_BACK) : place]) is None:
        return False
    if found.form not in ("assign", "tag", "pair", "space"):
        return False
    is_closed = found.form == "tag" or bool(found.quote and text.startswith(found.quote, found.end))
    given = is_closed and found.is_password and found.is_clear and is_passphrase(found.value)
    return given or any(is_mixed(word) for word in found.value.split())


def _with_signs(found: Found, text: str, place: int) -> int | None:
    """Return the end of a secret that contains signs as no word does, or None if there is none.

    The name must clearly denote a secret. Outside quotes, environments and lines of its own, a bare value
    with signs is usually code, so stricter rules apply there.
    """
    of_people = found.is_password or _SECRET.search(found.name) is not None
    if not (of_people and found.is_clear) or found.form == "block":
        return None
    if found.form == "space" and _OPTION.search(text[max(0, place - _LOOK_BACK) : place]) is None:
        return None
    if (found.quote and text.startswith(found.quote, found.end)) or found.form == "tag":
        return found.end if " " not in found.value and is_jumbled(found.value) else None
    if found.form in ("pair", "comma"):
        return None
    end = bare_end(text, found.begin, found.start)
    if found.form == "cell" and (border := text.find("|", found.start, end)) >= 0:
        end = border
    whole = found._replace(value=text[found.start : end].rstrip(",;"))
    if _is_in_environment(whole, text) or (
        found.form == "assign" and _is_alone(found._replace(end=end), text, place)
    ):
        judged = is_jumbled(whole.value) or (found.value != whole.value and _is_secret(found, text, place))
    else:
        in_words = found.form != "assign" or text[max(0, found.begin - 1) : found.begin] in _BEFORE_IN_WORDS
        judged = in_words and is_jumbled(whole.value, much=True)
    return found.start + len(whole.value) if judged else None


def _is_in_environment(found: Found, text: str) -> bool:
    """Return whether a name in capitals and its value have the form NAME=value."""
    return (
        found.form == "assign"
        and text.startswith("=", found.start - len(found.quote) - 1)
        and _ENVIRONMENT.fullmatch(found.name) is not None
    )


def _is_name(found: Found, value: str) -> bool:
    """Return whether a value is an identifier that refers to the secret, and not a quoted password."""
    return (
        not (found.quote and found.is_password)
        and len(value) < 20
        and re.fullmatch(r"[A-Za-z_]\w*", value) is not None
        and re.search(r"pass|pwd|secret|token|key|cred|auth", value, re.IGNORECASE) is not None
    )


def _is_after_space(found: Found, text: str, place: int, *, people: bool) -> bool:
    """Decide `_is_secret` for a value after a space: an option's, a command's, or a clearly random one."""
    before = text[max(0, place - _LOOK_BACK) : place]
    if _OPTION.search(before):
        return looks_random(found.value, of_people=people) or (
            found.is_clear
            and not found.value.startswith("-")
            and is_given(found.value, password=found.is_password, quoted=True, environment=False, alone=False)
        )
    if _SPACE_IS_ASSIGNMENT.search(before.rsplit("\n", 1)[-1]):
        return looks_random(found.value, of_people=people) or is_given(
            found.value, password=found.is_password, quoted=True, environment=True, alone=False
        )
    if (
        found.is_password
        and found.is_clear
        and looks_random(found.value)
        and not _is_name(found, found.value)
    ):
        return _ALONE.fullmatch(found.value) is not None
    return is_mixed(found.value)


def _is_in_tag(text: str, place: int) -> bool:
    """Return whether a position is inside an XML tag."""
    return text.rfind("<", max(0, place - 200), place) > text.rfind(">", max(0, place - 200), place)


def _is_alone(found: Found, text: str, place: int) -> bool:
    """Return whether name and value are alone on their line."""
    begin = text.rfind("\n", max(0, place - _LOOK_BACK), place) + 1 or max(0, place - _LOOK_BACK)
    head = text[begin : max(begin, found.begin)]
    after = found.end + len(found.quote)
    return _BEFORE_ON_LINE.fullmatch(head) is not None and _AFTER_ON_LINE.match(text, after) is not None


def says_secret(name: str) -> bool:
    """Return whether a JSON key denotes a secret.

    >>> says_secret("db_password"), says_secret("sort_key")
    (True, False)
    """
    return any(_TELLING.match(name, at) for at in places(name.lower(), _TELLING_HINTS))


def speaks_of_passwords(text: str) -> bool:
    """Return whether a text contains a word for password, so that its sentences must be searched one by one.

    >>> speaks_of_passwords("reset the Password"), speaks_of_passwords("two tokens")
    (True, False)
    """
    lower = text.lower()
    return any(word in lower for word in _OF_PASSWORDS)


def is_named_secret(name: str, value: str) -> bool:
    """Return whether a text is a secret, given its name, as a value in a state file.

    >>> is_named_secret("db_password", "swordfish"), is_named_secret("branch", "swordfish")
    (True, False)
    """
    if not says_secret(name) or " " in value or len(value) < 3:
        return False
    line = f"{name}: {value}"
    if any(start == len(name) + 2 for start, _ in named_secrets(line, line.lower())):
        return True
    quoted = f'"{name}": "{value}"'
    return any(True for _ in named_secrets(quoted, quoted.lower()))
