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
_PART: Final = r"(?:[A-Z]?[a-z]*+[0-9]{0,3}|[A-Z]++[0-9]{0,3}|[0-9]++[a-z]?|[0-9a-f]{4,12})"
_SAID: Final = re.compile(
    rf"{_PART}(?:[-_.:=@/~]++{_PART})+|[A-Z]*+[a-z]{{2,}}+[0-9]{{0,3}}+(?:[A-Z]++[a-z]{{2,}}+[0-9]{{0,3}}+)+"
)
"""Sequence of words, numbers and short hashes: a path, an identifier, a branch, a model, a run's id."""

_CAMEL: Final = re.compile(
    r"[a-z]*+[0-9]{0,2}(?:[A-Z]{1,6}[0-9]{0,2}[a-z]{2,}+[0-9]{0,3}|[A-Z]{1,5}[0-9]{1,2}(?=[A-Z])){2,}[A-Z]?"
)
_DATE: Final = re.compile(r"[12][0-9]{3}-?[01][0-9]-?[0-3][0-9](?:[T ].*)?")

_STANDS_FOR: Final = re.compile(
    r"example|placeholder|change.?me|your|redacted|dummy|sample|insert|replace|xxxx|\*\*\*|\.\.\.|1234567",
    re.IGNORECASE,
)
_PIECE: Final = re.compile(r"[a-z]+|[A-Z]+|[0-9]+|[^A-Za-z0-9]+")
"""Maximal sequence of letters of one case, of digits or of signs."""

_SIGNS: Final = re.compile(r"[^A-Za-z0-9]+")

_DIGITS: Final = re.compile(r"[0-9]+")

_SHORT: Final = 16  # characters; shorter words are passwords of people, longer ones generated keys
_LEAST_BITS: Final = 3.0  # bits per character of a generated key; sixteen hash digits have about 3.3
_LEAST_BITS_SHORT: Final = 2.2
_KEY: Final = 20  # characters; frequent changes of letters and digits make a longer value a key

_JUDGED: Final = 100  # characters of a value with signs, as it is assessed once for each name inside it

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

_RUN: Final = re.compile(r"[A-Za-z0-9]+")
_WORDY: Final = re.compile(
    r"[a-z]+[0-9]{0,2}|[A-Z]+[0-9]{0,2}|[A-Z]?[a-z]+(?:[A-Z][a-z]+)*[0-9]{0,2}|[0-9]{1,4}[a-z]?"
)
"""Letters and digits as in the words of an identifier."""

_MEMBER: Final = re.compile(r"[A-Za-z_]\w*(?:\??\.[A-Za-z_]\w*)+[;,]?|[A-Za-z_]\w*::\w+(?:::\w+)*")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*")
_NAMES: Final = re.compile(r"pass|pwd|secret|token|cred|key|auth|login|user", re.IGNORECASE)
_PATTERN: Final = re.compile(r"[\\\[\](){}|<>]")
_SIGN: Final = re.compile(r"[!@#$%^&*~?+]")
_SIGN_INSIDE: Final = re.compile(r"[^\w\s]", re.ASCII)

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

_OF_SENTENCES: Final = frozenset({
    "account", "again", "allowed", "an", "as", "at", "bad", "be", "by", "cancel", "cannot", "can't",
    "character", "characters", "chars", "choose", "contain", "contains", "denied", "did", "digits", "do",
    "does", "don't", "email", "enter", "exist", "exists", "expires", "failed", "fill", "forget", "found",
    "if", "in", "is", "it", "least", "letters", "login", "manager", "match", "matches", "mismatch", "most",
    "no", "of", "ok", "on", "or", "please", "protected", "provide", "remember", "sent", "setup", "short",
    "sign", "submit", "success", "than", "to", "too", "type", "user", "verify",
})  # fmt: skip
"""Words of messages about a secret, in addition to those in _SAID_OF_VALUES."""

_SAID_OF_VALUES: Final = frozenset(Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split())
"""Words that follow the name of a secret and describe it: its type, its rules, its state."""


def looks_random(word: str, *, of_people: bool = True) -> bool:
    """Return whether a word after a secret's name looks random; `of_people` also accepts short passwords.

    >>> (looks_random("hunter2!x9"), looks_random("os.environ"), looks_random("tokens_2024"),
    ...  looks_random("3600"))
    (True, False, False, False)
    """
    word = word.strip("\"'`.,;:&?")
    if len(word) >= _SHORT and (_is_camel(word) or _DATE.fullmatch(word)):
        return False
    if len(word) >= _KEY and _is_key(word):
        return True
    if not any(map(str.isdigit, word)) or not any(map(str.isalpha, word)) or _STANDS_FOR.search(word):
        return False
    if _NUMBER.fullmatch(word):
        return False
    if len(word) < _SHORT:
        separated = re.search(r"[-_.:=@/]", word) is not None and _SAID.fullmatch(word)
        return of_people and len(word) >= 6 and not separated and entropy_per_char(word) >= _LEAST_BITS_SHORT
    return entropy_per_char(word) >= _LEAST_BITS and not _SAID.fullmatch(word) and _changes(word) >= 0.12


