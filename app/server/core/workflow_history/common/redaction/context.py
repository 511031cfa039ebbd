"""Rules for secrets that are recognized by the text around them. Data only.

They cover headers, addresses, commands and password files. A rule is tried within `REACH` characters of its
hints. Repetitions are bounded, so that every rule runs in time proportional to the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from .assess import is_id_or_hash, is_login, is_reference, is_word_of_values, looks_random

REACH: Final = 400  # characters before a hint; the value after it may be longer
AFTER: Final = 2_400


class Rule(NamedTuple):
    """One kind of context; the group `secret` of the shape is the secret."""

    kind: str  # kind shown in the mark that replaces the secret
    hints: tuple[str, ...]  # lower-case substrings, one of which is near every such secret
    shape: re.Pattern[str]
    judged: Callable[[str], bool]  # predicate that accepts a value as a secret


def _anything(_value: str) -> bool:
    return True


def _typed(value: str) -> bool:
    """Accept a value in a place for passwords, unless it is a reference, a descriptive word or an option."""
    return not (is_reference(value) or is_word_of_values(value) or value.startswith("-"))


def _login(value: str) -> bool:
    return is_login(value) or looks_random(value, of_people=False)


def _header(value: str) -> bool:
    return _typed(value) and (looks_random(value) or is_id_or_hash(value) or is_login(value))


def _certain(value: str) -> bool:
    return looks_random(value) or is_id_or_hash(value)


def _rule(kind: str, hints: str, shape: str, judged: Callable[[str], bool], *, exactly: bool = False) -> Rule:
    flags = re.ASCII if exactly else re.ASCII | re.IGNORECASE
    return Rule(kind, tuple(hints.split("|")), re.compile(shape, flags), judged)


_Q: Final = r"""["'`]?"""
_QUOTED: Final = r""""(?P<double>[^"\n]{3,200})"|'(?P<single>[^'\n]{3,200})'"""
_BARE: Final = r"""(?P<secret>[^\s"'`|;&<>]{3,2000})"""
_VALUE: Final = rf"""(?:{_QUOTED}|["'`]?{_BARE})"""
"""Value in quotes as a whole, or a bare value up to a character that ends a command."""

_ON_LINE: Final = r"[^\n|;&]{0,200}?[ \t]"

RULES: Final = (
    _rule(
        "webhook",
        "hooks.slack.com/|/api/webhooks/|/webhookb2/",
        r"(?:hooks\.slack\.com/(?:services|workflows|triggers)/|/api/webhooks/|/webhookb2/)(?P<secret>[\w/@.-]{20,2000})",
        _anything,
    ),
    _rule(
        "password",
        "://",
        r"""://[^\s:/@"'<>`\\{}]{0,80}:(?P<secret>"""
        r"""(?!(?:pass(?:word)?|pwd|pw|secret|token|[*.x]{1,20})@)[^\s/"'<>`\\{}$][^\s/"'<>`\\{}]{2,300})@(?=[A-Za-z0-9_.\[%-])""",
        _anything,
    ),
    _rule(
        "password",
        "://",
        r"://(?P<secret>[A-Za-z0-9_\-]{20,300})(?::[\w-]{0,40})?@(?=[A-Za-z0-9_.\[%-])",
        lambda value: looks_random(value, of_people=False),
    ),
    _rule(
        "access key",
        "authorization",
        r"(?<![A-Za-z])authorization[\"'`]?[\])]?[ \t]{0,4}[:=,>]{0,2}[ \t]{0,4}[\"'`]?"
        r"(?:(?:bearer|basic|token|digest|bot|apikey|api-key|key|negotiate|oauth|splunk|genie-?key|sso-key|aws)[ \t:]{1,4})?"  # noqa: E501
        r"(?P<secret>[A-Za-z0-9._~+/=\-:]{8,2000}+)",
        _header,
    ),
    _rule(
        "access key",
        "bearer",
        r"bearer[\"'`]?[ \t]{0,4}[:=]?[ \t]{0,4}[\"'`]?(?P<secret>[A-Za-z0-9._~+/=\-]{12,2000}+)",
        lambda value: looks_random(value, of_people=False) or is_id_or_hash(value),
    ),
    _rule("access key", "basic ", r"\bbasic[ \t]{1,4}(?P<secret>[A-Za-z0-9+/]{8,2000}+={0,2})", is_login),
    _rule("access key", '"auth"', r'"auth"\s{0,4}:\s{0,4}"(?P<secret>[A-Za-z0-9+/]{8,2000}+={0,2})"', _login),
    _rule(
        "session cookie",
        "cookie:|cookie':|cookie\":",
        r"(?<![\w.-])[\w.-]{1,60}=(?P<secret>[A-Za-z0-9%._~+/\-]{16,2000}+)(?=[;\s\"'=]|$)",
        lambda value: looks_random(value, of_people=False) or is_id_or_hash(value),
    ),
    _rule(
        "storage key",
        "accountkey=|sharedaccesskey=|sig=",
        r"(?:AccountKey|SharedAccessKey|(?<=[?&;])sig)=(?P<secret>(?:[A-Za-z0-9+/_-]|%[0-9A-Fa-f]{2}){40,2000}+={0,2})",
        _anything,
    ),
    _rule(
        "access key",
        "?|&",
        r"(?<=[?&;])(?:key|sig|signature|auth|code|jwt|sid|session(?:_?id)?|x-(?:amz|goog)-(?:signature|credential))"
        r"=(?P<secret>[A-Za-z0-9%._~+/=\-]{12,2000}+)",
        lambda value: looks_random(value, of_people=False) or is_id_or_hash(value),
    ),
    _rule(
        "npm token",
        ":_|_auth",
        r"(?:(?<=:)|(?<![A-Za-z0-9]))_(?:authToken|password|auth)"
        + _Q
        + r"[ \t]{0,4}[ =:][ \t]{0,4}"
        + _Q
        + r"(?P<secret>[^\s\"'`,;]{6,2000})",
        lambda value: not is_reference(value) and (_certain(value) or is_login(value) or value.endswith("=")),
    ),
    _rule(
        "password",
        "pass:",
        r"-(?:pass(?:in|out|word)?|k)[ =]{1,4}" + _Q + r"pass:" + _VALUE,
        _anything,
    ),
    _rule(
        "password",
        "login",
        r"machine\s{1,20}\S{1,200}\s{1,20}(?:login\s{1,20}\S{1,200}\s{1,20})?password\s{1,20}" + _VALUE,
        _typed,
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
        _anything,
    ),
    _rule(
        "password hash",
        "pbkdf2_|sha}|sha256}|sha512}|md5}|crypt}",
        r"(?P<secret>pbkdf2_sha\d{1,3}\$\d{1,9}\$[A-Za-z0-9]{4,64}\$[A-Za-z0-9+/]{20,200}={0,2}"
        r"|\{(?:S?SHA\d{0,3}|S?MD5|CRYPT)\}[A-Za-z0-9+/$.]{16,200}={0,2})",
        _anything,
    ),
    _rule(
        "password",
        ":5432:|:5433:|:3306:|:6432:|:*:",
        r"(?<![\w.*:-])[\w.*-]{1,200}:(?:\d{2,5}|\*):[\w.*-]{1,100}:[\w.*@-]{1,100}:(?P<secret>[^\s\"'`]{3,300})",
        _typed,
    ),
    _rule(
        "password",
        "mysql|mariadb",
        r"\b(?:mysql|mariadb)[a-z_-]{0,12}\b" + _ON_LINE + "-p" + _VALUE,
        _typed,
    ),
    _rule(
        "password",
        "sshpass|ssh-keygen|redis-cli|login|ldap|zip|smbclient|rdesktop|freerdp|7z|storepass|mongo",
        r"(?:\bsshpass[ \t]{1,4}-p|\bssh-keygen\b"
        + _ON_LINE
        + r"-N|\bredis-cli\b"
        + _ON_LINE
        + r"(?:-a|--pass)|\b(?:7z|7za)\b"
        + _ON_LINE
        + r"-p"
        r"|\b(?:docker|podman|helm registry|az|oc|skopeo|npm|cf|crane|buildah|nerdctl)[ \t]{1,4}login\b"
        + _ON_LINE
        + r"-p|\bldap(?:search|modify|add|delete|passwd|whoami)\b"
        + _ON_LINE
        + r"-w"
        r"|\b(?:zip|unzip)\b"
        + _ON_LINE
        + r"-P|\b(?:rdesktop)\b"
        + _ON_LINE
        + r"-p|\bx?freerdp3?\b"
        + _ON_LINE
        + r"/p:"
        r"|\bmongo[a-z]{0,8}\b"
        + _ON_LINE
        + r"-p|-(?:storepass|keypass|srcstorepass|deststorepass))[ \t=]{0,4}"
        + _VALUE,
        _typed,
    ),
    _rule(
        "password",
        "curl|wget|smbclient|http -a|https -a|--auth",
        r"\b(?:curl|wget|https?|smbclient)\b"
        + _ON_LINE
        + r"(?:-u|--user|--proxy-user|-U|-a|--auth)[ =]{0,4}"
        + r"""(?:'[^\s:%"'`]{1,100}[:%](?P<single>[^'\n]{3,300})'"""
        + r"""|"[^\s:%"'`]{1,100}[:%](?P<double>[^"\n]{3,300})\""""
        + r"""|["'`]?[^\s:%"'`]{1,100}[:%](?P<secret>[^\s"'`|;<>]{3,300}))""",
        _typed,
    ),
    _rule(
        "password",
        "chpasswd|password-stdin|sudo|with-token|token-stdin|kinit|passphrase-fd|-pass stdin",
        r"(?:\becho|\bprintf)[ \t]{1,4}(?:-n[ \t]{1,4}|['\"]%s(?:\\n)?['\"][ \t]{1,4})?"
        + _Q
        + r"(?:[\w.-]{1,60}:)?(?P<secret>[^\s\"'`|;&<>]{3,300})"
        + _Q
        + r"[ \t]{0,4}\|[^\n|]{0,120}(?:chpasswd|--password-stdin|sudo[ \t]{1,4}(?:-\w{1,8}[ \t]{1,4}){0,4}-S"
        r"|--with-token|--token-stdin|\bkinit|passphrase-fd|-pass stdin)",
        _typed,
    ),
    _rule(
        "password",
        "htpasswd",
        r"htpasswd[ \t]{1,4}(?:-\w{1,8}[ \t]{1,4}){0,4}(?:-\w{0,6}n\w{0,6}[ \t]{1,4}\S{1,100}"
        r"|-\w{0,6}b\w{0,6}[ \t]{1,4}\S{1,200}[ \t]{1,4}\S{1,100})[ \t]{1,4}" + _VALUE,
        _typed,
    ),
    _rule(
        "password",
        "identified|password",
        r"(?:identified[ \t]{1,4}(?:with[ \t]{1,4}\S{1,40}[ \t]{1,4})?by(?:[ \t]{1,4}password)?"
        r"|(?:with|set|encrypted|role|user)[ \t]{1,4}(?:\S{1,60}[ \t]{1,4}){0,4}password)[ \t=(]{0,4}"
        r"['\"](?P<secret>[^'\"\n]{3,200})['\"]",
        _typed,
    ),
    _rule(
        "recovery phrase",
        "mnemonic|phrase|recovery",
        r"(?:mnemonic|(?:seed|recovery|secret|backup)[ _-]?(?:phrase|words))"
        + _Q
        + r"[ \t]{0,4}(?:is|[:=])\s{0,4}"
        + _Q
        + r"(?P<secret>(?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})",
        _anything,
    ),
    _rule(
        "aws secret key",
        "akia|asia",
        r"A(?:KIA|SIA)[A-Z0-9]{16}[\"'\s,:;|/]{1,8}(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        _anything,
        exactly=True,
    ),
    _rule(
        "password",
        "securestring|networkcredential",
        r"(?:ConvertTo-SecureString|NetworkCredential\([^,\n]{1,100},)[ \t]{0,4}(?:-String[ \t]{1,4})?[\"'](?P<secret>[^\"'\n$]{3,200})[\"']",  # noqa: E501
        _typed,
    ),
    _rule(
        "password",
        "net use",
        r"\bnet[ \t]{1,4}use[ \t]{1,4}[^\n]{0,100}?/user:\S{1,100}[ \t]{1,4}" + _VALUE,
        _typed,
    ),
    _rule(
        "access key",
        "gh secret|gh variable",
        r"\bgh[ \t]{1,4}(?:secret|variable)[ \t]{1,4}set\b" + _ON_LINE + r"(?:-b|--body)[ =]{1,4}" + _VALUE,
        _typed,
    ),
    _rule(
        "password",
        "add-mask",
        r"::add-mask::" + _VALUE,
        _typed,
    ),
)

GUARDS: Final = dict.fromkeys(
    ("mysql", "mariadb", "redis-cli", "ldap", "zip", "smbclient", "rdesktop", "kinit", "7z", "keytool", "mongo", "curl",  # noqa: E501
     "wget", "sudo", "with-token", "token-stdin"),
    " -",
)  # fmt: skip
"""Additional text required by the hints of programs: their secrets are passed in an option."""
