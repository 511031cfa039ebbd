"""Decide whether a value is a secret, from the value and the name before it. Pure.

Names such as `token` or `password` precede secrets, but also paths, calls, versions, types and words of a
manual. Three things decide: how random the value looks, how clearly the name denotes a secret, and the
syntax that connects the two.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections import Counter
from math import fsum, log2
from pathlib import Path
from typing import Final

_NUMBER: Final = re.compile(r"[0-9.,_%+\-:eExX]+|0[xX][0-9a-fA-F]+")
_WORD_PART: Final = r"(?:[A-Z]?[a-z]*+[0-9]{0,3}|[A-Z]++[0-9]{0,3}|[0-9]++[a-z]?|[0-9a-f]{4,12})"
_WORD_SEQUENCE: Final = re.compile(
    rf"{_WORD_PART}(?:[-_.:=@/~]++{_WORD_PART})+|[A-Z]*+[a-z]{{2,}}+[0-9]{{0,3}}+(?:[A-Z]++[a-z]{{2,}}+[0-9]{{0,3}}+)+"
)
"""Sequence of words, numbers and short hashes: a path, an identifier, a branch, a model, a run's id."""

_CAMEL_CASE: Final = re.compile(
    r"[a-z]*+[0-9]{0,2}(?:[A-Z]{1,6}[0-9]{0,2}[a-z]{2,}+[0-9]{0,3}|[A-Z]{1,5}[0-9]{1,2}(?=[A-Z])){2,}[A-Z]?"
)
_DATE: Final = re.compile(r"[12][0-9]{3}-?[01][0-9]-?[0-3][0-9](?:[T ].*)?")

_PLACEHOLDER_WORD: Final = re.compile(
    r"example|placeholder|change.?me|your|redacted|dummy|sample|insert|replace|xxxx|\*\*\*|\.\.\.|1234567",
    re.IGNORECASE,
)
_CHARACTER_RUN: Final = re.compile(r"[a-z]+|[A-Z]+|[0-9]+|[^A-Za-z0-9]+")
"""Maximal sequence of letters of one case, of digits or of signs."""

_SIGNS: Final = re.compile(r"[^A-Za-z0-9]+")

_DIGITS: Final = re.compile(r"[0-9]+")

_MIN_KEY_LENGTH: Final = 16  # characters; shorter words are passwords of people, longer ones generated keys
_MIN_KEY_ENTROPY: Final = 3.0  # bits per character of a generated key; sixteen hash digits have about 3.3
_MIN_PASSWORD_ENTROPY: Final = 2.2
_MIN_MIXED_KEY_LENGTH: Final = (
    20  # characters; frequent changes of letters and digits make a longer value a key
)

_MAX_ASSESSED_LENGTH: Final = (
    100  # characters of a value with signs, as it is assessed once for each name inside it
)

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX: Final = re.compile(r"(?=[a-fA-F]*[0-9])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{16,}")

_REFERENCE: Final = re.compile(
    r"[$@*]|\{[{%]|#\{|<[%?]|!(?:Ref|Sub|GetAtt|vault|env)\b|\.{1,2}/|~/|/|[a-z][a-z0-9+.-]{0,20}://|[A-Za-z]:\\"
    r"|(?:env|file|vault|secret|op|ssm|arn|https?|ref|keyring|prompt)(?:://|:)(?!//)"
)
"""Beginning of a value that only refers to the place of a secret."""

_PLACEHOLDER: Final = re.compile(
    r"[$#]?\{{1,2}(?P<braces>[^{}]{0,200})\}{1,2}|<(?P<angles>[^<>]{1,100})>|%\((?P<named>\w{1,60})\)[a-z]"
    r"|%(?P<percent>[A-Za-z_]\w{0,60})%|%[sdr](?![A-Za-z0-9])"
)
"""Placeholders of templates."""

_ALPHANUMERIC: Final = re.compile(r"[A-Za-z0-9]+")
_IDENTIFIER_WORD: Final = re.compile(
    r"[a-z]+[0-9]{0,2}|[A-Z]+[0-9]{0,2}|[A-Z]?[a-z]+(?:[A-Z][a-z]+)*[0-9]{0,2}|[0-9]{1,4}[a-z]?"
)
"""Letters and digits as in the words of an identifier."""

