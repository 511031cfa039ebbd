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
    has_code_signs,
    has_password_signs,
    is_descriptive_word,
    is_mixed_key,
    is_passphrase,
    is_plain_secret,
    is_reference,
    looks_like_password,
    looks_random,
)
from .hints import hint_positions
from .value_extents import bare_end, continued_end, quoted_end

_KEY_WORDS: Final = (
    "api", "access", "auth", "account", "private", "signing", "encryption", "master", "storage", "client", "service",  # noqa: E501
    "subscription", "shared", "preshared", "license", "deploy", "hmac", "jwt", "session", "app", "application", "admin",  # noqa: E501
    "root", "webhook", "host", "ssh", "secure", "server", "functions", "instrumentation", "write", "read", "publishable",  # noqa: E501
)  # fmt: skip
_NAMES_OF_PASSWORDS: Final = (
    r"pass(?:w(?:or[dt]|d)|phrase|code|wort)|(?<![A-Za-z])pw[d](?![A-Za-z])|(?<=[a-z])Pwd(?![a-z])|(?<=[_A-Z])PWD(?![A-Za-z])"
    r"|(?<=[_-])(?:pass|pw)(?![A-Za-z])|(?<=[a-z])Pass(?![a-z])|(?:(?<=store)|(?<=key)|(?<=user)|(?<=admin)|(?<=root)|(?<=db)"
    r"|(?<=smtp)|(?<=mail)|(?<=ftp)|(?<=ldap)|(?<=src)|(?<=dest))pass(?![A-Za-z])"
    r"|(?<![A-Za-z0-9_.])pw(?=[\"']?[ \t]{0,4}[:=])|(?<![A-Za-z])pass(?=[\"']?[ \t]{0,4}[:=])|kennwort|contrase(?:\u00f1|n)a|senha|wachtwoord"  # noqa: E501
)
_NAMES_OF_KEYS: Final = (
    r"secret(?:[_-]?key(?![A-Za-z]))?|token|credential"
    r"|(?:" + "|".join(rf"(?<={word})|(?<={word}[_\- .])" for word in _KEY_WORDS) + r")keys?"
    r"|(?P<weak>(?<=[_-])(?:key|salt|psk)(?![A-Za-z])|connection_?string)"
)
_SECRET_NAME: Final = re.compile(rf"(?P<password>{_NAMES_OF_PASSWORDS})|{_NAMES_OF_KEYS}", re.IGNORECASE)
NAME_HINTS: Final = (
    "pass", "pwd", "pw", "secret", "token", "credential", "key", "kennwort", "contrase", "senha", "wachtwoord",  # noqa: E501
    "_salt", "_psk", "connection",
)  # fmt: skip
"""Lower-case substrings, one of which is in every name of a secret."""

_SECRET_JSON_KEY: Final = re.compile(
    r"pass(?:w(?:or[dt]|d)|phrase|code|wort)|(?<![A-Za-z])pwd|(?<=_)(?:pass|pwd)(?![A-Za-z])|secret|token|credential"
    r"|kennwort|contrase|senha|(?:"
    + "|".join(rf"(?<={word})|(?<={word}[_\- .])" for word in _KEY_WORDS)
    + ")key",
    re.IGNORECASE | re.ASCII,
)
"""Part of a JSON key whose value is a secret."""

_PASSWORD_HINTS: Final = ("pass", "pwd", "kennwort", "contrase", "senha", "wachtwoord")
_JSON_KEY_HINTS: Final = (*_PASSWORD_HINTS, "secret", "token", "credential", "key")

