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

_SORT: Final = r"(?:[a-z0-9]{1,12} ){0,4}private key(?: block)?"
_FIRST: Final = re.compile(rf"-{{2,5}} ?begin {_SORT}(?: ?-{{2,5}})?", re.IGNORECASE | re.ASCII)
_LAST: Final = re.compile(rf"-{{2,5}} ?end {_SORT}(?: ?-{{2,5}})?", re.IGNORECASE | re.ASCII)

_ENDED: Final = r"(?![A-Za-z0-9+/=])"
_BODY: Final = r"(?P<body>=?[A-Za-z0-9+/]{4,4000}+={0,2})" + _ENDED
_BEFORE: Final = (
    r"""(?:[\s"'`,+|>#*\\\u2502\u2192]"""
    r"|[0-9]{1,6}[\s:|.)\u2192\u2502-]"
    r"|[\w./-]{1,100}?[:-][0-9]{1,6}[:-]"
    r"|[\w./-]{1,100}?:(?=[A-Za-z0-9+/]{20})"
    r"|(?:proc-type|dek-info|version|comment|hash|charset|messageid|key|subject)[ \t]?:[^\n]{0,200})"
)
_LINE: Final = re.compile(rf"{_BEFORE}{{0,60}}+{_BODY}", re.IGNORECASE)
_ODD_LINE: Final = re.compile(
    r"[ \t]*\r?\n[^\n]{0,80}?[ \t:|>\u2192\u2502](?P<body>[A-Za-z0-9+/]{40,80}+={0,2})" + _ENDED
)
_LINE_BACK: Final = re.compile(rf"(?:.*?[\s:|>\u2192\u2502\"'`-])??{_BODY}[\s\"'`,+|\\]*$", re.IGNORECASE)
_LONG: Final = re.compile(r"[A-Za-z0-9+/]{16}")
_MOST_LINES: Final = 500
_LONGEST_LINE: Final = 400
_MOST: Final = 30_000  # maximum number of characters between a first and a last line

_BEGINS: Final = re.compile(
    r"b3BlbnNzaC1rZXktdjE"  # OpenSSH
    r"|(?<![A-Za-z0-9+])(?:MII[A-Za-z0-9+/]{2,3}(?:IBAAK[BC]|IBADANBgkqhkiG9w0BAQEF)"  # RSA: PKCS 1, PKCS 8
    r"|MHcCAQEE|MI(?:GHAg|G2Ag|Hu|GkAg)EAMB[A-Za-z0-9+/]|MC4CAQAwBQYDK2Vw)",  # EC, Ed25519
)
_HINTS_BARE: Final = (
    "b3BlbnNzaC1rZXktdjE",
    "IBAAK",
    "IBADANBgkqhkiG9w0BAQEF",
    "MHcCAQEE",
    "EAMB",
    "MC4CAQAwBQYDK2Vw",
)

_PUTTY: Final = re.compile(r"private-lines:[ \t]*[0-9]{1,3}", re.IGNORECASE)
_MAC: Final = re.compile(r"private-mac:[ \t]*([0-9a-f]{20,64})", re.IGNORECASE)
_PARTS_JSON: Final = re.compile(r'"(?:d|p|q|dp|dq|qi|k)"[ \t]*:[ \t]*"([\w+/=-]{16,2000})"')
_PARTS_XML: Final = re.compile(r"<(d|p|q|dp|dq|inverseq)>([A-Za-z0-9+/=\s]{16,2000}?)</\1>", re.IGNORECASE)


def private_keys(text: str, lower: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of private keys in a text; `lower` is the text in lower case."""
    if "private key" in lower:
        yield from _with_first_line(text)
        yield from _with_last_line(text)
    if "private-" in lower:
        for found in _PUTTY.finditer(text):
            if (end := _lines(text, found.end())) > found.end():
                yield found.start(), end
        yield from (found.span(1) for found in _MAC.finditer(text))
    if any(hint in text for hint in _HINTS_BARE):
        done = 0
        for found in _BEGINS.finditer(text):
            if found.start() >= done:
                done = max(_lines(text, found.start()), found.end())
                yield found.start(), done
    if '"kty"' in text:
        yield from (found.span(1) for found in _PARTS_JSON.finditer(text))
    if "rsakeyvalue" in lower:
        yield from (found.span(2) for found in _PARTS_XML.finditer(text))


def _with_first_line(text: str) -> Iterator[tuple[int, int]]:
    lasts = list(_LAST.finditer(text))
    firsts = list(_FIRST.finditer(text))
    at = 0
    for found, following in zip_longest(firsts, firsts[1:]):
        while at < len(lasts) and lasts[at].start() < found.end():
            at += 1
        last = lasts[at] if at < len(lasts) and lasts[at].start() - found.end() < _MOST else None
        if last is not None and (following is None or last.start() < following.start()):
            if _LONG.search(text, found.end(), last.start()):
                yield found.start(), last.end()
        elif (end := _lines(text, found.end())) > found.end():
            yield found.start(), end


def _lines(text: str, at: int) -> int:
    """Return the end of the key lines that begin at a position."""
    end = at
    for number in range(_MOST_LINES):
        line = _LINE.match(text, end) or _ODD_LINE.match(text, end)
        if line is None or (len(line["body"]) < 16 and number == 0):
            break
        if len(line["body"]) < 16:
            short = line["body"]
            return line.end() if "=" in short or any(map(str.isdigit, short)) else end
        end = line.end()
    return end


def _with_last_line(text: str) -> Iterator[tuple[int, int]]:
    """Yield key lines before a last line if the first line is missing."""
    done = 0
    for found in _LAST.finditer(text):
        start = before = found.start()
        while before > done:
            least = max(done, before - _LONGEST_LINE)
            begin = text.rfind("\n", least, before) + 1 or least
            line = _LINE_BACK.match(text, begin, before)
            at_begin = begin == 0
            if line is None:
                if text[begin:before].strip(" \t>|+#*-'\"`0123456789:"):
                    break
            elif len(line["body"]) < 16 and start != found.start() and not at_begin:
                break
            else:
                start = line.start("body")
            before = begin - 1
        done = found.end()
        if start < found.start() and _LONG.search(text, start, found.start()):
            yield start, found.end()