def _is_camel(word: str) -> bool:
    return _CAMEL.fullmatch(word) is not None and len(_DIGITS.findall(word)) <= 2


def _is_key(word: str) -> bool:
    """Return whether letters of both cases and digits change more often than in any words."""
    kinds = any(map(str.isupper, word)) + any(map(str.islower, word)) + any(map(str.isdigit, word))
    bare = _SIGNS.sub("", word)
    enough = 0.3 if kinds == 3 else 0.45
    return kinds >= 2 and len(bare) >= _SHORT and _changes(bare) >= enough and entropy_per_char(word) >= 3.4


def is_mixed(word: str) -> bool:
    """Return whether a word is a secret even without a secret's name: random, with both cases and digits.

    >>> is_mixed("x7Kq9Zr4Tmp2Wd8nB6"), is_mixed("8a348f7c2d1e4b5a6978"), is_mixed("getUserTokenFromV2")
    (True, False, False)
    """
    cases = any(map(str.isupper, word)) and any(map(str.islower, word)) and any(map(str.isdigit, word))
    groups = len(_DIGITS.findall(word))
    return len(word) >= _SHORT and cases and groups >= 2 and looks_random(word, of_people=False)


def is_fragment(word: str) -> bool:
    """Return whether a word that is alone on its line may be the continuation of a key."""
    digits, letters = any(map(str.isdigit, word)), any(map(str.isalpha, word))
    if not digits or not letters or _NUMBER.fullmatch(word):
        return len(word) >= 24 and letters and entropy_per_char(word) >= 3.5 and _changes(word) >= 0.3
    return not _SAID.fullmatch(word) or (len(word) >= 4 and _changes(word) >= 0.4 and "." not in word)


def _changes(word: str) -> float:
    """Return the number of changes between kinds of characters per character of the word."""
    return (len(_PIECE.findall(word)) - 1) / len(word)


def entropy_per_char(word: str) -> float:
    """Compute the entropy of a word in bits per character, from the frequencies of its characters.

    >>> entropy_per_char("aaaa"), entropy_per_char("abcd")
    (0.0, 2.0)
    """
    told = (count / len(word) * log2(len(word) / count) for count in Counter(word).values())
    return round(fsum(told), 9)  # the last digits differ between processors


def is_id_or_hash(word: str) -> bool:
    """Return whether a word is a UUID or a hex hash, which is a secret only after a clear name."""
    return _UUID.fullmatch(word) is not None or _HEX.fullmatch(word) is not None


def is_pattern(value: str) -> bool:
    """Return whether a value contains brackets or backslashes, as expressions and code do, but not keys."""
    return _PATTERN.search(value) is not None


def is_typed(word: str) -> bool:
    """Return whether a word contains letters, digits and a sign, as password rules demand.

    >>> is_typed("blue77!x"), is_typed("v2.0")
    (True, False)
    """
    kinds = any(map(str.isdigit, word)) and any(map(str.isalpha, word)) and _SIGN.search(word)
    return bool(kinds) and len(word) >= 6 and not _PATTERN.search(word)


def is_jumbled(value: str, *, much: bool = False) -> bool:
    r"""Return whether a value contains signs as a made-up password does, but no word, path or expression.

    `much` also demands at least 8 characters, two kinds of letters or digits, and frequent changes.

    >>> [is_jumbled(value) for value in ("x9$Kq&;f", "d!Z(w", "user.name", "get(x)[0]", "Password!")]
    [True, True, False, False, False]
    """
    value = value.lstrip("\\\"'`")[:_JUDGED]
    inner = value.strip("\"'`.,;:!?*")
    if len(value) < 5 or len(set(value)) < 4 or _SIGN_INSIDE.search(inner) is None:
        return False
    kinds = (any(map(str.isupper, value)), any(map(str.islower, value)), any(map(str.isdigit, value)))
    if much:
        is_made = sum(kinds) >= 2 and len(value) >= 8 and _changes(inner) >= 0.5
    else:
        is_made = any(kinds[:2]) and _changes(value) >= (0.25 if sum(kinds) >= 2 else 0.4)
    if not is_made or _SAID.fullmatch(inner) or _NUMBER.fullmatch(inner):
        return False
    return not (
        _CODE.match(value) or _EXPRESSION.search(value) or _STANDS_FOR.search(value) or is_template(value)
    )


def is_login(word: str) -> bool:
    """Return whether a base64 word decodes to "user:password".

    >>> is_login("bWU6aHVudGVyMg=="), is_login("authentication")
    (True, False)
    """
    try:
        said = b64decode(word + "=" * (-len(word) % 4), validate=True)
    except (NotBase64, ValueError):
        return False
    return b":" in said[1:] and all(31 < byte < 127 for byte in said)