_CLEAR_SUFFIX: Final = re.compile(
    r"s?(?:[_-]?(?:[0-9]{1,3}|prod(?:uction)?|dev|test|stag(?:e|ing)|live|base64|b64|value|raw|new|old|main"
    r"|primary|secondary|default|data))?",
    re.IGNORECASE,
)
_DOUBTFUL_PREFIX: Final = re.compile(
    r"(?:^|[_.-])(?:is|has|no|show|hide|use|max|min|num|n|count|reset|forgot|change|allow|require[sd]?|enable[d]?|with|get|set"
    r"|next|page|continuation|sync|cursor|public|pub|partition|sort|primary|foreign|cache|idempotency|csrf|total)[_.-]?"
    r"(?:[a-z]{0,12}[_.-]?)?$",
    re.IGNORECASE,
)

_PAGINATION_PREFIX: Final = re.compile(
    r"(?:next|page|continuation|pagination|sync|starting|marker)[_-]?$", re.IGNORECASE
)
"""Prefix of a token that is a position in a list (pagination), not a secret."""

_QUOTES: Final = r"""["'`]{0,3}"""
_TYPE_ANNOTATION: Final = (
    r"(?:(?:&?(?:'static )?(?:str|string|bytes|text|secret|secretstr|char\s?\*)|optional\[\w{1,12}\]|\w{1,12} \| none)"  # noqa: E501
    r"[ \t]{0,2}=[ \t]{0,2})?"
)
_SEPARATOR: Final = re.compile(
    r"""(?P<suffix>[A-Za-z0-9_\-]{0,24}+)(?:"""
    r"""(?P<pair>["']?[ \t]{0,4},?\s{0,40}["']?(?:value|val|default)["']?[ \t]{0,4}[:=][ \t]{0,4}"""
    r"""|["'][ \t]{0,4}\{[^{}]{0,200}?default[ \t]{0,20}=[ \t]{0,4}|</(?:key|name)>\s{0,40}<(?:string|value)>)"""  # noqa: E501
    r"""|(?P<block>["']?:?[ \t]{0,4}(?:[|>][+-]?[0-9]?)?[ \t]{0,4}\r?\n[ \t]{1,40})"""
    rf"""|(?P<assign>{_QUOTES}[\])]?[*_]{{0,2}}[ \t]{{0,40}}(?:=>|:=|->|={{1,3}}|\?=|::?)[*_]{{0,2}}[ \t]{{0,40}}(?:!!?\w{{1,12}}[ \t]{{1,4}})?{_TYPE_ANNOTATION})"""  # noqa: E501
    r"""|(?P<comma>["'`][ \t]{0,4}(?:,[ \t]{0,4}|[ \t])(?=["'`]))"""
    r"""|(?P<cell>[ \t]{0,40}["'`]?[ \t]{0,4}\|[ \t]{0,40})"""
    r"""|(?P<prose>(?:[ \t](?:for|of|to|on)(?:[ \t][\w.-]{1,20}){1,3}?)?(?:[ \t]{1,4}(?:is|was|are|=|should be|will be|set to))[ \t]{0,2}:?[ \t]{1,4})"""  # noqa: E501
    r"""|(?P<space>[ \t]{1,8})"""
    r""")(?:[brfuBRFU]{1,2}(?=["']))?(?P<q>\"{1,3}|'{1,3}|`{1,3}|)""",
    re.IGNORECASE,
)
_FORMS: Final = ("assign", "block", "pair", "comma", "cell", "prose", "space")
"""Groups of _SEPARATOR, one of which matches."""

_SINGLE_WORD: Final = re.compile(r"[A-Za-z0-9+/_.~!@#$%^&*][A-Za-z0-9+/_.~!@#$%^&*-]*={0,2}")
_TAG_SEPARATOR: Final = re.compile(
    r"""(?P<suffix>[A-Za-z0-9_\-]{0,24}+)(?:["'][ \t]{1,4}(?:value|content|val|default)[ \t]{0,2}=[ \t]{0,2}"""  # noqa: E501
    r"""|(?P<closed>["']?(?:[ \t][^<>\n]{0,80})?>[ \t\r\n]{0,40}(?:<!\[CDATA\[)?))(?P<q>["']?)"""
)
_BRACES_SEPARATOR: Final = re.compile(r"(?P<suffix>[A-Za-z0-9_]{0,24}+):?[-=](?=[^\s}$])")
_SHELL_DEFAULT: Final = re.compile(r"\$\{\w{1,60}:?[-=](?=[^\s}$])")
"""Beginning of a default value in shell syntax, such as `${NAME:-value}`."""

