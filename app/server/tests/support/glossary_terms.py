"""Words that no text for users has, each with the term of docs/glossary.md that is used instead."""

import re
from collections.abc import Iterator

NOT_USED = {
    r"\bin vain\b": "wasted",
    r"\bended well\b|[%\d] well\b": "succeeded, success rate",
    r"\bsteady\b": "stability",
    r"\bpassed\b": "exceeded",
    r"\btak(?:e|es|en|ing)\b.{0,20}\bout\b": "export, delete, redact",
    r"\blook(?:s|ing|ed)? after\b|\bcare\b": "maintenance",
    r"\b(?:hold|holds|held)\b.{0,20}\bagainst\b": "compare with, check against",
    r"(?<!there )\b(?:is|are) no (?!longer\b)[a-z]": "is not a …, invalid …",
    r"\bsay (?:it as|which|an?)\b|\bsaid\b": "use, specify",
    r"\b(?:tells?|told)\b": "shows, records",
    r"\bstands? (?:in|on record)\b|\blies\b": "is in",
    r"\banew\b": "again",
    r"\bdear(?:er|est)?\b|\bcostliest\b": "most expensive",
    r"\bakin\b|\balike\b|\bthe like\b|\blikeness\b": "similar, similarity",
    r"\breckon|\bmend(?:s|ed|ing)?\b": "calculate, fix",
    r"\bat work\b|\bis at it\b|\bgo(?:es)? on\b": "running, continue",
    r"\bfrom then on\b|\bas long before\b|\bso (?:much|long|many)\b": "since, the previous period",
    r"\b8 in 10\b|\bnine of ten\b|\b9 of 10\b": "p10–p90, p90",
    r"(?:^|[.;] )where (?:it|there|one|a|the|nobody|nothing|no)\b": "if",
    r"(?:^|[.;:(] ?)of (?:which|whom)\b": "whose, for which",
    r"\bgone\b": "missing",
    r"\bhabits?\b": "pattern",
    r"\bon record\b": "recorded",
}
"""Regular expressions of the words, and the terms to use."""


def find_banned(text: str) -> Iterator[str]:
    """Yield the unused words in a text. A single word is a key or a name, and has none.

    >>> list(find_banned("$20 in vain"))
    ['in vain']
    """
    words = " ".join(text.split())
    if " " in words:
        for pattern in NOT_USED:
            yield from (match[0].strip() for match in re.finditer(pattern, words, re.IGNORECASE))