_MEMBER_ACCESS: Final = re.compile(r"[A-Za-z_]\w*(?:\??\.[A-Za-z_]\w*)+[;,]?|[A-Za-z_]\w*::\w+(?:::\w+)*")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*")
_NAME_OF_SECRET: Final = re.compile(r"pass|pwd|secret|token|cred|key|auth|login|user", re.IGNORECASE)
_CODE_SIGN: Final = re.compile(r"[\\\[\](){}|<>]")
_PASSWORD_SIGN: Final = re.compile(r"[!@#$%^&*~?+]")
_NON_WORD_CHARACTER: Final = re.compile(r"[^\w\s]", re.ASCII)

_CODE: Final = re.compile(
    r"(?:[!&*+~(\[{-]{0,3}(?:[a-z_]{3,}|[a-z_]+\d{1,3}[a-z_]{3,}|[A-Z]?[a-z]{2,}(?:[A-Z][a-z]+)*"
    r"|[A-Z]*(?:[A-Z][a-z]{2,}){2,}|[A-Z_]{3,})(?:[.(\[]|\?\.|::|->))"
    r"|[!&*~@]?[A-Za-z_$]\w*(?:\??\.[A-Za-z_]\w*|\([^()]{0,200}\)|\[[^\[\]]{0,200}\])*[,;:)\]}]*\Z"
    r"|[(\[][\w .,|\"'-]*[)\]](?:[,;]|\*\w+)?\Z|<[%?/]|\([A-Za-z_]\w*\Z|\*\*?\Z"
    r"|-{1,2}[A-Za-z][a-z-]+"
    r"|\$\$?[A-Za-z_]\w*(?:[/:@\"'.,;)}\[(|-]|\Z)|\$[({_]|\$\d\b|\{(?:[{%$#\"']|\w+[.:]|\Z)"
    r"|%(?:[A-Za-z_]\w*\(|\(|[sdr]\b)|(?:\.{0,2}|~)/[\w./~@%+:-]*[,;]?\Z|[a-z][a-z0-9+.-]{1,20}://|\.{3}"
)
"""Beginning of a value that is code or a reference: a call, a variable, a path."""

_EXPRESSION: Final = re.compile(
    r"\[\^?[a-zA-Z0-9]-[a-zA-Z0-9]|\(\?[:=!<P]|\\[dwsDWb][+*{)\]]|\.[*+](?:[?)$]|\Z)|\{\d+,\d*\}"
    r"|[\w)](?:=>|&&|\|\|)[\w({]|[$#]\{\w|\{\{[^{}]*\}\}|%[sd]\b|%[({]\w"
)
"""Parts of regular expressions, conditions and templates."""

_SENTENCE_WORDS: Final = frozenset({
    "account", "again", "allowed", "an", "as", "at", "bad", "be", "by", "cancel", "cannot", "can't",
    "character", "characters", "chars", "choose", "contain", "contains", "denied", "did", "digits", "do",
    "does", "don't", "email", "enter", "exist", "exists", "expires", "failed", "fill", "forget", "found",
    "if", "in", "is", "it", "least", "letters", "login", "manager", "match", "matches", "mismatch", "most",
    "no", "of", "ok", "on", "or", "please", "protected", "provide", "remember", "sent", "setup", "short",
    "sign", "submit", "success", "than", "to", "too", "type", "user", "verify",
})  # fmt: skip
"""Words of messages about a secret, in addition to those in _DESCRIPTIVE_WORDS."""

_DESCRIPTIVE_WORDS: Final = frozenset(
    Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split()
)
"""Words that follow the name of a secret and describe it: its type, its rules, its state."""