def is_reference(value: str) -> bool:
    """Return whether a value is only a reference to a secret, or a placeholder.

    >>> [is_reference(value) for value in ("$TOKEN", "process.env.KEY", "/run/secrets/x", "hunter2")]
    [True, True, True, False]
    """
    if _MEMBER.fullmatch(value) or is_template(value):
        return True
    if _REFERENCE.match(value):
        return not (value[0] == "/" and len(value) >= _KEY and _is_key(value) and not _SAID.fullmatch(value))
    return _STANDS_FOR.search(value) is not None and not (len(value) >= _KEY and _is_key(value))


def is_template(value: str) -> bool:
    """Return whether a value consists of template placeholders without a secret next to them.

    >>> [is_template(value) for value in ("<your-password>", "%(name)s:%(pw)s", "{user}-7", "{kq}zR9!p7")]
    [True, True, True, False]
    """
    names = [found[found.lastgroup] if found.lastgroup else "" for found in _PLACEHOLDER.finditer(value)]
    if not names:
        return False
    rest = _PLACEHOLDER.sub("", value)
    if not rest:
        return True
    if not all(map(_is_wordy, names)):
        return False
    kinds = any(map(str.isdigit, rest)) and any(map(str.isalpha, rest)) and _SIGN.search(rest)
    return len(rest) < 4 or (_is_wordy(rest) and not kinds)


def _is_wordy(text: str) -> bool:
    return all(map(_WORDY.fullmatch, _RUN.findall(text)))


def is_passphrase(value: str) -> bool:
    """Return whether several words are a passphrase: not a sentence, and not a remark about a secret.

    >>> [is_passphrase(value) for value in ("horse battery", "my dog 7!", "Enter a value")]
    [True, True, False]
    """
    words = [word.strip(".,;:!?\"'()").lower() for word in value.split()]
    if len(words) < 2 or is_reference(value) or not _OF_SENTENCES.isdisjoint(words) or _NAMES.search(value):
        return False
    if any(map(is_word_of_values, words)):
        return False
    if value[0].isupper() and all(letter.isalpha() or letter in " .,!?'-" for letter in value):
        return False  # a sentence, or a label
    return all(letter.isprintable() for letter in value) and len(value) <= 100


def is_word_of_values(value: str) -> bool:
    """Return whether a value is a word that describes a secret and is not one itself."""
    return value.lower().strip(".,;:!?") in _SAID_OF_VALUES


def is_given(  # noqa: PLR0911 - one line for each sort of value
    value: str, *, password: bool, quoted: bool, environment: bool, alone: bool
) -> bool:
    """Return whether the value after a clear name of a secret is a secret, even if it does not look random.

    `quoted`: the value is in quotes. `environment`: the form is NAME=value. `alone`: name and value have a
    line of their own.

    >>> def given(value, **form):
    ...     usual = dict(password=True, quoted=False, environment=False, alone=False)
    ...     return is_given(value, **usual | form)
    >>> given("swordfish", quoted=True), given("a-b-c", environment=True), given("swordfish", alone=True)
    (True, True, True)
    >>> given("string", quoted=True), given("swordfish"), given("DB_PASSWORD", environment=True)
    (False, False, False)
    """
    if is_reference(value) or is_word_of_values(value):
        return False
    if is_id_or_hash(value):
        return True
    digits, letters = any(map(str.isdigit, value)), any(map(str.isalpha, value))
    if not letters:
        return password and len(value) >= (4 if quoted or environment else 6) and _is_code(value)
    if _IDENTIFIER.fullmatch(value):
        return _is_name_given(
            value, digits=digits, password=password, quoted=quoted, environment=environment, alone=alone
        )
    if " " in value or len(value) < (4 if password else 8) or _PATTERN.search(value):
        return False
    if _SIGN.search(value.rstrip("!?*")) or (digits and not _SAID.fullmatch(value)):
        return password or quoted or environment or alone
    words = [word for word in re.split(r"[-_.:/+]+", value) if word]
    if all(map(is_word_of_values, words)) or (_NAMES.search(value) and not environment):
        return False
    return environment or (password and (quoted or alone) and "/" not in value)


def _is_code(value: str) -> bool:
    return value.isdigit() or (len(set(value)) > 3 and not value.startswith(("-", "=", "#", "/", "*", "+")))


def _is_name_given(  # noqa: PLR0911 - one line for each form
    value: str, *, digits: bool, password: bool, quoted: bool, environment: bool, alone: bool
) -> bool:
    """Decide `is_given` for a value that may be an identifier in code."""
    if len(value) < (4 if password else 8) or len(value) > 60:
        return False
    if value.isupper() and not (digits and quoted) and "_" in value:
        return False
    if environment:
        return password or digits or "_" in value
    if _NAMES.search(value) and not (digits and quoted and password):
        return False
    if not password:
        return digits and (quoted or alone) and not _SAID.fullmatch(value) and entropy_per_char(value) >= 2.75
    inner = value[1:] != value[1:].lower() or "_" in value
    if quoted:
        return digits or not ("_" in value or value.isupper())
    return alone and not inner and not value[0].isupper()
