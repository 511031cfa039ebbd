"""Find private keys in a text: complete, cut off, with line numbers, quoted or in lower case. Pure.

A key has a first line with its type, lines of base64 and a last line. Programs that print files put prefixes
before each line, truncation removes the first or the last line, and some listings convert all text to lower
case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

_KEY_TYPE: Final = r"(?:[a-z0-9]{1,12} ){0,4}private key(?: block)?"
_FIRST_LINE: Final = re.compile(rf"-{{2,5}} ?begin {_KEY_TYPE}(?: ?-{{2,5}})?", re.IGNORECASE | re.ASCII)
_LAST_LINE: Final = re.compile(rf"-{{2,5}} ?end {_KEY_TYPE}(?: ?-{{2,5}})?", re.IGNORECASE | re.ASCII)

_BODY_END: Final = r"(?![A-Za-z0-9+/=])"
_BODY: Final = r"(?P<body>=?[A-Za-z0-9+/]{4,4000}+={0,2})" + _BODY_END
_LINE_PREFIX: Final = (
    r"""(?:[\s"'`,+|>#*\\\u2502\u2192]"""
    r"|[0-9]{1,6}[\s:|.)\u2192\u2502-]"
    r"|[\w./-]{1,100}?[:-][0-9]{1,6}[:-]"
    r"|[\w./-]{1,100}?:(?=[A-Za-z0-9+/]{20})"
    r"|(?:proc-type|dek-info|version|comment|hash|charset|messageid|key|subject)[ \t]?:[^\n]{0,200})"
)
_KEY_LINE: Final = re.compile(rf"{_LINE_PREFIX}{{0,60}}+{_BODY}", re.IGNORECASE)
_PREFIXED_KEY_LINE: Final = re.compile(
    r"[ \t]*\r?\n[^\n]{0,80}?[ \t:|>\u2192\u2502](?P<body>[A-Za-z0-9+/]{40,80}+={0,2})" + _BODY_END
)
_PRECEDING_KEY_LINE: Final = re.compile(
    rf"(?:.*?[\s:|>\u2192\u2502\"'`-])??{_BODY}[\s\"'`,+|\\]*$", re.IGNORECASE
)
_LONG_RUN: Final = re.compile(r"[A-Za-z0-9+/]{16}")
_MAX_LINES: Final = 500
_MAX_LINE_LENGTH: Final = 400
_MAX_KEY_LENGTH: Final = 30_000  # maximum number of characters between a first and a last line

_BARE_KEY_START: Final = re.compile(
    r"b3BlbnNzaC1rZXktdjE"  # OpenSSH
    r"|(?<![A-Za-z0-9+])(?:MII[A-Za-z0-9+/]{2,3}(?:IBAAK[BC]|IBADANBgkqhkiG9w0BAQEF)"  # RSA: PKCS 1, PKCS 8
    r"|MHcCAQEE|MI(?:GHAg|G2Ag|Hu|GkAg)EAMB[A-Za-z0-9+/]|MC4CAQAwBQYDK2Vw)",  # EC, Ed25519
)
_BARE_KEY_HINTS: Final = (
    "b3BlbnNzaC1rZXktdjE",
    "IBAAK",
    "IBADANBgkqhkiG9w0BAQEF",
    "MHcCAQEE",
    "EAMB",
    "MC4CAQAwBQYDK2Vw",
)

_PUTTY_HEADER: Final = re.compile(r"private-lines:[ \t]*[0-9]{1,3}", re.IGNORECASE)
_PUTTY_MAC: Final = re.compile(r"private-mac:[ \t]*([0-9a-f]{20,64})", re.IGNORECASE)
_JSON_KEY_PART: Final = re.compile(r'"(?:d|p|q|dp|dq|qi|k)"[ \t]*:[ \t]*"([\w+/=-]{16,2000})"')
_XML_KEY_PART: Final = re.compile(r"<(d|p|q|dp|dq|inverseq)>([A-Za-z0-9+/=\s]{16,2000}?)</\1>", re.IGNORECASE)


def find_private_keys(text: str, lower: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of private keys in a text; `lower` is the text in lower case."""
    if "private key" in lower:
        yield from _find_by_first_line(text)
        yield from _find_by_last_line(text)
    if "private-" in lower:
        for match in _PUTTY_HEADER.finditer(text):
            if (end := _key_lines_end(text, match.end())) > match.end():
                yield match.start(), end
        yield from (match.span(1) for match in _PUTTY_MAC.finditer(text))
    if any(hint in text for hint in _BARE_KEY_HINTS):
        previous_end = 0
        for match in _BARE_KEY_START.finditer(text):
            if match.start() >= previous_end:
                previous_end = max(_key_lines_end(text, match.start()), match.end())
                yield match.start(), previous_end
    if '"kty"' in text:
        yield from (match.span(1) for match in _JSON_KEY_PART.finditer(text))
    if "rsakeyvalue" in lower:
        yield from (match.span(2) for match in _XML_KEY_PART.finditer(text))


def _find_by_first_line(text: str) -> Iterator[tuple[int, int]]:
    lasts = list(_LAST_LINE.finditer(text))
    firsts = list(_FIRST_LINE.finditer(text))
    index = 0
    for first, next_first in zip_longest(firsts, firsts[1:]):
        while index < len(lasts) and lasts[index].start() < first.end():
            index += 1
        last = (
            lasts[index]
            if index < len(lasts) and lasts[index].start() - first.end() < _MAX_KEY_LENGTH
            else None
        )
        if last is not None and (next_first is None or last.start() < next_first.start()):
            if _LONG_RUN.search(text, first.end(), last.start()):
                yield first.start(), last.end()
        elif (end := _key_lines_end(text, first.end())) > first.end():
            yield first.start(), end


def _key_lines_end(text: str, start: int) -> int:
    """Return the end of the key lines that begin at a position."""
    end = start
    for number in range(_MAX_LINES):
        line = _KEY_LINE.match(text, end) or _PREFIXED_KEY_LINE.match(text, end)
        if line is None or (len(line["body"]) < 16 and number == 0):
            break
        if len(line["body"]) < 16:
            short = line["body"]
            return line.end() if "=" in short or any(map(str.isdigit, short)) else end
        end = line.end()
    return end


def _find_by_last_line(text: str) -> Iterator[tuple[int, int]]:
    """Yield key lines before a last line if the first line is missing."""
    previous_end = 0
    for last in _LAST_LINE.finditer(text):
        start = line_end = last.start()
        while line_end > previous_end:
            line_limit = max(previous_end, line_end - _MAX_LINE_LENGTH)
            line_start = text.rfind("\n", line_limit, line_end) + 1 or line_limit
            line = _PRECEDING_KEY_LINE.match(text, line_start, line_end)
            is_text_start = line_start == 0
            if line is None:
                if text[line_start:line_end].strip(" \t>|+#*-'\"`0123456789:"):
                    break
            elif len(line["body"]) < 16 and start != last.start() and not is_text_start:
                break
            else:
                start = line.start("body")
            line_end = line_start - 1
        previous_end = last.end()
        if start < last.start() and _LONG_RUN.search(text, start, last.start()):
            yield start, last.end()