_ELEMENT_TEXT: Final = re.compile(r"[^<>\n]{3,300}(?=</)")
_OPENING_BRACKETS: Final = frozenset("{<([,;")
_BARE_WORD: Final = re.compile(r"""[^\s"'`<>(){}\[\],;|\\]{3,2000}+""")
_NAME_PREFIX: Final = re.compile(r"[A-Za-z0-9_.\-$@]{0,60}$")
_ENVIRONMENT_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_LINE_BEFORE_NAME: Final = re.compile(
    r"""[\s\-*>#|$+&?;"'\u2502]*(?:(?:export|set|env|local|declare|let|const|var)[ \t]{1,4}"""
    r"""(?:-\w{1,4}[ \t]{1,4})?)?|[ \t]*[0-9]{1,6}[\t:\u2192|][ \t]*"""
)
_LINE_AFTER_VALUE: Final = re.compile(r"""[ \t]*(?:\r?$|\r?\n|#|//|;[ \t]*(?:\r?\n|$))""")
_ASSIGNING_COMMAND: Final = re.compile(
    r"(?:\b(?:setx|setenv|ENV|ARG|SetEnv|putenv|define)|\bset[ \t]{1,4}-\w{1,6}|\bconfig(?:ure)?(?:[ \t]{1,4}--?\w{1,12})?[ \t]{1,4}"  # noqa: E501
    r"(?:set|add)|\bsecrets?[ \t]{1,4}(?:set|add|put|create)|\bconfig:set|\bkv[ \t]{1,4}put|\bmachine\b[^\n]{0,100})"  # noqa: E501
    r"(?:[ \t]{1,4}--?[\w=-]{1,30}){0,3}[ \t]{1,4}[\"']?[\w./:@-]{0,60}$"
)
_OPTION_NAME: Final = re.compile(r"(?:^|[\s\"'`=(\[])--?[A-Za-z0-9][A-Za-z0-9_\-.]{0,40}$|(?:^|[\s\"'`])--?$")
_PROSE_CHARACTERS: Final = frozenset(("", " ", "\t", "\n", "/", "-", "&", "?", ";"))
"""Characters before a name in a sentence, command or branch; in a program it may be a bracket."""

_SECRET_SUFFIX: Final = re.compile(r"secret(?:_?key)?$", re.IGNORECASE)
_ELEMENT_END: Final = re.compile(r"\s{0,40}(?:\]\]>\s{0,40})?(?:</|$)")
_LOOK_BACK: Final = 160  # characters


class NamedValue(NamedTuple):
    """Name of a secret with the value after it."""

    name: str  # name, including its prefix and suffix
    is_password: bool
    is_clear: bool  # whether the name surely denotes a secret
    form: str
    quote: str
    value: str
    name_start: int  # position of the name
    start: int
    end: int