def looks_random(word: str, *, allow_passwords: bool = True) -> bool:
    """Return whether a word after a secret's name looks random; `allow_passwords`: also short ones.

    >>> (looks_random("hunter2!x9"), looks_random("os.environ"), looks_random("tokens_2024"),
    ...  looks_random("3600"))
    (True, False, False, False)
    """
    word = word.strip("\"'`.,;:&?")
    if len(word) >= _MIN_KEY_LENGTH and (_is_camel_case(word) or _DATE.fullmatch(word)):
        return False
    if len(word) >= _MIN_MIXED_KEY_LENGTH and _is_generated_key(word):
        return True
    if not any(map(str.isdigit, word)) or not any(map(str.isalpha, word)) or _PLACEHOLDER_WORD.search(word):
        return False
    if _NUMBER.fullmatch(word):
        return False
    if len(word) < _MIN_KEY_LENGTH:
        is_separated_words = re.search(r"[-_.:=@/]", word) is not None and _WORD_SEQUENCE.fullmatch(word)
        return (
            allow_passwords
            and len(word) >= 6
            and not is_separated_words
            and entropy_per_char(word) >= _MIN_PASSWORD_ENTROPY
        )
    return (
        entropy_per_char(word) >= _MIN_KEY_ENTROPY
        and not _WORD_SEQUENCE.fullmatch(word)
        and _change_rate(word) >= 0.12
    )


def _is_camel_case(word: str) -> bool:
    return _CAMEL_CASE.fullmatch(word) is not None and len(_DIGITS.findall(word)) <= 2


def _is_generated_key(word: str) -> bool:
    """Return whether letters of both cases and digits change more often than in any words."""
    character_kinds = any(map(str.isupper, word)) + any(map(str.islower, word)) + any(map(str.isdigit, word))
    alphanumerics = _SIGNS.sub("", word)
    min_change_rate = 0.3 if character_kinds == 3 else 0.45
    return (
        character_kinds >= 2
        and len(alphanumerics) >= _MIN_KEY_LENGTH
        and _change_rate(alphanumerics) >= min_change_rate
        and entropy_per_char(word) >= 3.4
    )


def is_mixed_key(word: str) -> bool:
    """Return whether a word is a secret even without a secret's name: random, with both cases and digits.

    >>> [is_mixed_key(word) for word in ("x7Kq9Zr4Tmp2Wd8nB6", "8a348f7c2d1e4b5a6978", "getUserTokenFromV2")]
    [True, False, False]
    """
    has_all_kinds = (
        any(map(str.isupper, word)) and any(map(str.islower, word)) and any(map(str.isdigit, word))
    )
    digit_groups = len(_DIGITS.findall(word))
    return (
        len(word) >= _MIN_KEY_LENGTH
        and has_all_kinds
        and digit_groups >= 2
        and looks_random(word, allow_passwords=False)
    )


def is_key_fragment(word: str) -> bool:
    """Return whether a word that is alone on its line may be the continuation of a key."""
    has_digits, has_letters = any(map(str.isdigit, word)), any(map(str.isalpha, word))
    if not has_digits or not has_letters or _NUMBER.fullmatch(word):
        return len(word) >= 24 and has_letters and entropy_per_char(word) >= 3.5 and _change_rate(word) >= 0.3
    return not _WORD_SEQUENCE.fullmatch(word) or (
        len(word) >= 4 and _change_rate(word) >= 0.4 and "." not in word
    )


def _change_rate(word: str) -> float:
    """Return the number of changes between kinds of characters per character of the word."""
    return (len(_CHARACTER_RUN.findall(word)) - 1) / len(word)


def entropy_per_char(word: str) -> float:
    """Compute the entropy of a word in bits per character, from the frequencies of its characters.

    >>> entropy_per_char("aaaa"), entropy_per_char("abcd")
    (0.0, 2.0)
    """
    terms = (count / len(word) * log2(len(word) / count) for count in Counter(word).values())
    return round(fsum(terms), 9)  # the last digits differ between processors


def is_id_or_hash(word: str) -> bool:
    """Return whether a word is a UUID or a hex hash, which is a secret only after a clear name."""
    return _UUID.fullmatch(word) is not None or _HEX.fullmatch(word) is not None


def has_code_signs(value: str) -> bool:
    """Return whether a value contains brackets or backslashes, as expressions and code do, but not keys."""
    return _CODE_SIGN.search(value) is not None


