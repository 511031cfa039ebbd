"""Words that no text for users has, each with the term of docs/glossary.md that is used instead."""

import re

NOT_USED = {
    r"in vain": "wasted",
    r"\bended well\b": "success rate, succeeded",
    r"\bsteady\b": "stability",
    r"\bpassed\b": "exceeded",
    r"\btak(e|es|en|ing) (?!up\b|part\b).{0,20}\bout\b": "export, delete, redact",
    r"\blook(s|ing)? after\b|\bcare\b": "maintenance",
    r"\bhe?ld\b.{0,12}against|\bhold\b.{0,20} against": "compared with",
    r"\b(is|are) no [a-z]": "is not a valid …, invalid …",
    r"\bsay it as\b|\bsay which\b|\bsaid\b": "use, specify",
    r"\btells?\b|\btold\b": "shows, records",
    r"\bstands? in\b|\blies\b": "is in",
    r"\banew\b": "again, re-",
    r"\bdear(er|est)?\b|\bcostliest\b": "more expensive, most expensive",
    r"\bakin\b|\balike\b|\bthe like\b|\blikeness\b": "similar, comparable",
    r"\breckon|\bmend(s|ed|ing)?\b": "calculate, fix",
    r"\bat work\b|\bis at it\b|\bgoes on\b": "running",
    r"\bfrom then on\b|\bas long before\b|\bso (much|long|many)\b": "since, the previous period, the range",
    r"\b8 in 10\b|\bnine of ten\b|\b9 of 10\b": "P10–P90, p90",
    r"\bwhere (it|there|one|a|the) ": "if, when",
    r"(^|[.;,:] )of (which|whom)\b": "whose, for which",
    r"\bgone\b": "missing",
    r"\bhabits?\b": "pattern",
    r"\bon record\b": "recorded",
}
"""Regular expressions of the words, and the terms to use."""


def violations(text: str) -> list[str]:
    """Return the unused words in a text, each with the term to use instead.

    >>> violations("$20 in vain")
    ["'in vain' (wasted)"]
    """
    found = ((re.search(words, text, re.IGNORECASE), use) for words, use in NOT_USED.items())
    return [f"{match[0]!r} ({use})" for match, use in found if match is not None]