def find_named_secrets(text: str, lower: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of values after names of secrets; `lower` is the text in lower case."""
    searched_until = 0
    for position in hint_positions(lower, NAME_HINTS):
        if position < searched_until:
            continue
        name_match = _SECRET_NAME.match(text, position)
        candidate = _read_value(text, position, name_match) if name_match else None
        if candidate is None:
            continue
        password_end = _password_end(candidate, text, position)
        if password_end is not None or _is_secret(candidate, text, position):
            end = (
                candidate.end
                if candidate.quote
                else continued_end(text, candidate.name_start, candidate.start, candidate.end)
            )
            searched_until = max(end, password_end or 0)
            yield candidate.start, searched_until
        elif len(candidate.value) > 100:  # a shorter value may itself be a name before a secret
            searched_until = candidate.end


def _read_value(text: str, position: int, name_match: re.Match[str]) -> NamedValue | None:
    separator, form, start, quote = _read_separator(text, position, name_match)
    if separator is None:
        return None
    if form == "tag" and separator["closed"] is not None and (element := _ELEMENT_TEXT.match(text, start)):
        quote_end: int | None = element.end()
        quote = ""
    else:
        quote_end = quoted_end(text, start, quote) if quote else None
    if quote_end is None and len(quote) > 1:  # only the first quote opens the value, the others belong to it
        start, quote = separator.start("q") + 1, quote[0]
        quote_end = quoted_end(text, start, quote)
    if quote_end is not None:
        end = quote_end
    else:
        word = _BARE_WORD.match(text, start)
        end = word.end() if word else start
        if "&" in text[start:end] and (cut := re.search(r"&(?=[\w.\-\[\]%]{1,60}=)", text[start:end])):
            end = start + cut.start()
    value = text[start:end]
    if text.startswith("[secret: ", start) or (
        len(value) < 3
        and (quote_end is not None or not (form == "assign" or text[end : end + 1] in _OPENING_BRACKETS))
    ):
        return None
    if (
        form == "tag"
        and separator["closed"] is not None
        and _ELEMENT_END.match(text, end + len(quote)) is None
    ):
        return None
    left = _NAME_PREFIX.search(text[max(0, position - 60) : position])
    prefix = left[0] if left else ""
    name_start = position - len(prefix)
    preceding = text[max(0, name_start - 2) : name_start]
    in_path = preceding == "::" or (
        preceding[-1:] == ":" and preceding[0].isalnum() and text[start - 1] == ":"
    )
    if in_path or _PAGINATION_PREFIX.search(prefix):
        return None
    suffix = separator["suffix"]
    is_clear = (
        _CLEAR_SUFFIX.fullmatch(suffix) is not None
        and _DOUBTFUL_PREFIX.search(prefix) is None
        and not (suffix in ("s", "S") and name_match["password"] is None)
        and name_match["weak"] is None
    )
    is_password = name_match["password"] is not None
    return NamedValue(
        prefix + name_match[0] + suffix, is_password, is_clear, form, quote, value, name_start, start, end
    )


def _read_separator(
    text: str, position: int, name_match: re.Match[str]
) -> tuple[re.Match[str] | None, str, int, str]:
    """Return the match between a name and its value, the form, the start of the value and its quote.

    A shell's default value, as in `${NAME:-value}`, is treated as quoted by the closing brace.
    """
    braces_start = text.rfind("${", max(0, position - 62), position)
    if braces_start >= 0 and _NAME_PREFIX.fullmatch(text, braces_start + 2, position):
        separator = _BRACES_SEPARATOR.match(text, name_match.end())
        if separator is not None:
            return separator, "assign", separator.end(), "}"
    tag_start, tag_end = (text.rfind(sign, max(0, position - 200), position) for sign in "<>")
    separator = _TAG_SEPARATOR.match(text, name_match.end()) if tag_start > tag_end else None
    form = "tag" if separator else ""
    if separator is None:
        separator = _SEPARATOR.match(text, name_match.end())
    if separator is None:
        return None, form, position, ""
    form = form or next(kind for kind in _FORMS if separator[kind] is not None)
    if (default := _SHELL_DEFAULT.match(text, separator.end())) is not None:
        return separator, form, default.end(), "}"
    return separator, form, separator.end(), separator["q"]


def _is_secret(candidate: NamedValue, text: str, position: int) -> bool:  # noqa: PLR0911 - one line for each form
    value, form = candidate.value, candidate.form
    if len(value) < 3:
        return False
    allow_passwords = (
        candidate.is_password
        or candidate.name[-6:].lower() == "secret"
        or (candidate.is_clear and len(value) >= 8)
    )
    stripped = value.rstrip(".:!?") if not candidate.quote else value
    if (
        is_reference(stripped)
        or is_descriptive_word(stripped)
        or (not candidate.is_password and " " not in stripped and has_code_signs(stripped))
        or (not candidate.quote and text[candidate.end : candidate.end + 1] in ("(", "["))
    ):
        return False
    if " " in value:
        return _is_secret_phrase(candidate, text, position)
    if form == "space":
        return _is_secret_after_space(candidate, text, position, allow_passwords=allow_passwords)
    is_random = looks_random(stripped, allow_passwords=allow_passwords) and not _is_identifier(
        candidate, stripped
    )
    if form == "comma":
        return (
            looks_random(stripped, allow_passwords=False)
            or has_password_signs(stripped)
            or (candidate.is_password and is_random)
        )
    if form == "block":
        has_colon = ":" in text[candidate.name_start : candidate.start]
        return (
            is_random
            and _SINGLE_WORD.fullmatch(stripped) is not None
            and (has_colon or is_mixed_key(stripped))
        )
    if form in ("cell", "prose") or not candidate.is_clear:
        return is_random or (form == "prose" and candidate.is_password and has_password_signs(stripped))
    if is_random:
        return True
    return is_plain_secret(
        stripped,
        password=candidate.is_password,
        quoted=bool(candidate.quote) or form in ("tag", "pair") or text.startswith("&", candidate.end),
        environment=_is_in_environment(candidate, text),
        on_own_line=_is_on_own_line(candidate, text, position),
    )


def _is_secret_phrase(candidate: NamedValue, text: str, position: int) -> bool:
    """Decide `_is_secret` for a value with blanks, in quotes or in an element of its own."""
    if candidate.form == "space" and not _OPTION_NAME.search(_text_before(text, position)):
        return False
    if candidate.form not in ("assign", "tag", "pair", "space"):
        return False
    is_closed = candidate.form == "tag" or bool(
        candidate.quote and text.startswith(candidate.quote, candidate.end)
    )
    is_passphrase_value = (
        is_closed and candidate.is_password and candidate.is_clear and is_passphrase(candidate.value)
    )
    return is_passphrase_value or any(is_mixed_key(word) for word in candidate.value.split())


def _password_end(candidate: NamedValue, text: str, position: int) -> int | None:
    """Return the end of a secret that contains signs as no word does, or None if there is none.

    The name must clearly denote a secret. Outside quotes, environments and lines of its own, a bare value
    with signs is usually code, so stricter rules apply there.
    """
    is_password = candidate.is_password or _SECRET_SUFFIX.search(candidate.name) is not None
    if not (is_password and candidate.is_clear) or candidate.form == "block":
        return None
    if candidate.form == "space" and not _OPTION_NAME.search(_text_before(text, position)):
        return None
    if (candidate.quote and text.startswith(candidate.quote, candidate.end)) or candidate.form == "tag":
        return candidate.end if " " not in candidate.value and looks_like_password(candidate.value) else None
    if candidate.form in ("pair", "comma"):
        return None
    end = bare_end(text, candidate.name_start, candidate.start)
    if candidate.form == "cell" and (cell_end := text.find("|", candidate.start, end)) >= 0:
        end = cell_end
    unquoted = candidate._replace(value=text[candidate.start : end].rstrip(",;"))
    if _is_in_environment(unquoted, text) or (
        candidate.form == "assign" and _is_on_own_line(candidate._replace(end=end), text, position)
    ):
        is_secret = looks_like_password(unquoted.value) or (
            candidate.value != unquoted.value and _is_secret(candidate, text, position)
        )
    else:
        is_in_prose = (
            candidate.form != "assign"
            or text[max(0, candidate.name_start - 1) : candidate.name_start] in _PROSE_CHARACTERS
        )
        is_secret = is_in_prose and looks_like_password(unquoted.value, strict=True)
    return candidate.start + len(unquoted.value) if is_secret else None


def _text_before(text: str, position: int) -> str:
    return text[max(0, position - _LOOK_BACK) : position]


def _is_in_environment(candidate: NamedValue, text: str) -> bool:
    """Return whether a name in capitals and its value have the form NAME=value."""
    return (
        candidate.form == "assign"
        and text.startswith("=", candidate.start - len(candidate.quote) - 1)
        and _ENVIRONMENT_NAME.fullmatch(candidate.name) is not None
    )


def _is_identifier(candidate: NamedValue, value: str) -> bool:
    """Return whether a value is an identifier that refers to the secret, and not a quoted password."""
    return (
        not (candidate.quote and candidate.is_password)
        and len(value) < 20
        and re.fullmatch(r"[A-Za-z_]\w*", value) is not None
        and re.search(r"pass|pwd|secret|token|key|cred|auth", value, re.IGNORECASE) is not None
    )


def _is_secret_after_space(candidate: NamedValue, text: str, position: int, *, allow_passwords: bool) -> bool:
    """Decide `_is_secret` for a value after a space: an option's, a command's, or a clearly random one."""
    before = _text_before(text, position)
    if _OPTION_NAME.search(before):
        return looks_random(candidate.value, allow_passwords=allow_passwords) or (
            candidate.is_clear
            and not candidate.value.startswith("-")
            and is_plain_secret(
                candidate.value,
                password=candidate.is_password,
                quoted=True,
                environment=False,
                on_own_line=False,
            )
        )
    if _ASSIGNING_COMMAND.search(before.rsplit("\n", 1)[-1]):
        return looks_random(candidate.value, allow_passwords=allow_passwords) or is_plain_secret(
            candidate.value, password=candidate.is_password, quoted=True, environment=True, on_own_line=False
        )
    if (
        candidate.is_password
        and candidate.is_clear
        and looks_random(candidate.value)
        and not _is_identifier(candidate, candidate.value)
    ):
        return _SINGLE_WORD.fullmatch(candidate.value) is not None
    return is_mixed_key(candidate.value)


def _is_on_own_line(candidate: NamedValue, text: str, position: int) -> bool:
    """Return whether name and value are alone on their line."""
    limit = max(0, position - _LOOK_BACK)
    line_start = text.rfind("\n", limit, position) + 1 or limit
    before_name = text[line_start : max(line_start, candidate.name_start)]
    value_end = candidate.end + len(candidate.quote)
    return (
        _LINE_BEFORE_NAME.fullmatch(before_name) is not None
        and _LINE_AFTER_VALUE.match(text, value_end) is not None
    )


def is_secret_name(name: str) -> bool:
    """Return whether a JSON key denotes a secret.

    >>> is_secret_name("db_password"), is_secret_name("sort_key")
    (True, False)
    """
    return any(_SECRET_JSON_KEY.match(name, at) for at in hint_positions(name.lower(), _JSON_KEY_HINTS))


def mentions_password(text: str) -> bool:
    """Return whether a text contains a word for password, so that its sentences must be searched one by one.

    >>> mentions_password("reset the Password"), mentions_password("two tokens")
    (True, False)
    """
    lower = text.lower()
    return any(word in lower for word in _PASSWORD_HINTS)


def is_named_secret(name: str, value: str) -> bool:
    """Return whether a text is a secret, given its name, as a value in a state file.

    >>> is_named_secret("db_password", "swordfish"), is_named_secret("branch", "swordfish")
    (True, False)
    """
    if not is_secret_name(name) or " " in value or len(value) < 3:
        return False
    assignment = f"{name}: {value}"
    if any(start == len(name) + 2 for start, _ in find_named_secrets(assignment, assignment.lower())):
        return True
    json_pair = f'"{name}": "{value}"'
    return any(True for _ in find_named_secrets(json_pair, json_pair.lower()))