def has_password_signs(word: str) -> bool:
    """Return whether a word contains letters, digits and a sign, as password rules demand.

    >>> has_password_signs("blue77!x"), has_password_signs("v2.0")
    (True, False)
    """
    has_all_kinds = (
        any(map(str.isdigit, word)) and any(map(str.isalpha, word)) and _PASSWORD_SIGN.search(word)
    )
    return bool(has_all_kinds) and len(word) >= 6 and not _CODE_SIGN.search(word)


def looks_like_password(value: str, *, strict: bool = False) -> bool:
    r"""Return whether a value contains signs as a made-up password does, but no word, path or expression.

    `strict` also demands at least 8 characters, two kinds of letters or digits, and frequent changes.

    >>> [looks_like_password(value) for value in ("x9$Kq&;f", "d!Z(w", "user.name", "get(x)[0]", "Password!")]
    [True, True, False, False, False]
    """
    value = value.lstrip("\\\"'`")[:_MAX_ASSESSED_LENGTH]
    core = value.strip("\"'`.,;:!?*")
    if len(value) < 5 or len(set(value)) < 4 or _NON_WORD_CHARACTER.search(core) is None:
        return False
    has_kinds = (any(map(str.isupper, value)), any(map(str.islower, value)), any(map(str.isdigit, value)))
    if strict:
        is_made = sum(has_kinds) >= 2 and len(value) >= 8 and _change_rate(core) >= 0.5
    else:
        is_made = any(has_kinds[:2]) and _change_rate(value) >= (0.25 if sum(has_kinds) >= 2 else 0.4)
    if not is_made or _WORD_SEQUENCE.fullmatch(core) or _NUMBER.fullmatch(core):
        return False
    return not (
        _CODE.match(value)
        or _EXPRESSION.search(value)
        or _PLACEHOLDER_WORD.search(value)
        or is_template(value)
    )


def is_encoded_login(word: str) -> bool:
    """Return whether a base64 word decodes to "user:password".

    >>> is_encoded_login("bWU6aHVudGVyMg=="), is_encoded_login("authentication")
    (True, False)
    """
    try:
        decoded = b64decode(word + "=" * (-len(word) % 4), validate=True)
    except (NotBase64, ValueError):
        return False
    return b":" in decoded[1:] and all(31 < byte < 127 for byte in decoded)


def is_reference(value: str) -> bool:
    """Return whether a value is only a reference to a secret, or a placeholder.

    >>> [is_reference(value) for value in ("$TOKEN", "process.env.KEY", "/run/secrets/x", "hunter2")]
    [True, True, True, False]
    """
    if _MEMBER_ACCESS.fullmatch(value) or is_template(value):
        return True
    if _REFERENCE.match(value):
        return not (
            value[0] == "/"
            and len(value) >= _MIN_MIXED_KEY_LENGTH
            and _is_generated_key(value)
            and not _WORD_SEQUENCE.fullmatch(value)
        )
    return _PLACEHOLDER_WORD.search(value) is not None and not (
        len(value) >= _MIN_MIXED_KEY_LENGTH and _is_generated_key(value)
    )


def is_template(value: str) -> bool:
    """Return whether a value consists of template placeholders without a secret next to them.

    >>> [is_template(value) for value in ("<your-password>", "%(name)s:%(pw)s", "{user}-7", "{kq}zR9!p7")]
    [True, True, True, False]
    """
    names = [match[match.lastgroup] if match.lastgroup else "" for match in _PLACEHOLDER.finditer(value)]
    if not names:
        return False
    rest = _PLACEHOLDER.sub("", value)
    if not rest:
        return True
    if not all(map(_consists_of_words, names)):
        return False
    has_all_kinds = (
        any(map(str.isdigit, rest)) and any(map(str.isalpha, rest)) and _PASSWORD_SIGN.search(rest)
    )
    return len(rest) < 4 or (_consists_of_words(rest) and not has_all_kinds)


def _consists_of_words(text: str) -> bool:
    return all(map(_IDENTIFIER_WORD.fullmatch, _ALPHANUMERIC.findall(text)))


