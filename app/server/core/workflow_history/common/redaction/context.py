"""Rules for secrets that are recognized by the text around them. Data only.

They cover headers, addresses, commands and password files. A rule is tried within `REACH_BEFORE` characters
of its hints. Repetitions are bounded, so that every rule runs in time proportional to the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from .assess import is_descriptive_word, is_encoded_login, is_id_or_hash, is_reference, looks_random

REACH_BEFORE: Final = 400  # characters before a hint; the value after it may be longer


class Rule(NamedTuple):
    """One kind of context; the group `secret` of the shape is the secret."""

    kind: str  # kind shown in the mark that replaces the secret
    hints: tuple[str, ...]  # lower-case substrings, one of which is near every such secret
    pattern: re.Pattern[str]
    accepts: Callable[[str], bool]  # predicate that accepts a value as a secret


def _accept_any(_value: str) -> bool:
    return True


def _accept_password(value: str) -> bool:
    """Accept a value in a place for passwords, unless it is a reference, a descriptive word or an option."""
    return not (is_reference(value) or is_descriptive_word(value) or value.startswith("-"))


def _accept_key(value: str) -> bool:
    return looks_random(value, allow_passwords=False) or is_id_or_hash(value)


def _accept_credential(value: str) -> bool:
    return looks_random(value) or is_id_or_hash(value) or is_encoded_login(value)


def _rule(
    kind: str, hints: str, pattern: str, accepts: Callable[[str], bool], *, case_sensitive: bool = False
) -> Rule:
    flags = re.ASCII if case_sensitive else re.ASCII | re.IGNORECASE
    return Rule(kind, tuple(hints.split("|")), re.compile(pattern, flags), accepts)


_OPTIONAL_QUOTE: Final = r"""["'`]?"""
_QUOTED_VALUE: Final = r""""(?P<double>[^"\n]{3,200})"|'(?P<single>[^'\n]{3,200})'"""
_BARE_VALUE: Final = r"""(?P<secret>[^\s"'`|;&<>]{3,2000})"""
_VALUE: Final = rf"""(?:{_QUOTED_VALUE}|["'`]?{_BARE_VALUE})"""
"""Value in quotes as a whole, or a bare value up to a character that ends a command."""

_COMMAND_REST: Final = r"[^\n|;&]{0,200}?[ \t]"

RULES: Final = (
    _rule(
        "webhook",
        "hooks.slack.com/|/api/webhooks/|/webhookb2/",
        r"(?:hooks\.slack\.com/(?:services|workflows|triggers)/|/api/webhooks/|/webhookb2/)(?P<secret>[\w/@.-]{20,2000})",
        _accept_any,
    ),
    _rule(
        "password",
        "://",
        r"""://[^\s:/@"'<>`\\{}]{0,80}:(?P<secret>"""
        r"""(?!(?:pass(?:word)?|pwd|pw|secret|token|[*.x]{1,20})@)[^\s/"'<>`\\{}$][^\s/"'<>`\\{}]{2,300})@(?=[A-Za-z0-9_.\[%-])""",
        _accept_any,
    ),
    _rule(
        "password",
        "://",
        r"://(?P<secret>[A-Za-z0-9_\-]{20,300})(?::[\w-]{0,40})?@(?=[A-Za-z0-9_.\[%-])",
        lambda value: looks_random(value, allow_passwords=False),
    ),
    _rule(
        "access key",
        "authorization",
        r"(?<![A-Za-z])authorization[\"'`]?[\])]?[ \t]{0,4}[:=,>]{0,2}[ \t]{0,4}[\"'`]?"
        r"(?:(?:bearer|basic|token|digest|bot|apikey|api-key|key|negotiate|oauth|splunk|genie-?key|sso-key|aws)[ \t:]{1,4})?"  # noqa: E501
        r"(?P<secret>[A-Za-z0-9._~+/=\-:]{8,2000}+)",
        lambda value: _accept_password(value) and _accept_credential(value),
    ),
    _rule(
        "access key",
        "bearer",
        r"bearer[\"'`]?[ \t]{0,4}[:=]?[ \t]{0,4}[\"'`]?(?P<secret>[A-Za-z0-9._~+/=\-]{12,2000}+)",
        _accept_key,
    ),
    _rule(
        "access key", "basic ", r"\bbasic[ \t]{1,4}(?P<secret>[A-Za-z0-9+/]{8,2000}+={0,2})", is_encoded_login
    ),
    _rule(
        "access key",
        '"auth"',
        r'"auth"\s{0,4}:\s{0,4}"(?P<secret>[A-Za-z0-9+/]{8,2000}+={0,2})"',
        lambda value: is_encoded_login(value) or looks_random(value, allow_passwords=False),
    ),
    _rule(
        "session cookie",
        "cookie:|cookie':|cookie\":",
        r"(?<![\w.-])[\w.-]{1,60}=(?P<secret>[A-Za-z0-9%._~+/\-]{16,2000}+)(?=[;\s\"'=]|$)",
        _accept_key,
    ),
    _rule(
        "storage key",
        "accountkey=|sharedaccesskey=|sig=",
        r"(?:AccountKey|SharedAccessKey|(?<=[?&;])sig)=(?P<secret>(?:[A-Za-z0-9+/_-]|%[0-9A-Fa-f]{2}){40,2000}+={0,2})",
        _accept_any,
    ),
    _rule(
        "access key",
        "?|&",
        r"(?<=[?&;])(?:key|sig|signature|auth|code|jwt|sid|session(?:_?id)?|x-(?:amz|goog)-(?:signature|credential))"
        r"=(?P<secret>[A-Za-z0-9%._~+/=\-]{12,2000}+)",
        _accept_key,
    ),
    _rule(
        "npm token",
        ":_|_auth",
        r"(?:(?<=:)|(?<![A-Za-z0-9]))_(?:authToken|password|auth)"
        + _OPTIONAL_QUOTE
        + r"[ \t]{0,4}[ =:][ \t]{0,4}"
        + _OPTIONAL_QUOTE
        + r"(?P<secret>[^\s\"'`,;]{6,2000})",
        lambda value: not is_reference(value) and (_accept_credential(value) or value.endswith("=")),
    ),
    _rule(
        "password",
        "pass:",
        r"-(?:pass(?:in|out|word)?|k)[ =]{1,4}" + _OPTIONAL_QUOTE + r"pass:" + _VALUE,
        _accept_any,
    ),
    _rule(
        "password",
        "login",
        r"machine\s{1,20}\S{1,200}\s{1,20}(?:login\s{1,20}\S{1,200}\s{1,20})?password\s{1,20}" + _VALUE,
        _accept_password,
    ),
    _rule("password", "login", r"\blogin\s{1,20}\S{1,200}\s{1,20}password\s{1,20}" + _VALUE, looks_random),
    _rule(
        "password hash",
        "$",
        r"(?P<secret>\$(?:(?:apr1|1)\$[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{22}"
        r"|2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}"
        r"|[56]\$(?:rounds=\d{1,9}\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43,86}"
        r"|(?:y|7|gy)\$[./A-Za-z0-9]{1,40}\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}"
        r"|argon2(?:id|i|d)\$(?:v=\d{1,3}\$)?[a-z0-9=,]{1,60}\$[A-Za-z0-9+/]{8,200}\$[A-Za-z0-9+/]{20,200}"
        r"|(?:scrypt|pbkdf2[a-z0-9_-]{0,20})\$[A-Za-z0-9=,.+/$-]{20,300}))",
        _accept_any,
    ),
    _rule(
        "password hash",
        "pbkdf2_|sha}|sha256}|sha512}|md5}|crypt}",
        r"(?P<secret>pbkdf2_sha\d{1,3}\$\d{1,9}\$[A-Za-z0-9]{4,64}\$[A-Za-z0-9+/]{20,200}={0,2}"
        r"|\{(?:S?SHA\d{0,3}|S?MD5|CRYPT)\}[A-Za-z0-9+/$.]{16,200}={0,2})",
        _accept_any,
    ),
    _rule(
        "password",
        ":5432:|:5433:|:3306:|:6432:|:*:",
        r"(?<![\w.*:-])[\w.*-]{1,200}:(?:\d{2,5}|\*):[\w.*-]{1,100}:[\w.*@-]{1,100}:(?P<secret>[^\s\"'`]{3,300})",
        _accept_password,
    ),
    _rule(
        "password",
        "mysql|mariadb",
        r"\b(?:mysql|mariadb)[a-z_-]{0,12}\b" + _COMMAND_REST + "-p" + _VALUE,
        _accept_password,
    ),
    _rule(
        "password",
        "sshpass|ssh-keygen|redis-cli|login|ldap|zip|smbclient|rdesktop|freerdp|7z|storepass|mongo",
        r"(?:\bsshpass[ \t]{1,4}-p|\bssh-keygen\b"
        + _COMMAND_REST
        + r"-N|\bredis-cli\b"
        + _COMMAND_REST
        + r"(?:-a|--pass)|\b(?:7z|7za)\b"
        + _COMMAND_REST
        + r"-p"
        r"|\b(?:docker|podman|helm registry|az|oc|skopeo|npm|cf|crane|buildah|nerdctl)[ \t]{1,4}login\b"
        + _COMMAND_REST
        + r"-p|\bldap(?:search|modify|add|delete|passwd|whoami)\b"
        + _COMMAND_REST
        + r"-w"
        r"|\b(?:zip|unzip)\b"
        + _COMMAND_REST
        + r"-P|\b(?:rdesktop)\b"
        + _COMMAND_REST
        + r"-p|\bx?freerdp3?\b"
        + _COMMAND_REST
        + r"/p:"
        r"|\bmongo[a-z]{0,8}\b"
        + _COMMAND_REST
        + r"-p|-(?:storepass|keypass|srcstorepass|deststorepass))[ \t=]{0,4}"
        + _VALUE,
        _accept_password,
    ),
    _rule(
        "password",
        "curl|wget|smbclient|http -a|https -a|--auth",
        r"\b(?:curl|wget|https?|smbclient)\b"
        + _COMMAND_REST
        + r"(?:-u|--user|--proxy-user|-U|-a|--auth)[ =]{0,4}"
        + r"""(?:'[^\s:%"'`]{1,100}[:%](?P<single>[^'\n]{3,300})'"""
        + r"""|"[^\s:%"'`]{1,100}[:%](?P<double>[^"\n]{3,300})\""""
        + r"""|["'`]?[^\s:%"'`]{1,100}[:%](?P<secret>[^\s"'`|;<>]{3,300}))""",
        _accept_password,
    ),
    _rule(
        "password",
        "chpasswd|password-stdin|sudo|with-token|token-stdin|kinit|passphrase-fd|-pass stdin",
        r"(?:\becho|\bprintf)[ \t]{1,4}(?:-n[ \t]{1,4}|['\"]%s(?:\\n)?['\"][ \t]{1,4})?"
        + _OPTIONAL_QUOTE
        + r"(?:[\w.-]{1,60}:)?(?P<secret>[^\s\"'`|;&<>]{3,300})"
        + _OPTIONAL_QUOTE
        + r"[ \t]{0,4}\|[^\n|]{0,120}(?:chpasswd|--password-stdin|sudo[ \t]{1,4}(?:-\w{1,8}[ \t]{1,4}){0,4}-S"
        r"|--with-token|--token-stdin|\bkinit|passphrase-fd|-pass stdin)",
        _accept_password,
    ),
    _rule(
        "password",
        "htpasswd",
        r"htpasswd[ \t]{1,4}(?:-\w{1,8}[ \t]{1,4}){0,4}(?:-\w{0,6}n\w{0,6}[ \t]{1,4}\S{1,100}"
        r"|-\w{0,6}b\w{0,6}[ \t]{1,4}\S{1,200}[ \t]{1,4}\S{1,100})[ \t]{1,4}" + _VALUE,
        _accept_password,
    ),
    _rule(
        "password",
        "identified|password",
        r"(?:identified[ \t]{1,4}(?:with[ \t]{1,4}\S{1,40}[ \t]{1,4})?by(?:[ \t]{1,4}password)?"
        r"|(?:with|set|encrypted|role|user)[ \t]{1,4}(?:\S{1,60}[ \t]{1,4}){0,4}password)[ \t=(]{0,4}"
        r"['\"](?P<secret>[^'\"\n]{3,200})['\"]",
        _accept_password,
    ),
    _rule(
        "recovery phrase",
        "mnemonic|phrase|recovery",
        r"(?:mnemonic|(?:seed|recovery|secret|backup)[ _-]?(?:phrase|words))"
        + _OPTIONAL_QUOTE
        + r"[ \t]{0,4}(?:is|[:=])\s{0,4}"
        + _OPTIONAL_QUOTE
        + r"(?P<secret>(?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})",
        _accept_any,
    ),
    _rule(
        "aws secret key",
        "akia|asia",
        r"A(?:KIA|SIA)[A-Z0-9]{16}[\"'\s,:;|/]{1,8}(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        _accept_any,
        case_sensitive=True,
    ),
    _rule(
        "password",
        "securestring|networkcredential",
        r"(?:ConvertTo-SecureString|NetworkCredential\([^,\n]{1,100},)[ \t]{0,4}(?:-String[ \t]{1,4})?[\"'](?P<secret>[^\"'\n$]{3,200})[\"']",  # noqa: E501
        _accept_password,
    ),
    _rule(
        "password",
        "net use",
        r"\bnet[ \t]{1,4}use[ \t]{1,4}[^\n]{0,100}?/user:\S{1,100}[ \t]{1,4}" + _VALUE,
        _accept_password,
    ),
    _rule(
        "access key",
        "gh secret|gh variable",
        r"\bgh[ \t]{1,4}(?:secret|variable)[ \t]{1,4}set\b"
        + _COMMAND_REST
        + r"(?:-b|--body)[ =]{1,4}"
        + _VALUE,
        _accept_password,
    ),
    _rule(
        "password",
        "add-mask",
        r"::add-mask::" + _VALUE,
        _accept_password,
    ),
)

GUARDS: Final = dict.fromkeys(
    ("mysql", "mariadb", "redis-cli", "ldap", "zip", "smbclient", "rdesktop", "kinit", "7z", "keytool", "mongo", "curl",  # noqa: E501
     "wget", "sudo", "with-token", "token-stdin"),
    " -",
)  # fmt: skip
"""Additional text required by the hints of programs: their secrets are passed in an option."""