def is_passphrase(value: str) -> bool:
    """Return whether several words are a passphrase: not a sentence, and not a remark about a secret.

    >>> [is_passphrase(value) for value in ("horse battery", "my dog 7!", "Enter a value")]
    [True, True, False]
    """
    words = [word.strip(".,;:!?\"'()").lower() for word in value.split()]
    if (
        len(words) < 2
        or is_reference(value)
        or not _SENTENCE_WORDS.isdisjoint(words)
        or _NAME_OF_SECRET.search(value)
    ):
        return False
    if any(map(is_descriptive_word, words)):
        return False
    if value[0].isupper() and all(letter.isalpha() or letter in " .,!?'-" for letter in value):
        return False  # a sentence, or a label
    return all(letter.isprintable() for letter in value) and len(value) <= 100


def is_descriptive_word(value: str) -> bool:
    """Return whether a value is a word that describes a secret and is not one itself."""
    return value.lower().strip(".,;:!?") in _DESCRIPTIVE_WORDS


def is_plain_secret(  # noqa: PLR0911 - one line for each sort of value
    value: str, *, password: bool, quoted: bool, environment: bool, on_own_line: bool
) -> bool:
    """Return whether the value after a clear name of a secret is a secret, even if it does not look random.

    `quoted`: the value is in quotes. `environment`: the form is NAME=value. `on_own_line`: name and value are
    alone on their line.

    >>> def is_secret(value, **form):
    ...     defaults = dict(password=True, quoted=False, environment=False, on_own_line=False)
    ...     return is_plain_secret(value, **defaults | form)
    >>> [is_secret("swordfish", quoted=True), is_secret("a-b-c", environment=True),
    ...  is_secret("swordfish", on_own_line=True)]
    [True, True, True]
    >>> is_secret("string", quoted=True), is_secret("swordfish"), is_secret("DB_PASSWORD", environment=True)
    (False, False, False)
    """
    if is_reference(value) or is_descriptive_word(value):
        return False
    if is_id_or_hash(value):
        return True
    has_digits, has_letters = any(map(str.isdigit, value)), any(map(str.isalpha, value))
    if not has_letters:
        is_pin = value.isdigit() or (
            len(set(value)) > 3 and not value.startswith(("-", "=", "#", "/", "*", "+"))
        )
        return password and len(value) >= (4 if quoted or environment else 6) and is_pin
    if _IDENTIFIER.fullmatch(value):
        return _is_identifier_secret(
            value,
            has_digits=has_digits,
            password=password,
            quoted=quoted,
            environment=environment,
            on_own_line=on_own_line,
        )
    if " " in value or len(value) < (4 if password else 8) or _CODE_SIGN.search(value):
        return False
    if _PASSWORD_SIGN.search(value.rstrip("!?*")) or (has_digits and not _WORD_SEQUENCE.fullmatch(value)):
        return password or quoted or environment or on_own_line
    words = [word for word in re.split(r"[-_.:/+]+", value) if word]
    if all(map(is_descriptive_word, words)) or (_NAME_OF_SECRET.search(value) and not environment):
        return False
    return environment or (password and (quoted or on_own_line) and "/" not in value)


def _is_identifier_secret(  # noqa: PLR0911 - one line for each form
    value: str, *, has_digits: bool, password: bool, quoted: bool, environment: bool, on_own_line: bool
) -> bool:
    """Decide `is_plain_secret` for a value that may be an identifier in code."""
    if len(value) < (4 if password else 8) or len(value) > 60:
        return False
    if value.isupper() and not (has_digits and quoted) and "_" in value:
        return False
    if environment:
        return password or has_digits or "_" in value
    if _NAME_OF_SECRET.search(value) and not (has_digits and quoted and password):
        return False
    if not password:
        return (
            has_digits
            and (quoted or on_own_line)
            and not _WORD_SEQUENCE.fullmatch(value)
            and entropy_per_char(value) >= 2.75
        )
    is_compound = value[1:] != value[1:].lower() or "_" in value
    if quoted:
        return has_digits or not ("_" in value or value.isupper())
    return on_own_line and not is_compound and not value[0].isupper()
